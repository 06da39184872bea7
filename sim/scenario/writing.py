"""A scenario as a file with every key written out: what `reading.parse` reads back to the same scenario.

Who changes a scenario by program, to shrink it for instance, saves the result like this; nothing is left to
defaults that a later version may change.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from node.declared import key_of
from sim.faults.listing import table_of
from sim.scenario.model import Scenario


def text_of(scenario: Scenario) -> str:
    """The whole file."""
    lines = list(_section(scenario, ""))
    for planned in scenario.faults:
        lines += ["", "[[fault]]", *(f"{key} = {_value(value)}" for key, value in table_of(planned).items())]
    return "\n".join(lines) + "\n"


def _section(section: Any, name: str) -> Iterator[str]:
    """The keys of a section, then the sections within."""
    inner: list[tuple[str, str, Any]] = []
    for declared in dataclasses.fields(section):
        value, title = getattr(section, declared.name), f"{name}{declared.name}"
        if dataclasses.is_dataclass(value):
            inner.append((title, f"[{title}]", value))
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            inner += [(title, f"[[{title}]]", each) for each in value if declared.metadata["doc"]]
        elif declared.metadata["doc"]:
            yield f"{key_of(declared)} = {_value(value)}"
    for title, heading, value in inner:
        yield from ("", heading, *_section(value, f"{title}."))


def _value(value: Any) -> str:
    """TOML writes texts, numbers, booleans and lists of these as JSON does."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
