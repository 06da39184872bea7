"""Nodes that come and go: each stays up and down for times of its own, drawn from the seed.

The Weibull distribution with a shape below 1 is what measured machines follow: many leave soon after they came, and
who has stayed for long stays longer. With shape 1 it is the exponential one, which remembers nothing.

Source: Nurmi, Brevik, Wolski, "Modeling Machine Availability in Enterprise and Wide-Area Distributed Computing
Environments", Euro-Par 2005: shapes from 0.33 to 0.76.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from sim.faults.kinds import Planned, Start
from sim.host.streams import stream
from sim.scenario.dealing import deal
from sim.scenario.model import ChurnSection, Scenario
from sim.scenario.trace import ENDS


def come_and_go(scenario: Scenario, seed: int) -> Iterator[Planned]:
    """What the scenario's `[churn]` section draws; a trace is among the planned faults already."""
    churn = scenario.churn
    if churn.model in ("none", "trace"):
        return
    for seat in deal(scenario.federation):
        if seat.node not in churn.spared:
            numbers = stream(seed, "churn", seat.node)
            yield from _of_node(churn, seat.node, numbers, scenario.phases.safety_s)


def _of_node(churn: ChurnSection, node: str, numbers: random.Random, length_s: float) -> Iterator[Planned]:
    at_s = _drawn(churn, churn.up_s, numbers)
    while at_s < length_s:
        yield Planned(round(at_s, 3), ENDS[churn.end](node))
        at_s += _drawn(churn, churn.down_s, numbers)
        yield Planned(round(min(at_s, length_s), 3), Start(node))
        at_s += _drawn(churn, churn.up_s, numbers)


def _drawn(churn: ChurnSection, mean_s: float, numbers: random.Random) -> float:
    """A time with this mean: the scale of the Weibull distribution follows from mean and shape."""
    if churn.model == "exponential":
        return numbers.expovariate(1 / mean_s)
    return numbers.weibullvariate(mean_s / math.gamma(1 + 1 / churn.shape), churn.shape)
