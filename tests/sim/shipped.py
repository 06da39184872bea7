"""The scenarios that come with the program, in a form short enough for every run of the tests."""

from __future__ import annotations

from dataclasses import replace

from sim.scenario.model import Scenario
from sim.scenario.reading import parse, text_of

# Probing is much of what idle nodes do. Every third second finds the same dead nodes, a little later.
PROBE_INTERVAL_S = 3.0
SMALLER = {
    "power-cut": (("nodes = 50", "nodes = 16"),),
    "quiet-day": (
        ("nodes = 100\norganisations = 25", "nodes = 8\norganisations = 4"),
        ("pause_s = 3600", "pause_s = 2"),
        ("safety_s = 86400\ncheck_every_s = 3600", "safety_s = 60\ncheck_every_s = 5"),
    ),
}


def in_short(name: str) -> Scenario:
    """The shipped scenario, with fewer nodes and hours where they are many; nodes probe less often."""
    text = text_of(name)
    for said, instead in SMALLER.get(name, ()):
        assert said in text
        text = text.replace(said, instead)
    scenario = parse(text)
    gossip = replace(scenario.node.gossip, probe_interval_s=PROBE_INTERVAL_S)
    return replace(scenario, node=replace(scenario.node, gossip=gossip))


def in_haste(name: str) -> Scenario:
    """The same in half the time: everything that is planned comes twice as soon."""
    scenario = in_short(name)
    faults = tuple(replace(planned, at_s=planned.at_s / 2) for planned in scenario.faults)
    phases = replace(scenario.phases, safety_s=scenario.phases.safety_s / 2)
    return replace(scenario, faults=faults, phases=phases)


def cut_short(name: str, safety_s: float) -> Scenario:
    """Only the beginning of it."""
    scenario = in_short(name)
    faults = tuple(planned for planned in scenario.faults if planned.at_s <= safety_s)
    return replace(scenario, faults=faults, phases=replace(scenario.phases, safety_s=safety_s))
