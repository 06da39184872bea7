"""docs/scenarios.md: every section and key of a scenario, every kind of fault, and the scenarios that are shipped.

Made from the declarations themselves, so the page cannot say what the program does not do.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

from node.declared import describe
from sim.faults.kinds import KINDS, Planned
from sim.scenario.model import NodeSections, Scenario
from sim.scenario.planning import Spreading
from sim.scenario.reading import load, shipped

_HEAD = """\
# Scenarios

A scenario is a TOML file: a federation, its network, what clients do, what happens to it, and what must hold. Play
it with `maillon sim run FILE`; [simulator.md](simulator.md) says how to read what comes out. Every key is optional
except `name`; an unknown key is refused, with the nearest known name. Sizes are numbers of bytes or text such as
"500 GB" or "64 KiB". Nodes are called `n1`, `n2` and so on.

This page is written by `maillon sim fields`; do not edit it.

## At the top of the file
"""
_FAULTS = """\
## [[fault]]

A fault that is planned by hand. What begins with one fault ends with another, or with the safety phase. A fault that
finds nothing to strike does nothing. Each section has these two keys, and those of its kind:

| key | default | what it does |
| --- | --- | --- |
| `at_s` | `(required)` | How many virtual seconds after the safety phase began. |
| `kind` | `(required)` | One of those below. |
"""


def reference() -> str:
    """The whole page."""
    sections: list[tuple[str, Any]] = []
    lines = [_HEAD, *describe(Scenario, "", sections)]
    for title, kind in sections:
        if kind is not Planned:
            lines += ["", f"## {title}", "", *_described(kind)]
    lines += ["", _FAULTS, "One section can stand for many faults:", "", *describe(Spreading, "", []), ""]
    for name, fault in KINDS.items():
        lines += [f"### {name}", "", *_described(fault), ""]
    lines += ["## Scenarios that come with the program", "", *_shipped()]
    return "\n".join(lines) + "\n"


def _described(kind: Any) -> Iterator[str]:
    yield inspect.getdoc(kind) or ""
    if kind is NodeSections:
        yield "So `[node.gossip]` is the section `[gossip]` of [configuration.md](configuration.md), for instance."
    if dataclasses.fields(kind):
        yield ""
        yield from describe(kind, "", [])


def _shipped() -> Iterator[str]:
    yield from ("`maillon sim list` shows them too.", "", "| scenario | what happens |", "| --- | --- |")
    for name in shipped():
        yield f"| `{name}` | {load(name).summary} |"
