"""Making a failing run small: fewer faults, then a shorter safety phase, while the same law is still broken.

The faults are made fewer by delta debugging (ddmin: Zeller and Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", 2002). It ends with a list from which no single fault can be taken away; that is not the
smallest list there is, but finding that one would mean trying all. Every part of a list of faults is a list of
faults, because a fault that finds nothing to strike does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from protocol.errors import Refused
from sim.faults.kinds import Planned
from sim.run.folder import Plan
from sim.run.play import Outcome, play
from sim.scenario.model import ChurnSection, Scenario
from sim.scenario.writing import text_of

T = TypeVar("T")
# Of several candidates, the place of the first that still fails; None when none does.
FirstFailing = Callable[[Sequence[tuple[T, ...]]], int | None]
SHORTER_TRIES = 4


@dataclass(frozen=True, slots=True)
class Symptom:
    """What a shrunk run must show too: the same law, and of an unexpected error the same kind."""

    law: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A smaller plan that still fails, and how many runs were played until it was found."""

    plan: Plan
    plays: int


def symptom_of(outcome: Outcome) -> Symptom:
    """What broke first. Raises Refused(`shrink-holds`)."""
    if not outcome.violations:
        raise Refused("shrink-holds", scenario=outcome.scenario, seed=outcome.seed)
    first = outcome.violations[0]
    return Symptom(first.law, first.told.partition(":")[0] if first.law == "crash" else "")


def shows(outcome: Outcome, symptom: Symptom) -> bool:
    """Whether a run broke as the first one did."""
    return any(broken.law == symptom.law and broken.told.startswith(symptom.error) for broken in outcome.violations)


def ddmin(items: tuple[T, ...], first_failing: FirstFailing[T]) -> Iterator[tuple[T, ...]]:
    """Ever smaller parts of `items` that still fail, the last of which loses nothing more."""
    if first_failing([()]) is not None:
        yield ()
        return
    parts = 2
    while len(items) > 1:
        chunks = _split(items, parts)
        complements = [tuple(_others(chunks, place)) for place in range(len(chunks))]
        found = first_failing(chunks if parts == 2 else [*chunks, *complements])
        if found is not None:
            is_chunk = found < len(chunks)
            items = chunks[found] if is_chunk else complements[found - len(chunks)]
            parts = 2 if is_chunk else max(parts - 1, 2)
            yield items
        elif parts >= len(items):
            return
        else:
            parts = min(2 * parts, len(items))


class Shrinker:
    """Plays ever smaller plans. `jobs` runs are played at a time, `plays_most` in all."""

    def __init__(self, plan: Plan, *, jobs: int, plays_most: int) -> None:
        self.plan = plan
        self.plays = 0
        self._jobs = jobs
        self._plays_most = plays_most
        self._known: dict[tuple[float, tuple[Planned, ...]], bool] = {}

    def steps(self, symptom: Symptom) -> Iterator[Step]:
        """Each smaller plan, as it is found."""

        def fewer(candidates: Sequence[tuple[Planned, ...]]) -> int | None:
            return self._first([replace(self.plan, faults=faults) for faults in candidates], symptom)

        for faults in ddmin(self.plan.faults, fewer):
            self.plan = replace(self.plan, faults=faults)
            yield Step(self.plan, self.plays)
        yield from self._shorter(symptom)

    def _shorter(self, symptom: Symptom) -> Iterator[Step]:
        """End the safety phase with the last fault, or as soon after it as the failure allows."""
        least_s = max((planned.at_s for planned in self.plan.faults), default=0.0)
        for _ in range(SHORTER_TRIES):
            now_s = self.plan.scenario.phases.safety_s
            tried = [least_s, *(round((least_s + now_s) / 2, 3),) * (now_s - least_s > 1)]
            found = self._first([with_length(self.plan, safety_s) for safety_s in tried if safety_s < now_s], symptom)
            if found is None:
                return
            self.plan = with_length(self.plan, tried[found])
            yield Step(self.plan, self.plays)
            if found == 0:
                return

    def _first(self, plans: Sequence[Plan], symptom: Symptom) -> int | None:
        """As many at a time as there are jobs, judged in order, so that the outcome does not depend on them."""
        for start in range(0, len(plans), self._jobs):
            batch = plans[start : start + self._jobs]
            for place, fails in enumerate(self._fail(batch, symptom), start):
                if fails:
                    return place
        return None

    def _fail(self, plans: Sequence[Plan], symptom: Symptom) -> list[bool]:
        room = self._plays_most - self.plays
        new = [plan for plan in plans if _key(plan) not in self._known][: max(room, 0)]
        self.plays += len(new)
        for plan, fails in zip(new, _all_fail(new, symptom, self._jobs), strict=True):
            self._known[_key(plan)] = fails
        return [self._known.get(_key(plan), False) for plan in plans]


def with_length(plan: Plan, safety_s: float) -> Plan:
    """The plan with another length of its safety phase, written out in its file."""
    scenario: Scenario = replace(plan.scenario, phases=replace(plan.scenario.phases, safety_s=safety_s))
    # Those planned in the file may lie after its new end. The list of faults has what is to be played.
    kept = tuple(planned for planned in scenario.faults if planned.at_s <= safety_s)
    # A trace is among them, and is not read a second time.
    churn = ChurnSection() if scenario.churn.model == "trace" else scenario.churn
    scenario = replace(scenario, faults=kept, churn=churn)
    return replace(plan, text=text_of(scenario), scenario=scenario, trace="")


def fails(plan: Plan, symptom: Symptom) -> bool:
    """Play it, and look."""
    return shows(play(plan.scenario, plan.seed, plan.faults), symptom)


def _all_fail(plans: Sequence[Plan], symptom: Symptom, jobs: int) -> Iterable[bool]:
    if jobs == 1 or len(plans) < 2:
        return [fails(plan, symptom) for plan in plans]
    import joblib  # a library of the simulator's own: only when it is needed

    found: list[bool] = joblib.Parallel(n_jobs=jobs)(joblib.delayed(fails)(plan, symptom) for plan in plans)
    return found


def _key(plan: Plan) -> tuple[float, tuple[Planned, ...]]:
    return plan.scenario.phases.safety_s, plan.faults


def _split(items: tuple[T, ...], parts: int) -> list[tuple[T, ...]]:
    ends = [len(items) * part // parts for part in range(parts + 1)]
    return [items[begin:end] for begin, end in pairwise(ends)]


def _others(chunks: Sequence[tuple[T, ...]], left_out: int) -> Iterator[T]:
    for place, chunk in enumerate(chunks):
        if place != left_out:
            yield from chunk
