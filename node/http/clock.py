"""The `date` header, made anew only when a second has passed."""

from __future__ import annotations

from email.utils import formatdate

from node.host.ports import WallClock


class DateHeader:
    """The machine's time as HTTP writes it."""

    def __init__(self, wall: WallClock) -> None:
        self._wall = wall
        self._now_s = -1
        self._text = b""

    def now(self) -> bytes:
        """The value of `date` for an answer that leaves now."""
        now_s = self._wall.now_s()
        if now_s != self._now_s:
            self._now_s = now_s
            self._text = formatdate(now_s, usegmt=True).encode("ascii")
        return self._text
