"""From a scenario's `[[fault]]` sections to single faults: one section may mean many nodes, or many times.

Four keys say so, beside those of the fault itself. `of` names the nodes it strikes, one by one or as a group (a zone
such as "zone-2", an organisation such as "o3", a jurisdiction such as "US", or "all"); `some` takes only so many of
them, the last ones; `apart_s` lets each be struck so much later than the one before; `every_s` repeats all that until
`until_s`. What comes out names single nodes and times, as a list of faults does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from node.declared import read_section, setting, wrong_value
from sim.faults.kinds import KINDS
from sim.faults.listing import is_time
from sim.scenario.dealing import groups
from sim.scenario.model import FederationSection

# More are a misplaced comma, and would fill the memory before anything runs.
FAULTS_MOST: Final = 100_000
KEYS: Final = ("of", "some", "apart_s", "every_s", "until_s")


@dataclasses.dataclass(frozen=True, slots=True)
class Spreading:
    """Whom one `[[fault]]` section strikes, and when again."""

    of: tuple[str, ...] = setting((), "Nodes, or groups of them: a zone, an organisation, a jurisdiction, all.")
    some: int = setting(0, "Only so many of them, the last ones; 0: every one.")
    apart_s: float = setting(0.0, "Each of them so much later than the one before.")
    every_s: float = setting(0.0, "All that again after so long; 0: once.")
    until_s: float = setting(0.0, "When the repeating ends.")


def spread_out(tables: Any, federation: FederationSection, path: str) -> Any:
    """The same faults, each for one time and its own nodes.

    Raises:
        Malformed: `config-…`, naming the fault by its place.
    """
    if not isinstance(tables, list):
        return tables
    known = groups(federation)
    return [
        single
        for place, table in enumerate(tables, 1)
        for single in (_spread(table, known, place, path) if isinstance(table, dict) else [table])
    ]


def _spread(
    table: Mapping[str, Any], known: Mapping[str, tuple[str, ...]], place: int, path: str
) -> Iterator[dict[str, Any]]:
    where = f"fault {place}: "
    asked = read_section(Spreading, {key: table[key] for key in KEYS if key in table}, where, path)
    rest = {key: value for key, value in table.items() if key not in KEYS}
    for name in asked.of:
        if name not in known:
            raise wrong_value(path, f"{where}of", "nodes, zones, organisations, jurisdictions or all", name)
    if asked.of and {"node", "nodes"} & rest.keys():
        raise wrong_value(path, f"{where}of", "the only key that says whom it strikes", list(asked.of))
    nodes = list(dict.fromkeys(node for name in asked.of for node in known[name]))[-asked.some :]
    first_s: Any = rest.get("at_s")
    if not is_time(first_s):
        raise wrong_value(path, f"{where}at_s", "seconds from 0 up", first_s)
    if asked.every_s and not first_s <= asked.until_s:
        raise wrong_value(path, f"{where}until_s", "a time after at_s", asked.until_s)
    rounds = (asked.until_s - first_s) / asked.every_s + 1 if asked.every_s else 1
    if rounds * max(1, len(nodes)) > FAULTS_MOST:
        expected = f"so long that no more than {FAULTS_MOST} faults strike"
        raise wrong_value(path, f"{where}every_s", expected, asked.every_s)
    for number in range(int(rounds)):
        for later, struck in enumerate(_struck(rest, nodes)):
            single = {**rest, **struck}
            delay_s = number * asked.every_s + later * asked.apart_s
            yield {**single, "at_s": round(first_s + delay_s, 3)} if delay_s else single


def _struck(rest: Mapping[str, Any], nodes: list[str]) -> list[dict[str, Any]]:
    """The nodes as the kind names them: one each, or all in one fault."""
    if not nodes:
        return [{}]
    named = rest.get("kind")
    kind: Any = KINDS.get(named) if isinstance(named, str) else None
    takes_several = kind is not None and "nodes" in (declared.name for declared in dataclasses.fields(kind))
    return [{"nodes": nodes}] if takes_several else [{"node": node} for node in nodes]
