"""What the clients were told, and which answers to a question are lawful after that.

Each key is a register with atomic reads and writes. A write that failed, or whose gateway died, may or may not have
happened, but no later than its client heard of the failure. An answer is lawful when the write it shows had begun
before the answer came, and no other write is known to have happened wholly between the two. A completed read makes
what it showed known, so two reads one after the other never go back in time.

Source: Herlihy, Wing, "Linearizability", TOPLAS 1990, for a single register with unique values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

ABSENT = 0


@dataclass(slots=True)
class Write:
    """Write `number` of a key began and, if `happened`, ended so; ABSENT size: a deletion."""

    number: int
    size_bytes: int
    began_s: float
    ended_s: float = math.inf
    happened: bool = False

    @property
    def is_deletion(self) -> bool:
        return self.size_bytes == ABSENT


@dataclass(slots=True)
class Register:
    """One key. Write 0 is the beginning, when nothing was there."""

    writes: list[Write] = field(default_factory=lambda: [Write(0, ABSENT, -math.inf, -math.inf, happened=True)])

    def lawful(self, asked_s: float, answered_s: float) -> list[Write]:
        """The writes of which an answer may speak."""
        return [write for write in self.writes if self._may_show(write, asked_s, answered_s)]

    def _may_show(self, write: Write, asked_s: float, answered_s: float) -> bool:
        if write.began_s > answered_s:
            return False
        return not any(
            later.happened and later.began_s >= write.ended_s and later.ended_s <= asked_s
            for later in self.writes
            if later is not write
        )

    def saw(self, write: Write, answered_s: float) -> None:
        """A read showed this write: it happened, before the answer came."""
        write.happened = True
        write.ended_s = min(write.ended_s, answered_s)


class Ledger:
    """All keys of one namespace."""

    def __init__(self) -> None:
        self.registers: dict[str, Register] = {}
        self.acknowledged = 0

    def begin(self, key: str, size_bytes: int, now_s: float) -> Write:
        """A client is about to write (or with ABSENT to delete)."""
        register = self.registers.setdefault(key, Register())
        write = Write(len(register.writes), size_bytes, now_s)
        register.writes.append(write)
        return write

    def done(self, write: Write, now_s: float) -> None:
        """The client was told that it happened."""
        write.ended_s, write.happened = now_s, True
        self.acknowledged += 1

    def unknown(self, write: Write, now_s: float) -> None:
        """The client was told that it failed, or nothing, and never will be."""
        write.ended_s = now_s

    def judge_absence(self, key: str, asked_s: float, answered_s: float) -> str:
        """Why "there is no such object" may not be said now; nothing when it may."""
        return self._judge(key, None, asked_s, answered_s)

    def judge_presence(self, key: str, number: int, size_bytes: int, asked_s: float, answered_s: float) -> str:
        """Why write `number` may not be shown now; nothing when it may."""
        return self._judge(key, (number, size_bytes), asked_s, answered_s)

    def _judge(self, key: str, shown: tuple[int, int] | None, asked_s: float, answered_s: float) -> str:
        register = self.registers.setdefault(key, Register())
        lawful = register.lawful(asked_s, answered_s)
        if shown is None:
            fitting = [write for write in lawful if write.is_deletion]
        else:
            fitting = [write for write in lawful if (write.number, write.size_bytes) == shown]
        if not fitting:
            told = "nothing" if shown is None else f"write {shown[0]} of {shown[1]} bytes"
            allowed = ", ".join(_told(write) for write in lawful)
            return f"{key} shows {told}; lawful would be: {allowed}"
        if len(fitting) == 1:
            register.saw(fitting[0], answered_s)
        return ""


def _told(write: Write) -> str:
    return f"{write.number} (deleted)" if write.is_deletion else f"{write.number} ({write.size_bytes} bytes)"
