"""The questions about one epoch of a journal that are put to one of its holders.

This node may be a holder itself: its own disk is asked the same questions (`OwnLine`), so that whoever asks need not
tell the two apart. Answers are checked for their form only; whether to believe them is for whoever asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from node.logs import get_logger
from protocol import limits
from protocol.errors import Forged, MaillonError, Malformed, Missing, OverLimit
from protocol.ids import NamespaceId, NodeId, short_text_of
from protocol.namespace.journal import Opening, Tip, encode_opening
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
from protocol.succession.ballot import Ballot, Candidacy, encode_candidacy
from protocol.succession.proposal import Proposal, decode_proposal, encode_proposal
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
from protocol.succession.succession import Succession, decode_succession

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Buffer = bytes | bytearray | memoryview

READ_BYTES: Final = 2 * limits.MIB

log = get_logger(__name__)


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


@dataclass(frozen=True, slots=True)
class HeldTail:
    """How far a holder's copy goes. A fenced one has promised the epoch's end to somebody, or knows that it ended."""

    tip: Tip
    is_fenced: bool


@dataclass(frozen=True, slots=True)
class Promised:
    """A holder follows the ballot. Its copy goes so far, and it accepted this proposal before, if any."""

    tip: Tip
    accepted: Proposal | None


class HolderLine(Protocol):
    """What one holder can be asked about one epoch. Every question may raise what stood in the way."""

    @property
    def node(self) -> NodeId: ...

    async def prepare(self) -> None:
        """Keep the epoch's opening, which is not decided yet."""

    async def open(self, succession: bytes) -> None:
        """The opening was decided, here is the proof: take entries from now on."""

    async def tail(self) -> HeldTail | None:
        """How far does your copy go? None: no such epoch there, or no more."""

    async def append(self, first: int, entries: Sequence[bytes], under: Ballot | None = None) -> Tip:
        """Keep these entries; durable on return."""

    async def read(self, first: int) -> tuple[bytes, ...]:
        """Some encoded entries from `first` on, unchecked."""

    async def promise(self, candidacy: Candidacy) -> Promised:
        """Follow this ballot."""

    async def accept(self, proposal: Proposal) -> bytes:
        """Accept the proposal; the holder's signature under it, unchecked."""

    async def learn(self, succession: bytes) -> None:
        """The epoch ended."""

    async def successor(self) -> Succession | None:
        """The proof of what came after the epoch, verified, if the holder has one."""


class RemoteLine:
    """A line to another node."""

    def __init__(self, node: NodeId, opening: Opening, ask: Ask, deadline_s: float) -> None:
        self.node = node
        self._opening = opening
        self._ask = ask
        self._deadline_s = deadline_s

    async def prepare(self) -> None:
        await self._put(Kind.JOURNAL_PREPARE, JournalPrepare(encode_opening(self._opening)), Done)

    async def open(self, succession: bytes) -> None:
        await self._put(Kind.JOURNAL_OPEN, JournalOpen(encode_opening(self._opening), succession), Done)

    async def tail(self) -> HeldTail | None:
        question = JournalTail(self._opening.namespace, self._opening.epoch)
        try:
            reply = await self._put(Kind.JOURNAL_TAIL, question, JournalTailReply)
        except Missing as error:
            if error.identifier != "journal-epoch":
                raise
            return None
        return HeldTail(self._tip(reply), reply.is_fenced)

    async def append(self, first: int, entries: Sequence[bytes], under: Ballot | None = None) -> Tip:
        sizes = tuple(len(encoded) for encoded in entries)
        message = JournalAppend(self._opening.namespace, self._opening.epoch, first, sizes, under)
        return self._tip(await self._put(Kind.JOURNAL_APPEND, message, JournalTailReply, payload=entries))

    async def read(self, first: int) -> tuple[bytes, ...]:
        entries, _reply = await read_window(self._ask, self.node, self._opening, first, self._deadline_s)
        return entries

    async def promise(self, candidacy: Candidacy) -> Promised:
        question = SuccessionPromise(encode_candidacy(candidacy))
        reply = await self._put(Kind.SUCCESSION_PROMISE, question, PromiseReply)
        accepted = decode_proposal(reply.accepted) if reply.accepted else None
        return Promised(Tip(reply.length, reply.head), accepted)

    async def accept(self, proposal: Proposal) -> bytes:
        question = SuccessionAccept(encode_proposal(proposal))
        return (await self._put(Kind.SUCCESSION_ACCEPT, question, AcceptReply)).signature

    async def learn(self, succession: bytes) -> None:
        await self._put(Kind.SUCCESSION_LEARN, SuccessionLearn(succession), Done)

    async def successor(self) -> Succession | None:
        found = await newest_shown(
            self._ask, self.node, self._opening.namespace, self._opening.epoch + 1, self._deadline_s
        )
        return found if found is not None and _follows(self._opening, found) else None

    async def _put(self, kind: Kind, message: object, reply: type[T], payload: Sequence[Buffer] = ()) -> T:
        answer = await self._ask(self.node, kind, message, reply, deadline_s=self._deadline_s, payload=payload)
        return answer.message

    def _tip(self, reply: JournalTailReply) -> Tip:
        if reply.epoch != self._opening.epoch:
            raise Malformed("journal-answer", node=self.node)
        return Tip(reply.length, reply.head)


def _follows(opening: Opening, succession: Succession) -> bool:
    """Whether the epoch must be over if this was decided: its own end, or that of a later one, is proven."""
    return succession.decree.epoch > opening.epoch and succession.decree.generation >= opening.generation


async def newest_shown(
    ask: Ask, node: NodeId, namespace: NamespaceId, epoch_least: int, deadline_s: float
) -> Succession | None:
    """The succession that opened the newest epoch that the node knows of, verified, if it has one."""
    question = SuccessionAsk(namespace, epoch_least)
    answer: Answered[SuccessionAskReply] = await ask(
        node, Kind.SUCCESSION_ASK, question, SuccessionAskReply, deadline_s=deadline_s
    )
    if not answer.message.newest:
        return None
    succession = decode_succession(answer.message.newest)
    if succession.decree.namespace != namespace:
        raise Forged("journal-answer", node=node)
    return succession


async def read_window(
    ask: Ask, node: NodeId, opening: Opening, first: int, deadline_s: float
) -> tuple[tuple[bytes, ...], JournalReadReply]:
    """Some encoded entries of an epoch from `first` on, unchecked, and what came with them."""
    buffer = memoryview(bytearray(READ_BYTES))
    question = JournalRead(opening.namespace, opening.epoch, first, READ_BYTES)
    answer: Answered[JournalReadReply] = await ask(
        node, Kind.JOURNAL_READ, question, JournalReadReply, deadline_s=deadline_s, into=buffer
    )
    sizes = answer.message.sizes_bytes
    if sum(sizes) != answer.payload_bytes:
        raise Malformed("journal-answer", node=node)
    entries, offset = [], 0
    for size in sizes:
        entries.append(bytes(buffer[offset : offset + size]))
        offset += size
    return tuple(entries), answer.message


def note_problem(node: NodeId, error: MaillonError) -> None:
    """Name the holder in the log: as a liar when it answered what cannot be, otherwise as away."""
    about: dict[str, Any] = {"node": short_text_of(node), "error": error.identifier}
    if isinstance(error, Forged | Malformed | OverLimit):
        log.error("journal.holder-wrong", **about)
    else:
        log.warning("journal.holder-away", **about)
