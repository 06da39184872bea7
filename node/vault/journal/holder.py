"""Keeping one holder's copy of the journal as far as our own.

Nothing that a holder says is believed: what it claims to have must be a prefix of our copy, with the hash that our
copy has there. A holder that answers anything else is named in the log, and what it said does not count; a holder
that is away is asked again, ever more slowly, and caught up from wherever it stopped. What counts once, counts for
ever: entries that it acknowledged are durable there, whatever it answers later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import trio

from node.logs import get_logger
from node.vault.journal.own_copy import OwnCopy
from node.vault.ticker import Ticker
from protocol import limits
from protocol.errors import Forged, MaillonError, Malformed, Missing, OverLimit
from protocol.ids import NodeId, short_text_of
from protocol.namespace.journal import Opening, Tip, encode_opening, start_of
from protocol.requests import (
    Done,
    JournalAppend,
    JournalOpen,
    JournalRead,
    JournalReadReply,
    JournalTail,
    JournalTailReply,
    Kind,
)
from protocol.succession.requests import JournalPrepare

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Buffer = bytes | bytearray | memoryview

SEND_BYTES: Final = 2 * limits.MIB
SEND_ENTRIES_MAX: Final = 64
READ_BYTES: Final = 2 * limits.MIB
_UNKNOWN: Final = -1

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JournalTimers:
    """Every duration of the writer, in seconds."""

    ask_deadline_s: float = 10.0
    append_deadline_s: float = 20.0
    start_wait_s: float = 20.0
    tails_grace_s: float = 1.0
    retry_first_s: float = 0.2
    retry_most_s: float = 10.0


class Answered(Protocol[T_co]):
    @property
    def message(self) -> T_co: ...

    @property
    def payload_bytes(self) -> int: ...


class Ask(Protocol):
    """One request to another node: `Mesh.ask`."""

    async def __call__(
        self,
        node: NodeId,
        kind: Kind,
        message: object,
        reply: type[T],
        *,
        deadline_s: float,
        payload: Sequence[Buffer] = (),
        into: memoryview | None = None,
    ) -> Answered[T]: ...


class HolderLine:
    """The questions about one epoch that can be put to one holder."""

    def __init__(self, node: NodeId, opening: Opening, ask: Ask, timers: JournalTimers) -> None:
        self.node = node
        self._opening = opening
        self._ask = ask
        self._deadline_s = timers.ask_deadline_s

    async def tail(self) -> Tip | None:
        """How far it says its copy goes; None when it has no such epoch."""
        question = JournalTail(self._opening.namespace, self._opening.epoch)
        try:
            return self._tip(await self._put(Kind.JOURNAL_TAIL, question, JournalTailReply))
        except Missing as error:
            if error.identifier != "journal-epoch":
                raise
            return None

    async def open(self) -> None:
        encoded = encode_opening(self._opening)
        await self._put(Kind.JOURNAL_PREPARE, JournalPrepare(encoded), Done)
        await self._put(Kind.JOURNAL_OPEN, JournalOpen(encoded, b""), Done)

    async def append(self, first: int, entries: Sequence[bytes]) -> Tip:
        sizes = tuple(len(encoded) for encoded in entries)
        message = JournalAppend(self._opening.namespace, self._opening.epoch, first, sizes, None)
        return self._tip(await self._put(Kind.JOURNAL_APPEND, message, JournalTailReply, payload=entries))

    async def read(self, first: int) -> tuple[bytes, ...]:
        """Some encoded entries from `first` on, unchecked."""
        buffer = memoryview(bytearray(READ_BYTES))
        question = JournalRead(self._opening.namespace, self._opening.epoch, first, READ_BYTES)
        answer: Answered[JournalReadReply] = await self._ask(
            self.node, Kind.JOURNAL_READ, question, JournalReadReply, deadline_s=self._deadline_s, into=buffer
        )
        sizes = answer.message.sizes_bytes
        if sum(sizes) != answer.payload_bytes:
            raise Malformed("journal-answer", node=self.node)
        entries, offset = [], 0
        for size in sizes:
            entries.append(bytes(buffer[offset : offset + size]))
            offset += size
        return tuple(entries)

    async def _put(self, kind: Kind, message: object, reply: type[T], payload: Sequence[Buffer] = ()) -> T:
        answer = await self._ask(self.node, kind, message, reply, deadline_s=self._deadline_s, payload=payload)
        return answer.message

    def _tip(self, reply: JournalTailReply) -> Tip:
        if reply.epoch != self._opening.epoch:
            raise Malformed("journal-answer", node=self.node)
        return Tip(reply.length, reply.head)


class Holder:
    """One other holder. `length` is how many entries are known to be durable there; below 0, not even the epoch."""

    def __init__(self, line: HolderLine, copy: OwnCopy, opening: Opening, timers: JournalTimers) -> None:
        self.node = line.node
        self.length = _UNKNOWN
        self.problem: str | None = None
        self._line = line
        self._copy = copy
        self._start = start_of(opening)
        self._timers = timers
        self._follows: Tip | None = None

    async def run(self, news: Ticker, progress: Ticker) -> None:
        """For ever: send what `news` announces, and tick `progress` when the holder has more, or a problem."""
        pause_s = self._timers.retry_first_s
        while True:
            seen = news.count
            try:
                await self._catch_up(progress)
            except MaillonError as error:
                self._follows = None
                self._note(error)
                progress.tick()
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._timers.retry_most_s)
                continue
            pause_s = self._timers.retry_first_s
            await news.wait_past(seen)

    async def _catch_up(self, progress: Ticker) -> None:
        if self._follows is None:
            self._reached(await self._learn(), progress)
        while self._follows is not None and self._follows.length < self._copy.tip.length:
            first = self._follows.length
            entries = await self._copy.entries_from(first, size_bytes_max=SEND_BYTES, count_max=SEND_ENTRIES_MAX)
            tip = await self._line.append(first, entries)
            if tip.length < first + len(entries):
                raise Forged("journal-head", node=self.node, length=tip.length)
            self._reached(await self._compared(tip), progress)

    async def _learn(self) -> Tip:
        tip = await self._line.tail()
        if tip is not None:
            return await self._compared(tip)
        if self.length > 0:
            log.error("journal.holder-forgot", node=short_text_of(self.node), length=self.length)
        await self._line.open()
        return self._start

    async def _compared(self, tip: Tip) -> Tip:
        """The tip, if it is one of our own copy. Raises Forged(`journal-head`)."""
        if tip.length > self._copy.tip.length or await self._copy.head_at(tip.length) != tip.head:
            raise Forged("journal-head", node=self.node, length=tip.length)
        return tip

    def _reached(self, tip: Tip, progress: Ticker) -> None:
        if tip.length < self.length:
            log.error("journal.holder-rolled-back", node=short_text_of(self.node), from_=self.length, to=tip.length)
        if self.problem is not None:
            log.info("journal.holder-back", node=short_text_of(self.node), length=tip.length)
        self._follows = tip
        self.problem = None
        self.length = max(self.length, tip.length)
        progress.tick()

    def _note(self, error: MaillonError) -> None:
        if error.identifier != self.problem:
            note_problem(self.node, error)
        self.problem = error.identifier


def note_problem(node: NodeId, error: MaillonError) -> None:
    """Name the holder in the log: as a liar when it answered what cannot be, otherwise as away."""
    about: dict[str, Any] = {"node": short_text_of(node), "error": error.identifier}
    if isinstance(error, Forged | Malformed | OverLimit):
        log.error("journal.holder-wrong", **about)
    else:
        log.warning("journal.holder-away", **about)
