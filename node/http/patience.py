"""How long the server still waits for one client.

A deadline for each wait of its own would cost a small request more than its answer, and a look at the clock is not
free either. So whoever is about to wait writes down for how long, and once a second the server takes a second off all
of them. A server that is kept from that by its own work leaves its clients the more time.
"""

from __future__ import annotations

import math

import trio

LOOK_EVERY_S = 1.0


class Patience:
    """`scope` is cancelled when it ends."""

    __slots__ = ("_left_s", "scope")

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self._left_s = math.inf

    def begin(self, seconds: float) -> None:
        """From now on the client has so long. The next look may come at once, so it does not count."""
        self._left_s = seconds + LOOK_EVERY_S

    def end(self) -> None:
        """The client did what it was to do."""
        self._left_s = math.inf

    def look(self) -> None:
        """Another `LOOK_EVERY_S` has passed: give the client up if its time is over."""
        self._left_s -= LOOK_EVERY_S
        if self._left_s <= 0:
            self.scope.cancel()
