"""What happened in a run, as one hash: two runs of one seed must have the same."""

from __future__ import annotations

import hashlib

import trio


class Trace:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.events = 0

    def record(self, *words: str) -> None:
        """Add an event at the present virtual time."""
        self.events += 1
        self._hash.update("\x00".join((f"{trio.current_time():.9f}", *words, "\n")).encode())

    def digest(self) -> str:
        return self._hash.hexdigest()
