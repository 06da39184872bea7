"""How many blocks a flight should have: many where those at its end are quick, one where they are slow.

What travels together costs less, and is waited for together: all of a flight must be durable within one deadline. So
the first flight of an object is small, the next is twice as large for as long as flights are quick, and half as large
after a slow one. A volunteer behind a telephone line then sends block by block what a gateway in a data centre sends
by the dozen megabytes, and neither has to be configured.

A put is as quick as its holders, a get as its client. Desks are few and everybody's, so a get keeps as many as its
client takes within a second, and reads ahead only for one who is as quick as that; and a put whose client is slow
sends off what it has instead of collecting more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.limits import SHARES_PER_CALL_MAX

BLOCKS_AT_FIRST = 2
QUICK_S = 3.0
SLOW_S = 8.0
REMEMBERED_S = 10.0
# A client that takes a flight, or sends a block, within the first is quick; within the second, not yet slow.
QUICK_CLIENT_S = 0.5
SLOW_CLIENT_S = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The next flight has up to `blocks` blocks; never more than `most`."""

    blocks: int
    most: int
    quick_s: float = QUICK_S
    slow_s: float = SLOW_S

    @classmethod
    def of(cls, most: int) -> Pace:
        """The pace of an object's first flight to its holders."""
        most = max(1, min(most, SHARES_PER_CALL_MAX))
        return cls(min(BLOCKS_AT_FIRST, most), most)

    @classmethod
    def of_client(cls, most: int) -> Pace:
        """The pace of the first flight to a client."""
        return cls(min(BLOCKS_AT_FIRST, most), most, QUICK_CLIENT_S, SLOW_CLIENT_S)

    def after(self, blocks: int, took_s: float) -> Pace:
        """The pace once a flight of `blocks` took so long. A quick small one says nothing about larger ones."""
        if took_s > self.slow_s:
            return replace(self, blocks=max(1, min(self.blocks, blocks // 2)))
        if took_s < self.quick_s and blocks >= self.blocks:
            return replace(self, blocks=min(2 * self.blocks, self.most))
        return self


class Paces:
    """The pace that the namespace's last flights came to: what is put a moment later begins with it.

    An object's parts come one by one, and each would begin slowly otherwise.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: Pace | None = None
        self._noted_s = 0.0

    def first(self, now_s: float) -> Pace:
        """For the first flight of whatever is put now."""
        if self._last is None or now_s - self._noted_s > REMEMBERED_S:
            return Pace.of(self._most)
        return self._last

    def note(self, pace: Pace, now_s: float) -> Pace:
        """A flight has come to this pace."""
        self._last, self._noted_s = pace, now_s
        return pace
