"""What happened in a run: the events that people read, and one hash over those and everything below them.

An event is a line of JSON with the virtual time, a name and details. What happens too often to be read (each message
on the wires) only goes into the hash, which every so often is an event itself: two runs of one seed that part ways
anywhere show it in their logs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import trio

Detail = str | int | float | bool | None | list[str]


class Trace:
    """`write` takes each line, without its newline."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._hash = hashlib.sha256()
        self._write = write
        self.events = 0

    def record(self, event: str, **details: Detail) -> None:
        """An event at the present virtual time."""
        line = json.dumps({"t": round(trio.current_time(), 6), "event": event, **details})
        self.events += 1
        self._hash.update(line.encode())
        if self._write is not None:
            self._write(line)

    def touch(self, event: str, subject: str, target: str, size_bytes: int = 0) -> None:
        """Something too small for the log."""
        self.events += 1
        self._hash.update(f"{trio.current_time():.9f} {event} {subject} {target} {size_bytes}\n".encode())

    def digest(self) -> str:
        """Of all so far."""
        return self._hash.hexdigest()
