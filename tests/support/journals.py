"""Members that hold journals on disks in memory, and a mesh between them; members can be away, slow, or lie."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import trio

from node.host.ports import Host
from node.store.journals import JournalStore
from node.vault.journal.local import OwnLine
from protocol.errors import Forged, MaillonError, Unavailable
from protocol.ids import Digest, NamespaceId, NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.journal import Opening, Tip, start_of
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
from protocol.succession.ballot import decode_candidacy
from protocol.succession.proposal import decode_proposal, encode_proposal
from protocol.succession.requests import (
    AcceptReply,
    JournalPrepare,
    PromiseReply,
    SuccessionAccept,
    SuccessionAsk,
    SuccessionAskReply,
    SuccessionLearn,
    SuccessionPromise,
)
from protocol.succession.succession import decode_succession, encode_succession
from protocol.wire import schema
from sim.host.world import World
from tests.support.federations import node_key

GAP_WAIT_S = 2.0


class FlakyStore(JournalStore):
    """A journal store that counts appends, and says no when told to."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.appends = 0
        self.fails: MaillonError | None = None
        self.fails_after_writing = False

    async def append(self, namespace: NamespaceId, epoch: int, first: int, entries: Any, under: Any = None) -> Tip:
        error, self.fails = self.fails, None
        if error is not None and not self.fails_after_writing:
            raise error
        tip = await super().append(namespace, epoch, first, entries, under)
        self.appends += 1
        if error is not None:
            raise error
        return tip


def name_of(number: int) -> str:
    return f"n{number}"


def key_of(number: int) -> SigningKey:
    return node_key(name_of(number))


def node(number: int) -> NodeId:
    return NodeId(key_of(number).public)


@dataclass(slots=True)
class Member:
    """One node. `mood`: honest, away, silent, or one of the lies below. What is kept outlives its stores."""

    number: int
    store: FlakyStore
    mood: str = "honest"
    delay_s: float = 0.0
    asked: list[Kind] = field(default_factory=list)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def node(self) -> NodeId:
        return node(self.number)


Disk = dict[PurePath, Any]


class Members:
    """All of them, each with a journal store that runs in `nursery`."""

    def __init__(self, world: World, nursery: trio.Nursery) -> None:
        self.world = world
        self.of: dict[NodeId, Member] = {}
        self.parted: set[frozenset[NodeId]] = set()
        self._nursery = nursery

    def __getitem__(self, number: int) -> Member:
        return self.of[node(number)]

    async def start(self, number: int, nursery: trio.Nursery | None = None) -> Member:
        """Its next life, on what is on its disk; in `nursery`, if that is to end it."""
        store = FlakyStore(self.world.host(name_of(number)))
        member = self.of.setdefault(node(number), Member(number, store))
        member.store, member.scope = store, trio.CancelScope()
        await (nursery or self._nursery).start(self._live, member)
        return member

    async def _live(self, member: Member, *, task_status: trio.TaskStatus[None]) -> None:
        with member.scope:
            await member.store.run(task_status=task_status)

    async def set_disk(self, number: int, disk: Disk) -> None:
        """The member's disk is replaced, and its store starts anew on it."""
        self[number].scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        platter = self.world.platter(name_of(number))
        platter.files.clear()
        platter.files.update(copy.deepcopy(disk))
        await self.start(number)

    def disk(self, number: int) -> Disk:
        """As it is now."""
        return copy.deepcopy(self.world.platter(name_of(number)).files)

    def set_mood(self, mood: str, *numbers: int) -> None:
        for number in numbers:
            self[number].mood = mood

    def ask_as(self, number: int) -> Any:
        """`Mesh.ask` as this member does it."""

        async def ask(
            target: NodeId,
            kind: Kind,
            message: Any,
            reply: type[Any],
            *,
            deadline_s: float,
            payload: Sequence[Any] = (),
            into: memoryview | None = None,
        ) -> FakeAnswer:
            return await self._ask(node(number), target, kind, message, reply, deadline_s, payload, into)

        return ask

    async def _ask(
        self,
        asking: NodeId,
        target: NodeId,
        kind: Kind,
        message: Any,
        reply: type[Any],
        deadline_s: float,
        payload: Sequence[Any],
        into: memoryview | None,
    ) -> FakeAnswer:
        member = self.of[target]
        member.asked.append(kind)
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(deadline_s):
            await trio.sleep(member.delay_s)
            if member.mood == "silent":
                await trio.sleep_forever()
            if member.mood == "away" or frozenset((asking, target)) in self.parted:
                raise Unavailable("node-unreachable", node=target)
            question = schema.decode(type(message), schema.encode(message))
            answer, shown = await Holding(member).answer(kind, question, [bytes(part) for part in payload])
            for entry in shown:
                assert into is not None
                into[: len(entry)] = entry
                into = into[len(entry) :]
            return FakeAnswer(schema.decode(reply, schema.encode(answer)), sum(map(len, shown)))
        raise Unavailable("deadline", kind=int(kind))


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    message: Any
    payload_bytes: int


class Holding:
    """What a member answers, by its mood."""

    def __init__(self, member: Member) -> None:
        self._store = member.store
        self._mood = member.mood
        self._key = key_of(member.number)

    async def answer(self, kind: Kind, message: Any, payload: Sequence[bytes]) -> tuple[Any, Sequence[bytes]]:
        handlers = {
            Kind.JOURNAL_PREPARE: self._prepare,
            Kind.JOURNAL_OPEN: self._open,
            Kind.JOURNAL_TAIL: self._tail,
            Kind.SUCCESSION_PROMISE: self._promise,
            Kind.SUCCESSION_ACCEPT: self._accept,
            Kind.SUCCESSION_LEARN: self._learn,
            Kind.SUCCESSION_ASK: self._tell,
        }
        if kind is Kind.JOURNAL_READ:
            return await self._read(message)
        if kind is Kind.JOURNAL_APPEND:
            return await self._append(message, payload), ()
        return await handlers[kind](message), ()

    async def _prepare(self, message: JournalPrepare) -> Done:
        await self._store.prepare(message.opening)
        return Done()

    async def _open(self, message: JournalOpen) -> Done:
        if self._mood == "opens-not":
            raise Unavailable("store-full")
        await self._store.open(message.opening, message.succession)
        return Done()

    async def _append(self, message: JournalAppend, payload: Sequence[bytes]) -> JournalTailReply:
        assert message.sizes_bytes == tuple(map(len, payload))
        with trio.move_on_after(GAP_WAIT_S):  # appends that are on their way together may overtake each other
            while message.first > (await self._store.tail(message.namespace, message.epoch)).length:  # noqa: ASYNC110
                await trio.sleep(0.001)
        tip = await self._store.append(message.namespace, message.epoch, message.first, payload, message.under)
        return JournalTailReply(message.epoch, *await self._told(message, tip), is_fenced=False)

    async def _tail(self, message: JournalTail) -> JournalTailReply:
        standing = await self._store.standing(message.namespace, message.epoch)
        tip = await self._told(message, standing.tip)
        return JournalTailReply(message.epoch, *tip, is_fenced=standing.is_fenced)

    async def _read(self, message: JournalRead) -> tuple[JournalReadReply, list[bytes]]:
        if self._mood == "unreadable":
            raise Unavailable("connection-lost")
        found = await self._store.show(message.namespace, message.epoch, message.first, message.size_bytes_max)
        shown = list(found.entries)
        if self._mood == "garbles" and shown:
            shown[0] = shown[0][:-1] + bytes([shown[0][-1] ^ 1])
        if self._mood == "shows-nothing":
            shown = []
        return JournalReadReply(found.opening, found.succession, tuple(map(len, shown))), shown

    async def _promise(self, message: SuccessionPromise) -> PromiseReply:
        candidacy = decode_candidacy(message.candidacy)
        line = await self._line(candidacy.namespace, candidacy.epoch)
        promised = await line.promise(candidacy)
        accepted = encode_proposal(promised.accepted) if promised.accepted else b""
        return PromiseReply(*await self._told(candidacy, promised.tip), accepted)

    async def _accept(self, message: SuccessionAccept) -> AcceptReply:
        proposal = decode_proposal(message.proposal)
        line = await self._line(proposal.candidacy.namespace, proposal.candidacy.epoch)
        return AcceptReply(await line.accept(proposal))

    async def _learn(self, message: SuccessionLearn) -> Done:
        await self._store.learn(decode_succession(message.succession))
        return Done()

    async def _tell(self, message: SuccessionAsk) -> SuccessionAskReply:
        newest = self._store.newest_succession(message.namespace)
        return SuccessionAskReply(
            await self._store.held(message.namespace, message.epoch_least),
            b"" if newest is None else encode_succession(newest),
            self._store.newest_opening(message.namespace),
        )

    async def _line(self, namespace: NamespaceId, epoch: int) -> OwnLine:
        return OwnLine(self._store, self._key, await self._store.decoded_opening(namespace, epoch))

    async def _told(self, message: Any, tip: Tip) -> Tip:
        if self._mood == "wrong-head":
            return Tip(tip.length, Digest(bytes(32)))
        if self._mood == "claims-more":
            return Tip(tip.length + 5, Digest(bytes(32)))
        if self._mood == "stands-still":
            opening: Opening = await self._store.decoded_opening(message.namespace, message.epoch)
            return start_of(opening)
        if self._mood == "refuses":
            raise Forged("journal-fork")
        return tip
