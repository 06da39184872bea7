"""Flights that leave together, so that their shares travel together.

An exchange with a holder costs the same whatever it carries, and so does a journal append. A flight that is not full
(all of an object, or of a part, of a few megabytes) therefore waits for those of the same namespace that are being
loaded at that moment: until all that wait make a full flight, or nobody is coming any more, and never for longer than
a share of the time that it took itself to come. So who is alone waits for nobody, who is quick hardly waits for who
is slow, and of several parts at a time two go together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

# How long a flight waits at most, in terms of how long it took to come.
PATIENCE = 0.5


class Departing:
    """A flight that is coming, and then waits with `blocks`; `most` would be a full one."""

    __slots__ = ("began_s", "blocks", "gone", "most")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.blocks = self.most = 0
        self.gone = trio.Event()


class Departures:
    """One for each namespace that is written."""

    def __init__(self) -> None:
        self._coming: set[Departing] = set()
        self._waiting: list[Departing] = []

    @contextmanager
    def coming(self) -> Iterator[Departing]:
        """While a flight is on its way to its departure, others may wait for it."""
        flight = Departing(trio.current_time())
        self._coming.add(flight)
        try:
            yield flight
        finally:
            self._coming.discard(flight)
            if flight in self._waiting:
                self._waiting.remove(flight)
            self._go_if_due()

    async def depart(self, flight: Departing, blocks: int, most: int) -> None:
        """Return when it is time to go."""
        flight.blocks, flight.most = blocks, most
        self._coming.discard(flight)
        self._waiting.append(flight)
        self._go_if_due()
        with trio.move_on_after(PATIENCE * (trio.current_time() - flight.began_s)):
            await flight.gone.wait()
        if not flight.gone.is_set():
            self._go()

    def _go_if_due(self) -> None:
        """Somebody has come, or comes no more."""
        waiting = self._waiting
        if waiting and (not self._coming or sum(one.blocks for one in waiting) >= min(one.most for one in waiting)):
            self._go()

    def _go(self) -> None:
        for flight in self._waiting:
            flight.gone.set()
        self._waiting.clear()
