"""Faults drawn from a seed: what a scenario's `[chance]` section asks for, as an explicit list.

Each kind has its own stream of random numbers, so that asking for more of one does not move the others. Nodes that
are away, cut off or lying are counted together, and no more of them are taken at one time than the scenario allows:
beyond that the federation has promised nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sim.faults import kinds
from sim.faults.churn import come_and_go
from sim.faults.kinds import Fault, Planned
from sim.faults.lies import LIES, OF_GATEWAYS
from sim.faults.listing import in_order
from sim.host.streams import stream
from sim.scenario.model import Scenario


@dataclass(slots=True)
class Absences:
    """When which nodes are out of action, so that never too many are at once."""

    most: int
    spans: list[tuple[float, float, str]] = field(default_factory=list)

    def book(self, node: str, from_s: float, until_s: float) -> bool:
        """Take the node away for this time, unless it or too many others are."""
        meeting = {name for begin_s, end_s, name in self.spans if begin_s < until_s and from_s < end_s}
        if node in meeting or len(meeting) >= self.most:
            return False
        self.spans.append((from_s, until_s, node))
        return True


def draw(scenario: Scenario, seed: int) -> tuple[Planned, ...]:
    """The scenario's own faults and those that the seed adds, in order of time."""
    return in_order([*scenario.faults, *come_and_go(scenario, seed), *_Dice(scenario, seed).throw()])


class _Dice:
    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._chance = scenario.chance
        self._length_s = scenario.phases.safety_s
        self._names = [f"n{number}" for number in range(1, scenario.federation.nodes + 1)]
        self._gateways = set(self._names[: scenario.federation.gateways])
        self._absences = Absences(scenario.chance.away_most)
        self._liars: set[str] = set()
        self._seed = seed

    def throw(self) -> Iterator[Planned]:
        chance = self._chance
        # Those first that are rarest and gravest: they find room before the small ones take it.
        for name, every_s, act in (
            ("wipe", chance.wipe_every_s, self._wipe),
            ("liar", chance.liar_every_s, self._lie),
            ("power", chance.power_every_s, self._power),
            ("point", chance.point_every_s, self._point),
            ("kill", chance.kill_every_s, self._kill),
            ("partition", chance.partition_every_s, self._partition),
            ("disk", chance.disk_every_s, self._disk),
            ("slow", chance.slow_every_s, self._slow),
            ("lossy", chance.lossy_every_s, self._lossy),
            ("rot", chance.rot_every_s, self._rot),
            ("clock", chance.clock_every_s, self._clock),
        ):
            yield from self._each(name, every_s, act)

    def _each(
        self, name: str, every_s: float, act: Callable[[random.Random, float], list[Planned]]
    ) -> Iterator[Planned]:
        if every_s <= 0:
            return
        numbers = stream(self._seed, "chance", name)
        at_s = numbers.expovariate(1 / every_s)
        while at_s < self._length_s:
            yield from act(numbers, round(at_s, 3))
            at_s += numbers.expovariate(1 / every_s)

    def _span(self, numbers: random.Random, at_s: float, mean_s: float) -> float:
        """When what begins now ends: within the phase, so that shrinking finds both."""
        return round(min(self._length_s, at_s + numbers.expovariate(1 / mean_s)), 3)

    def _away(
        self, numbers: random.Random, at_s: float, mean_s: float, begin: Callable[[str], Fault]
    ) -> list[Planned]:
        node, until_s = numbers.choice(self._names), self._span(numbers, at_s, mean_s)
        if not self._absences.book(node, at_s, until_s):
            return []
        return [Planned(at_s, begin(node)), Planned(until_s, kinds.Start(node))]

    def _kill(self, numbers: random.Random, at_s: float) -> list[Planned]:
        return self._away(numbers, at_s, self._chance.down_s, kinds.Kill)

    def _power(self, numbers: random.Random, at_s: float) -> list[Planned]:
        return self._away(numbers, at_s, self._chance.down_s, kinds.PowerCut)

    def _point(self, numbers: random.Random, at_s: float) -> list[Planned]:
        point, passes = numbers.choice(self._chance.points), numbers.choice((0, 0, 0, 1, 2, 5))
        # A gateway comes by most of these points, and others by few of them.
        node = numbers.choice([*self._names, *sorted(self._gateways) * len(self._names)])
        until_s = self._span(numbers, at_s, self._chance.down_s)
        if not self._absences.book(node, at_s, until_s):
            return []
        return [Planned(at_s, kinds.Armed(node, point, passes=passes)), Planned(until_s, kinds.Start(node))]

    def _wipe(self, numbers: random.Random, at_s: float) -> list[Planned]:
        others = [name for name in self._names if name not in self._gateways]
        node = numbers.choice(others or self._names)
        wiped = {name for _, end_s, name in self._absences.spans if end_s == float("inf")}
        if len(wiped | {node}) > self._chance.wipes_most or not self._absences.book(node, at_s, float("inf")):
            return []
        until_s = self._span(numbers, at_s, self._chance.down_s)
        return [Planned(at_s, kinds.Wipe(node)), Planned(until_s, kinds.Start(node))]

    def _lie(self, numbers: random.Random, at_s: float) -> list[Planned]:
        others = [name for name in self._names if name not in self._gateways]
        node, lie = numbers.choice(others or self._names), numbers.choice(sorted({*LIES} - OF_GATEWAYS))
        if len(self._liars | {node}) > self._chance.liars_most or not self._absences.book(node, at_s, float("inf")):
            return []
        self._liars.add(node)
        return [Planned(at_s, kinds.Lie(node, lie))]

    def _partition(self, numbers: random.Random, at_s: float) -> list[Planned]:
        count = numbers.randint(1, max(1, self._chance.away_most))
        nodes = tuple(sorted(numbers.sample(self._names, count)))
        until_s = self._span(numbers, at_s, self._chance.lasting_s)
        direction = numbers.choice(("both", "both", "out", "in"))
        if not all(self._absences.book(node, at_s, until_s) for node in nodes):
            return []
        return [Planned(at_s, kinds.Partition(nodes, direction)), Planned(until_s, kinds.Heal())]

    def _disk(self, numbers: random.Random, at_s: float) -> list[Planned]:
        node, until_s = numbers.choice(self._names), self._span(numbers, at_s, self._chance.lasting_s)
        if not self._absences.book(node, at_s, until_s):
            return []
        point = numbers.choice(("disk.read", "disk.write", "disk.sync"))
        error = "ENOSPC" if point == "disk.write" and numbers.random() < 0.5 else "EIO"
        fault: Fault = kinds.DiskError(node, point, error, numbers.choice((0.1, 0.5, 1.0)))
        if numbers.random() < 0.25:
            fault = kinds.DiskFull(node, numbers.randrange(1_000_000))
        return [Planned(at_s, fault), Planned(until_s, kinds.DiskWell(node))]

    def _slow(self, numbers: random.Random, at_s: float) -> list[Planned]:
        node, until_s = numbers.choice(self._names), self._span(numbers, at_s, self._chance.lasting_s)
        slow_ms = numbers.choice((50.0, 500.0, 3_000.0))
        if numbers.random() < 0.5:
            return [Planned(at_s, kinds.DiskSlow(node, slow_ms)), Planned(until_s, kinds.DiskWell(node))]
        links = kinds.Links((node,), latency_min_ms=slow_ms / 2, latency_max_ms=slow_ms)
        return [Planned(at_s, links), Planned(until_s, kinds.LinksWell())]

    def _lossy(self, numbers: random.Random, at_s: float) -> list[Planned]:
        until_s = self._span(numbers, at_s, self._chance.lasting_s)
        loss = numbers.choice((0.01, 0.05, 0.2))
        links = kinds.Links((), dial_loss=loss, send_loss=loss / 2, answer_loss=loss / 2)
        return [Planned(at_s, links), Planned(until_s, kinds.LinksWell())]

    def _rot(self, numbers: random.Random, at_s: float) -> list[Planned]:
        return [Planned(at_s, kinds.Rot(numbers.choice(self._names), bits=1))]

    def _clock(self, numbers: random.Random, at_s: float) -> list[Planned]:
        return [Planned(at_s, kinds.Clock(numbers.choice(self._names), numbers.choice((-3_600, -60, 60, 86_400))))]
