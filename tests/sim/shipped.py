"""The scenarios that come with the program, in a form short enough for every run of the tests."""

from __future__ import annotations

from dataclasses import replace

from sim.scenario.model import Scenario
from sim.scenario.reading import parse, text_of

# Probing is much of what idle nodes do. Every third second finds the same dead nodes, a little later.
PROBE_INTERVAL_S = 3.0
FEWER = {"power-cut": ("nodes = 50", "nodes = 16")}


def in_short(name: str) -> Scenario:
    """The shipped scenario, with fewer nodes where they are many, who probe each other less often."""
    scenario = parse(text_of(name).replace(*FEWER.get(name, ("", ""))))
    gossip = replace(scenario.node.gossip, probe_interval_s=PROBE_INTERVAL_S)
    return replace(scenario, node=replace(scenario.node, gossip=gossip))


def cut_short(name: str, safety_s: float) -> Scenario:
    """Only the beginning of it."""
    scenario = in_short(name)
    faults = tuple(planned for planned in scenario.faults if planned.at_s <= safety_s)
    return replace(scenario, faults=faults, phases=replace(scenario.phases, safety_s=safety_s))
