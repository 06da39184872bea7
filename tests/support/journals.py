"""Journals in memory, and holders that can be told to be away, slow, or to lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from protocol.errors import Forged, MaillonError, Missing, Unavailable
from protocol.ids import Digest, NamespaceId, NodeId
from protocol.namespace.journal import Opening, Tip, check_chain, decode_opening, start_of, take
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
from protocol.wire import schema


class MemoryJournal:
    """One epoch as a holder or the writer keeps it (the methods of `LocalJournal`)."""

    def __init__(self) -> None:
        self.opening: Opening | None = None
        self.entries: list[bytes] = []
        self.tip = Tip(0, Digest(bytes(32)))
        self.fails: MaillonError | None = None
        self.fails_after_writing = False
        self.appends = 0

    async def prepare(self, opening: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def open(self, opening: bytes, succession: bytes = b"") -> None:
        await trio.lowlevel.checkpoint()
        if self.opening is None:
            self.opening = decode_opening(opening)
            self.tip = start_of(self.opening)

    async def append(self, namespace: NamespaceId, epoch: int, first: int, entries: Sequence[Any]) -> Tip:
        await trio.lowlevel.checkpoint()
        opening = self._opened()
        error, self.fails = self.fails, None
        if error is not None and not self.fails_after_writing:
            raise error
        skip, self.tip = take(opening, self.tip, first, entries)
        self.entries += [bytes(entry) for entry in entries[skip:]]
        self.appends += 1
        if error is not None:
            raise error
        return self.tip

    async def tail(self, namespace: NamespaceId, epoch: int) -> Tip:
        await trio.lowlevel.checkpoint()
        self._opened()
        return self.tip

    async def read(self, namespace: NamespaceId, epoch: int, first: int, size_bytes_max: int) -> tuple[bytes, ...]:
        await trio.lowlevel.checkpoint()
        self._opened()
        shown: list[bytes] = []
        for entry in self.entries[first:]:
            if shown and sum(map(len, shown)) + len(entry) > size_bytes_max:
                break
            shown.append(entry)
        return tuple(shown)

    def set_back(self, length: int) -> None:
        """As a disk restored from an older copy."""
        assert self.opening is not None
        self.entries = self.entries[:length]
        self.tip = check_chain(self.opening, start_of(self.opening), self.entries)

    def forget(self) -> None:
        """As a disk that was replaced."""
        self.__init__()  # type: ignore[misc]

    def _opened(self) -> Opening:
        if self.opening is None:
            raise Missing("journal-epoch")
        return self.opening


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    message: Any
    payload_bytes: int


@dataclass(slots=True)
class FakeHolder:
    """`mood`: honest, away, silent, or one of the lies below."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    mood: str = "honest"
    delay_s: float = 0.0
    asked: list[Kind] = field(default_factory=list)


class FakeMesh:
    """`ask` as the mesh would, over holders in memory."""

    def __init__(self, nodes: Sequence[NodeId]) -> None:
        self.holders = {node: FakeHolder() for node in nodes}

    async def ask(
        self,
        node: NodeId,
        kind: Kind,
        message: Any,
        reply: type[Any],
        *,
        deadline_s: float,
        payload: Sequence[Any] = (),
        into: memoryview | None = None,
    ) -> FakeAnswer:
        holder = self.holders[node]
        holder.asked.append(kind)
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(deadline_s):
            await trio.sleep(holder.delay_s)
            if holder.mood == "silent":
                await trio.sleep_forever()
            if holder.mood == "away":
                raise Unavailable("node-unreachable", node=node)
            answer, shown = await self._answer(
                holder, kind, schema.decode(type(message), schema.encode(message)), payload
            )
            for entry in shown:
                assert into is not None
                into[: len(entry)] = entry
                into = into[len(entry) :]
            return FakeAnswer(schema.decode(reply, schema.encode(answer)), sum(map(len, shown)))
        raise Unavailable("deadline", kind=int(kind))

    async def _answer(self, holder: FakeHolder, kind: Kind, message: Any, payload: Sequence[Any]) -> tuple[Any, Any]:
        journal = holder.journal
        if kind is Kind.JOURNAL_PREPARE:
            if holder.mood == "opens-not":
                raise Unavailable("store-full")
            await journal.prepare(message.opening)
            return Done(), ()
        if kind is Kind.JOURNAL_OPEN:
            assert isinstance(message, JournalOpen)
            await journal.open(message.opening, message.succession)
            return Done(), ()
        if kind is Kind.JOURNAL_APPEND:
            assert isinstance(message, JournalAppend)
            assert message.sizes_bytes == tuple(map(len, payload))
            tip = await journal.append(message.namespace, message.epoch, message.first, payload)
            return JournalTailReply(message.epoch, *self._told(holder, tip), False), ()
        if kind is Kind.JOURNAL_TAIL:
            assert isinstance(message, JournalTail)
            tip = await journal.tail(message.namespace, message.epoch)
            return JournalTailReply(message.epoch, *self._told(holder, tip), False), ()
        assert isinstance(message, JournalRead)
        if holder.mood == "unreadable":
            raise Unavailable("connection-lost")
        shown = list(await journal.read(message.namespace, message.epoch, message.first, message.size_bytes_max))
        if holder.mood == "garbles" and shown:
            shown[0] = shown[0][:-1] + bytes([shown[0][-1] ^ 1])
        if holder.mood == "shows-nothing":
            shown = []
        return JournalReadReply(schema.encode(journal.opening), b"", tuple(map(len, shown))), shown

    def _told(self, holder: FakeHolder, tip: Tip) -> Tip:
        if holder.mood == "wrong-head":
            return Tip(tip.length, Digest(bytes(32)))
        if holder.mood == "claims-more":
            return Tip(tip.length + 5, Digest(bytes(32)))
        if holder.mood == "stands-still":
            return Tip(0, start_of(holder.journal.opening).head) if holder.journal.opening else tip
        if holder.mood == "refuses":
            raise Forged("journal-fork")
        return tip
