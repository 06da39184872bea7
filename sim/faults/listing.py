"""A list of faults as a document: what a failing run writes down, and what replays it.

A seed stops replaying when the code changes, because everything that draws from it draws differently; a list of
faults with their times goes on meaning the same. The document names its version, and what it does not know is
refused.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.declared import key_of, read_section, wrong_value
from protocol.errors import Malformed
from sim.faults.kinds import KINDS, Fault, Planned

VERSION = 1


def planned_from(tables: Any, path: str) -> tuple[Planned, ...]:
    """The `[[fault]]` sections of a scenario, or the faults of a list, in order of time.

    Raises:
        Malformed: `config-…`, naming the fault by its place.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise wrong_value(path, "fault", "[[fault]] sections", tables)
    planned = [_planned(table, f"fault {place}: ", path) for place, table in enumerate(tables, 1)]
    return in_order(planned)


def is_time(value: Any) -> bool:
    """Whether a value that was read is a time: what is infinite, or no number, never comes."""
    return type(value) in (int, float) and 0 <= value <= sys.float_info.max


def in_order(planned: Iterable[Planned]) -> tuple[Planned, ...]:
    """By time; those of one instant as they were given."""
    return tuple(sorted(planned, key=lambda each: each.at_s))


def table_of(planned: Planned) -> dict[str, Any]:
    """What `planned_from` reads back."""
    fault = planned.fault
    table: dict[str, Any] = {"at_s": planned.at_s, "kind": fault.KIND}
    for declared in dataclasses.fields(fault):
        value = getattr(fault, declared.name)
        table[key_of(declared)] = list(value) if isinstance(value, tuple) else value
    return table


def dump(planned: Sequence[Planned], *, scenario: str, seed: int) -> str:
    """The document, one fault a line, as people compare such lists."""
    faults = ",\n  ".join(json.dumps(table_of(each)) for each in planned)
    head = f'"version": {VERSION}, "scenario": {json.dumps(scenario)}, "seed": {seed}'
    return f'{{{head}, "faults": [\n  {faults}\n]}}\n'


@dataclass(frozen=True, slots=True)
class Listing:
    """A document: the faults, and the name of the scenario and the seed that they were played with."""

    scenario: str
    seed: int
    faults: tuple[Planned, ...]


def load(text: str, path: str) -> Listing:
    """Read a document back.

    Raises:
        Malformed: `faults-syntax`, `faults-version`, `config-…`.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed("faults-syntax", path=path, problem=str(error)) from error
    version = document.get("version") if isinstance(document, dict) else None
    if version != VERSION:
        raise Malformed("faults-version", path=path, found=repr(version)[:20], known=VERSION)
    scenario, seed = document.get("scenario"), document.get("seed")
    if type(scenario) is not str:
        raise wrong_value(path, "scenario", "a name", scenario)
    if type(seed) is not int:
        raise wrong_value(path, "seed", "a whole number", seed)
    return Listing(scenario, seed, planned_from(document.get("faults"), path))


def _planned(table: Mapping[str, Any], where: str, path: str) -> Planned:
    kind: Any = table.get("kind")
    at_s: Any = table.get("at_s")
    if not isinstance(kind, str) or kind not in KINDS:
        raise wrong_value(path, f"{where}kind", " or ".join(KINDS), kind)
    if not is_time(at_s):
        raise wrong_value(path, f"{where}at_s", "seconds from 0 up", at_s)
    rest = {key: value for key, value in table.items() if key not in ("kind", "at_s")}
    fault: Fault = read_section(KINDS[kind], rest, where, path)
    return Planned(float(at_s), fault)
