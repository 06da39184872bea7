"""Runs that replay: virtual time, and a scheduler whose order comes from the seed.

Trio shuffles the order of the tasks that are ready, on purpose, from a generator of its own; it offers a switch and
that generator to those who test trio, under private names. They stand here and nowhere else, and a test fails when a
new trio changes them. Both are needed: with the switch off, runs agree by luck until the layout of memory changes.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import trio
from trio._core import _run

R = TypeVar("R")


class Timer(Protocol):
    """What a clock can ring."""

    def is_due(self, at_s: float) -> bool: ...

    def ring(self) -> None: ...


class JumpingClock(trio.abc.Clock):
    """Jumps to the next deadline whenever every task waits. Nothing else moves it.

    `MockClock` does so too, but needs a scheduling round for each jump. Whoever waits until all tasks are blocked is
    woken before the clock jumps. Timers are what costs less than trio's deadlines.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self._now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Asked by trio when there is nothing else to do; for ever when nothing will ever happen."""
        if _run.GLOBAL_RUN_CONTEXT.runner.waiting_for_idle:
            return math.inf  # trio wakes them at once, as this moment has nothing more to do
        timers = self._timers
        while timers and timers[0][0] <= deadline:
            at_s, _, timer = heapq.heappop(timers)
            if timer.is_due(at_s):
                self._now_s = max(self._now_s, at_s)
                timer.ring()
                return 0.0
        if deadline == math.inf:
            return deadline
        self._now_s = max(self._now_s, deadline)
        return 0.0

    def ring_at(self, at_s: float, timer: Timer) -> None:
        """Ring then, unless the timer is no longer due by that time."""
        self._count += 1  # of those with one time, the first goes first
        heapq.heappush(self._timers, (at_s, self._count, timer))


@contextmanager
def deterministic_scheduling(seed: int) -> Iterator[None]:
    """Inside, the order of ready tasks depends on `seed` alone. For use around `trio.run`, not within it."""
    switches = vars(_run)
    generator = _run._r
    allowed, state = switches["_ALLOW_DETERMINISTIC_SCHEDULING"], generator.getstate()
    switches["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    generator.seed(seed)
    try:
        yield
    finally:
        switches["_ALLOW_DETERMINISTIC_SCHEDULING"] = allowed
        generator.setstate(state)


def run_deterministically(seed: int, main: Callable[..., Awaitable[R]], *arguments: object) -> R:
    """`trio.run` on virtual time."""
    with deterministic_scheduling(seed):
        return trio.run(main, *arguments, clock=JumpingClock())
