"""Runs that replay: virtual time, and a scheduler whose order comes from the seed.

Trio shuffles the order of the tasks that are ready, on purpose, from a generator of its own; it offers a switch and
that generator to those who test trio, under private names. They stand here and nowhere else, and a test fails when a
new trio changes them. Both are needed: with the switch off, runs agree by luck until the layout of memory changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio
import trio.testing
from trio._core import _run

R = TypeVar("R")


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
    """`trio.run` on a clock that jumps to the next deadline whenever every task waits."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    with deterministic_scheduling(seed):
        return trio.run(main, *arguments, clock=clock)
