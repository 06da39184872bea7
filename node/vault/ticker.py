"""Telling waiting tasks that something changed, without ever losing a wake-up.

A ticker counts. A task notes the count, looks at the state, and waits for the count to pass what it noted: whatever
changes after it looked has moved the count, so it does not sleep through it.
"""

from __future__ import annotations

import trio


class Ticker:
    """`count` only grows."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting = trio.lowlevel.ParkingLot()

    def tick(self) -> None:
        """Something changed: wake all who wait."""
        self.count += 1
        if self._waiting:
            self._waiting.unpark_all()

    async def wait_past(self, count: int) -> None:
        """Return once the count is over `count`; at once (after a checkpoint) when it already is."""
        if self.count > count:
            await trio.lowlevel.checkpoint()
        while self.count <= count:
            await self._waiting.park()
