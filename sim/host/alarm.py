"""The wait of one task for a moment that may come sooner than it looked at first.

A message under way wakes its reader when it arrives and not before. With an event and a deadline that would take two
wake-ups, one to hear of the message and one to see it, and an exception for the deadline. Here the sender brings the
alarm forward, and when its time comes the task just goes on: rung by the clock of the world, which has nothing
else to do, or on any other clock by the deadline of a scope. That is worth some lines, because a quiet world does
little else than wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

import trio

from sim.host.scheduling import JumpingClock


class Alarm:
    """One task waits at a time. See `scheduling.Timer`."""

    def __init__(self) -> None:
        self._sleeper: trio.lowlevel.Task | None = None
        self._scope: trio.CancelScope | None = None
        self._until_s = math.inf

    async def wait(self, until_s: float) -> None:
        """Return when woken, or at that time or the one it was brought forward to; look again what is so then."""
        self._until_s = until_s
        if isinstance(trio.lowlevel.current_clock(), JumpingClock):
            await self._sleep()
            return
        with trio.CancelScope(deadline=until_s) as self._scope:
            await self._sleep()

    def bring_forward(self, until_s: float) -> None:
        """Who waits now returns by then."""
        if self._sleeper is not None and until_s < self._until_s:
            self._until_s = until_s
            self._set()

    def is_due(self, at_s: float) -> bool:
        """Somebody waits for just this time."""
        return self._sleeper is not None and self._until_s == at_s

    def ring(self) -> None:
        """Who waits now returns at once."""
        if self._sleeper is not None:
            sleeper, self._sleeper = self._sleeper, None
            trio.lowlevel.reschedule(sleeper)

    async def _sleep(self) -> None:
        self._sleeper = trio.lowlevel.current_task()
        self._set()
        await trio.lowlevel.wait_task_rescheduled(self._stop)

    def _set(self) -> None:
        clock = trio.lowlevel.current_clock()
        if isinstance(clock, JumpingClock):
            if self._until_s != math.inf:
                clock.ring_at(self._until_s, self)
        elif self._scope is not None:
            self._scope.deadline = self._until_s

    def _stop(self, _raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """How scopes end a wait; the one whose deadline is the alarm has nothing to cancel."""
        if trio.current_time() >= self._until_s:
            self.ring()
            return trio.lowlevel.Abort.FAILED
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED
