"""The wait of one task for a moment that may come sooner than it looked at first.

A message under way wakes its reader when it arrives and not before. With an event and a deadline that would take two
wake-ups, one to hear of the message and one to see it, and an exception for the deadline. Here the sender moves the
deadline of the waiting task, and when it is reached the task just goes on. That is worth some lines, because a
quiet world does little else than wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import trio


class Alarm:
    """One task waits at a time."""

    def __init__(self) -> None:
        self._sleeper: trio.lowlevel.Task | None = None
        self._scope = trio.CancelScope()

    async def wait(self, until_s: float) -> None:
        """Return when woken, or at that time or the one it was brought forward to; look again what is so then."""
        with trio.CancelScope(deadline=until_s) as self._scope:
            self._sleeper = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop)

    def bring_forward(self, until_s: float) -> None:
        """Who waits now returns by then."""
        if self._sleeper is not None and until_s < self._scope.deadline:
            self._scope.deadline = until_s

    def wake(self) -> None:
        """Who waits now returns at once."""
        if self._sleeper is not None:
            sleeper, self._sleeper = self._sleeper, None
            trio.lowlevel.reschedule(sleeper)

    def _stop(self, _raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """How scopes end a wait; the one whose deadline is the alarm has nothing to cancel."""
        if trio.current_time() >= self._scope.deadline:
            self.wake()
            return trio.lowlevel.Abort.FAILED
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED
