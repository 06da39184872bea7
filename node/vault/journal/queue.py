"""Callers' changes that wait to be journaled.

An entry costs every holder a sync and a signature to check, however many changes it says, so they gather: while
something is on its way to the holders, until it is acknowledged; and as long as the program is at work, because what
it works on may be the next callers, whom the last acknowledgement let go all at once (PostgreSQL's `commit_siblings`
guesses the same from the number of transactions). Both waits are bounded by some milliseconds. A caller who is alone
waits for neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import trio
from trio._core._generated_run import wait_all_tasks_blocked  # as in `trio.testing`, without all of pytest

from node.vault.journal.batch import Batch, Request, take_batch
from node.vault.ticker import Ticker
from protocol import limits
from protocol.errors import MaillonError

# What callers may keep waiting here at once; more of them wait before they are queued.
WAITING_BYTES_MAX: Final = 32 * limits.MIB
# So much is an entry's worth: it does not wait for more.
_ENOUGH_BYTES: Final = limits.ENTRY_BYTES_MAX // 2
# While the program is at work, they gather for so many times as long as while an entry is on its way.
_AT_WORK_TURNS: Final = 2


class Queue:
    """The requests in the order in which they came."""

    def __init__(self, gather_s: float, patience_s: float) -> None:
        self._gather_s = gather_s
        self._patience_s = patience_s
        self._waiting: deque[Request] = deque()
        self._unanswered: dict[Request, None] = {}
        self._closed: MaillonError | None = None
        self._queued_bytes = 0
        self._inline_bytes = 0
        self._held_bytes = 0
        self._came = Ticker()
        self._left = Ticker()

    @property
    def is_full(self) -> bool:
        """Whether one more has to wait for room."""
        return self._held_bytes > WAITING_BYTES_MAX

    @property
    def inline_start(self) -> int:
        """Where in their entry the inline bytes of who comes now will stand, if all who wait are taken together."""
        return self._inline_bytes

    async def wait_for_room(self) -> None:
        """Return when one more may wait here."""
        while self.is_full:
            seen = self._left.count
            await self._left.wait_past(seen)

    async def wait_until_done(self, request: Request) -> None:
        """Queue the request; return when it has its answer, or has waited for too long and has none. Given up before
        it is taken, it leaves nothing.
        """
        if self._closed is not None:
            request.fail(self._closed)
            return
        request.queued_s = trio.current_time()
        self._unanswered[request] = None
        self._held_bytes += request.size_bytes
        self._queued_bytes += request.size_bytes
        self._inline_bytes += len(request.inline)
        self._waiting.append(request)
        self._came.tick()
        try:
            await request.done.wait()
        finally:
            del self._unanswered[request]
            self._held_bytes -= request.size_bytes
            self._left.tick()
            if request in self._waiting:
                self._waiting.remove(request)
                self._queued_bytes -= request.size_bytes
                self._inline_bytes -= len(request.inline)

    async def let_go_for_ever(self) -> None:
        """Let go of those who have waited for too long: a deadline for each would cost as much as its place here."""
        while True:
            oldest = next(iter(self._unanswered), None)
            if oldest is None:
                seen = self._came.count
                await self._came.wait_past(seen)
                continue
            await trio.sleep_until(oldest.queued_s + self._patience_s)
            for request in self._unanswered:
                if request.queued_s + self._patience_s <= trio.current_time():
                    request.done.set()

    async def wait_for_batch(self, is_idle: Callable[[], bool], progress: Ticker) -> None:
        """Return when it is time to take a batch. `is_idle`: nothing is on its way; `progress` tells of changes."""
        while not self._waiting:
            seen = self._came.count
            await self._came.wait_past(seen)
        first_s = self._waiting[0].queued_s
        with trio.move_on_at(first_s + self._gather_s):
            while not is_idle() and self._queued_bytes < _ENOUGH_BYTES:
                seen = progress.count
                await progress.wait_past(seen)
        if self._queued_bytes < _ENOUGH_BYTES:
            with trio.move_on_at(first_s + _AT_WORK_TURNS * self._gather_s):
                await wait_all_tasks_blocked()

    def take(self) -> Batch | None:
        """What makes the next entry, if anything waits."""
        if not self._waiting:
            return None
        batch = take_batch(self._waiting)
        self._queued_bytes -= sum(request.size_bytes for request in batch.requests)
        self._inline_bytes -= len(batch.inline)
        return batch

    def fail_all(self, error: MaillonError) -> None:
        """Nobody who has no answer yet, or comes later, will get another: whoever would give it is gone."""
        self._closed = error
        self._waiting.clear()
        self._queued_bytes = self._inline_bytes = 0
        for request in self._unanswered:
            if not request.done.is_set():
                request.fail(error)
