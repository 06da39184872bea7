"""Requests that build on each other, put back into the order in which they were meant.

A journal's writer sends the next entries before the last ones are acknowledged. On one connection they come in order,
but their handlers do not run in order, and a small payload is complete before a large one that was sent first. So
whoever is there too early waits for those before it: for their turn before it takes one itself (or those that wait
would hold all turns), and for their end before it goes on. Where one of those is still to
come, it waits for that a little, too. A sender waits only for itself, and never for long.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final

import trio

# Within this, what was sent in the same moment is read off the connection.
_MOMENT_S: Final = 0.05


class Arrival:
    """One request under way: where it stands in its sequence, and whether it has its turn."""

    def __init__(self, lane: _Lane, place: int, patience_s: float) -> None:
        self.place = place
        self.has_turn = False
        self._lane = lane
        self._patience_s = patience_s
        self._came_s = trio.current_time()

    async def before_turn(self) -> None:
        """Wait until those before this one have their turn."""
        # Whatever came in the same moment is under way after this.
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(self._patience_s):
            while any(other.place < self.place and not other.has_turn for other in self._lane.under_way):
                await self._lane.changed.wait()

    async def before_work(self) -> None:
        """This one has its turn now, and all of its payload: wait until those before it are done."""
        if len(self._lane.under_way) == 1:
            return
        with trio.move_on_after(self._patience_s):
            while any(other.place < self.place for other in self._lane.under_way):
                await self._lane.changed.wait()

    async def more_came(self) -> bool:
        """Something before this one is missing: whether another of its sequence came or ended, before patience does.

        The missing one may stand behind the payload of another on the same connection. Where nothing else is under
        way, the patience is a moment's.
        """
        until_s = self._came_s + self._patience_s
        if len(self._lane.under_way) == 1:
            until_s = min(until_s, trio.current_time() + _MOMENT_S)
        with trio.move_on_at(until_s) as patience:
            await self._lane.changed.wait()
        return not patience.cancelled_caught

    def take_turn(self) -> None:
        self.has_turn = True
        self._lane.turn()


class _Lane:
    def __init__(self) -> None:
        self.under_way: list[Arrival] = []
        self.changed = trio.Event()

    def turn(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


class Arrivals:
    """All that are under way, each in the lane of its sender and sequence."""

    def __init__(self, *, patience_s: float) -> None:
        self._lanes: dict[Hashable, _Lane] = {}
        self._patience_s = patience_s

    @contextmanager
    def arriving(self, lane_name: Hashable, place: int) -> Iterator[Arrival]:
        """Under way until the end of the block, at `place` of its sequence."""
        lane = self._lanes.setdefault(lane_name, _Lane())
        arrival = Arrival(lane, place, self._patience_s)
        lane.under_way.append(arrival)
        try:
            yield arrival
        finally:
            lane.under_way.remove(arrival)
            lane.turn()
            if not lane.under_way and self._lanes.get(lane_name) is lane:
                del self._lanes[lane_name]
