"""How long the server still waits for one client.

A deadline for each wait of its own would cost a small request more than its answer. So whoever is about to wait
writes down when that is too long, and the server looks at all of them once a second.
"""

from __future__ import annotations

import math

import trio

LOOK_EVERY_S = 1.0


class Patience:
    """`scope` is cancelled when it ends."""

    __slots__ = ("_due_s", "scope")

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self._due_s = math.inf

    def begin(self, seconds: float) -> None:
        """From now on the client has so long."""
        self._due_s = trio.current_time() + seconds

    def end(self) -> None:
        """The client did what it was to do."""
        self._due_s = math.inf

    def look(self, now_s: float) -> None:
        """Give the client up if its time is over."""
        if self._due_s <= now_s:
            self.scope.cancel()
