"""This node's own disk as one of a journal's holders.

What a holder's server does for others (`node.mesh.serve_succession`), done for the candidate and the writer of this
very node: by the same rules, on the same store, so that this node promises, accepts and refuses like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from node.vault.journal.line import READ_BYTES, HeldTail, Promised
from protocol.errors import Missing
from protocol.ids import Digest, NamespaceId, NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.journal import Opening, Tip, encode_opening
from protocol.succession import acceptor
from protocol.succession.acceptor import AcceptorState
from protocol.succession.ballot import Ballot, Candidacy
from protocol.succession.proposal import Proposal
from protocol.succession.requests import HeldEpoch
from protocol.succession.succession import Succession, decode_succession, sign_acceptance

Buffer = bytes | bytearray | memoryview
R = TypeVar("R")


class Kept(Protocol):
    """An epoch as the store keeps it, while a rule looks at it."""

    @property
    def tip(self) -> Tip: ...

    @property
    def acceptor(self) -> AcceptorState: ...

    def head_at(self, length: int) -> Digest | None: ...


Rule = Callable[[Kept], tuple[AcceptorState, R]]


class LocalJournal(Protocol):
    """What the writing side needs of the node's journal store (`node.store.journals`)."""

    async def prepare(self, opening: bytes) -> None: ...

    async def open(self, opening: bytes, succession: bytes = b"") -> None: ...

    async def copy(self, opening: bytes, succession: bytes, first: int, entries: Sequence[Buffer]) -> Tip: ...

    async def append(
        self,
        namespace: NamespaceId,
        epoch: int,
        first: int,
        entries: Sequence[Buffer],
        under: Ballot | None = None,
    ) -> Tip: ...

    async def tail(self, namespace: NamespaceId, epoch: int) -> Tip: ...

    async def read(
        self, namespace: NamespaceId, epoch: int, first: int, size_bytes_max: int
    ) -> tuple[bytes, ...]: ...

    async def opening(self, namespace: NamespaceId, epoch: int) -> bytes: ...

    async def succession(self, namespace: NamespaceId, epoch: int) -> bytes: ...

    async def held(self, namespace: NamespaceId) -> tuple[HeldEpoch, ...]: ...

    async def decide(self, namespace: NamespaceId, epoch: int, rule: Rule[R]) -> R: ...

    async def release_below(self, namespace: NamespaceId, below: int) -> None: ...


class OwnLine:
    """The line to our own disk."""

    def __init__(self, local: LocalJournal, node_key: SigningKey, opening: Opening) -> None:
        self.node = NodeId(node_key.public)
        self._local = local
        self._node_key = node_key
        self._opening = opening

    async def prepare(self) -> None:
        await self._local.prepare(encode_opening(self._opening))

    async def open(self, succession: bytes) -> None:
        await self._local.open(encode_opening(self._opening), succession)

    async def tail(self) -> HeldTail | None:
        return await own_tail(self._local, self._opening)

    async def append(self, first: int, entries: Sequence[bytes], under: Ballot | None = None) -> Tip:
        return await self._local.append(self._opening.namespace, self._opening.epoch, first, entries, under)

    async def read(self, first: int) -> tuple[bytes, ...]:
        return await self._local.read(self._opening.namespace, self._opening.epoch, first, READ_BYTES)

    async def promise(self, candidacy: Candidacy) -> Promised:
        def rule(kept: Kept) -> tuple[AcceptorState, Promised]:
            state = acceptor.promise(kept.acceptor, candidacy)
            return state, Promised(kept.tip, state.accepted)

        return await self._decide(rule)

    async def accept(self, proposal: Proposal) -> bytes:
        def rule(kept: Kept) -> tuple[AcceptorState, None]:
            return acceptor.accept(kept.acceptor, proposal, kept.head_at), None

        await self._decide(rule)
        return sign_acceptance(self._node_key, proposal)

    async def learn(self, succession: bytes) -> None:
        proof = decode_succession(succession)
        await self._decide(lambda kept: (acceptor.learn(kept.acceptor, proof), None))

    async def successor(self) -> Succession | None:
        return await self._decide(lambda kept: (kept.acceptor, kept.acceptor.successor))

    async def _decide(self, rule: Rule[R]) -> R:
        return await self._local.decide(self._opening.namespace, self._opening.epoch, rule)


async def own_tail(local: LocalJournal, opening: Opening) -> HeldTail | None:
    """How far our own copy of the epoch goes; None when there is none, or no more."""
    try:
        return await local.decide(opening.namespace, opening.epoch, _look)
    except Missing as error:
        if error.identifier != "journal-epoch":
            raise
        return None


def _look(kept: Kept) -> tuple[AcceptorState, HeldTail]:
    """Nothing changes."""
    return kept.acceptor, HeldTail(kept.tip, kept.acceptor.is_fenced)
