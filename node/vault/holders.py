"""The holders as the vault sees them: put a share there, get a share from there, whoever "there" is.

This node is a holder like the others, only nearer: its own store answers without the network. What comes from
elsewhere is checked against the block's id, so a holder can refuse or be silent but not deceive; one that sends wrong
bytes is named in the log. A reader that opens the block with its key anyway may leave the share's bytes to the seal:
when that breaks, everything is asked for again and checked, which finds the liar. Shares may travel outside TLS
(they are sealed already): bytes that do not match are asked for once more inside it, as the network may be the liar.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from node.host.ports import Threads
from node.logs import get_logger
from node.mesh.peering import Peering
from node.net.failures import RemoteError
from node.store.shares import ShareFacts, ShareKey
from node.store.store import Store
from node.vault.share_lanes import Fetch, Fetched, Parcel, ShareLanes
from protocol.coding.header import Header
from protocol.coding.label import Label, ShareProof, verify_share
from protocol.coding.ranges import LeafRun
from protocol.errors import Forged, MaillonError, Malformed, OverLimit, Unavailable
from protocol.ids import BlockId, NamespaceId, NodeId
from protocol.namespace.inventories import Part, StrayRelease, encode_stray_release
from protocol.namespace.releases import BlockRelease, encode_release
from protocol.requests import (
    CompareBlocks,
    CompareBlocksReply,
    GetShare,
    Kind,
    PutShare,
    ReleaseReply,
    ReleaseShares,
    ReleaseStrays,
    ShareReply,
)
from protocol.wire import schema
from protocol.wire.envelopes import Carriage

log = get_logger(__name__)

# A share that is to be kept: what travels with it, and its bytes.
Consigned = tuple[ShareFacts, memoryview]

# What an answer can be that is not the share: wrong bytes, no message at all, or more than was asked for.
_WRONG = (Forged, Malformed, OverLimit)


# For how long a holder that sent wrong bytes is asked last.
ACCUSED_S = 600.0


class Checking(enum.Enum):
    """Whether the bytes of a share are checked when they arrive, or by the seal when the block is opened."""

    NOW = "now"
    BY_SEAL = "by seal"


@dataclass(frozen=True, slots=True)
class Sought:
    """Share `index` of a block, and room for its bytes, of exactly the share's size."""

    block: BlockId
    index: int
    into: memoryview


class Holders:
    """Shares to and from any node, this one included."""

    def __init__(self, *, mesh: Peering, store: Store, threads: Threads, bulk: Carriage, deadline_s: float) -> None:
        self._mesh = mesh
        self._store = store
        self._threads = threads
        self._bulk = bulk
        self._deadline_s = deadline_s
        self._accused: dict[NodeId, float] = {}
        self._lanes = ShareLanes(mesh, deadline_s=deadline_s)

    @property
    def me(self) -> NodeId:
        """This node."""
        return self._mesh.me

    def unreachable(self) -> frozenset[NodeId]:
        """Members that do not answer now, as far as this node knows."""
        live = self._mesh.live()
        return frozenset(facts.node for facts in self._mesh.view.nodes() if facts.node not in live)

    def accused(self) -> frozenset[NodeId]:
        """Holders that sent wrong bytes a short while ago: they are asked last."""
        now = trio.current_time()
        return frozenset(node for node, until in self._accused.items() if until > now)

    def require_reachable(self, node: NodeId) -> None:
        """Raise Unavailable(`node-unreachable`) for a member that is known not to answer."""
        if node not in self._mesh.live():
            raise Unavailable("node-unreachable", node=node)

    def name(self, node: NodeId) -> str:
        """What people call the node."""
        facts = self._mesh.view.node(node)
        return facts.name if facts is not None else node.hex()[:10]

    async def put(self, node: NodeId, shares: Sequence[Consigned]) -> Sequence[MaillonError | None]:
        """For each share None once it is durable at `node`, or what stood in its way. Raises what all met."""
        if node == self.me:
            return await self._store.put_several(shares)
        parcels = [Parcel(PutShare(label=facts.label, proof=facts.proof), share) for facts, share in shares]
        outcomes = await self._put_over(self._bulk, node, parcels)
        if self._bulk is Carriage.SECURE:
            return outcomes
        spoilt = [number for number, error in enumerate(outcomes) if error and _spoilt_on_the_way(error)]
        if spoilt:
            reason = str(outcomes[spoilt[0]])
            log.warning("holders.plain-corrupted", node=self.name(node), direction="put", error=reason)
            again = await self._put_over(Carriage.SECURE, node, [parcels[number] for number in spoilt])
            for number, error in zip(spoilt, again, strict=True):
                outcomes[number] = error
        return outcomes

    async def _put_over(
        self, carriage: Carriage, node: NodeId, parcels: Sequence[Parcel]
    ) -> list[MaillonError | None]:
        outcomes = await self._lanes.put(node, carriage, parcels)
        return [outcome if isinstance(outcome, MaillonError) else None for outcome in outcomes]

    async def get(
        self, node: NodeId, shares: Sequence[Sought], checking: Checking
    ) -> Sequence[Header | MaillonError]:
        """Fetch shares into their buffers. For each its block's header, which is always checked, or what stood in
        its way: Forged, Malformed or OverLimit where the holder sent what does not belong to the block."""
        if node == self.me:
            return await self._get_own(shares, checking)
        found = await self._get_over(self._bulk, node, shares, checking)
        if self._bulk is not Carriage.SECURE:
            spoilt = [number for number, one in enumerate(found) if _spoilt_by_somebody(one)]
            if spoilt:
                log.warning("holders.plain-corrupted", node=self.name(node), direction="get")
                again = await self._get_over(Carriage.SECURE, node, [shares[number] for number in spoilt], checking)
                for number, one in zip(spoilt, again, strict=True):
                    found[number] = one
        for share, one in zip(shares, found, strict=True):
            if isinstance(one, _WRONG):
                self._accuse(node, share.block, one)
        return found

    async def _get_own(self, shares: Sequence[Sought], checking: Checking) -> list[Header | MaillonError]:
        by_seal = checking is Checking.BY_SEAL
        wanted = [(ShareKey(share.block, share.index), share.into) for share in shares]
        found = await self._store.read_into(wanted, check_leaves=not by_seal)
        return [
            one if isinstance(one, MaillonError) else _header_of(one.label, share, len(share.into))
            for share, one in zip(shares, found, strict=True)
        ]

    async def _get_over(
        self, carriage: Carriage, node: NodeId, shares: Sequence[Sought], checking: Checking
    ) -> list[Header | MaillonError]:
        fetches = [Fetch(GetShare(share.block, share.index, 0, 0), share.into) for share in shares]
        fetched = await self._lanes.get(node, carriage, fetches)
        if checking is Checking.BY_SEAL:
            return [_headed(share, one) for share, one in zip(shares, fetched, strict=True)]
        return await self._threads.run_blocking(_checked, shares, fetched)

    async def get_leaves(self, node: NodeId, block: BlockId, run: LeafRun, into: memoryview) -> Header:
        """Fetch some leaves of a share into the buffer (of their size); the block's header, which is always checked.

        Whether the bytes are the block's is left to its seal.
        """
        if node == self.me:
            stored = await self._store.get_share(
                block, run.index, first_leaf=run.first_leaf, leaf_count=run.leaf_count
            )
            header = schema.decode(Label, stored.facts.label).header
            _require_part(header, block, len(into), stored.data.nbytes)
            into[:] = stored.data
            stored.release()
            return header
        question = GetShare(block=block, index=run.index, first_leaf=run.first_leaf, leaf_count=run.leaf_count)
        (fetched,) = await self._lanes.get(node, self._bulk, [Fetch(question, into)])
        if isinstance(fetched, MaillonError):
            raise fetched
        header = schema.decode(Label, fetched.reply.label).header
        _require_part(header, block, len(into), fetched.size_bytes)
        return header

    async def release(self, node: NodeId, release: BlockRelease) -> tuple[int, ...]:
        """For each block of the release, 0 once nothing of it is at `node`, or until when it must stay there."""
        if node == self.me:
            return await self._store.release(release.namespace, release.blocks)
        question = ReleaseShares(encode_release(release))
        answer = await self._mesh.ask(node, Kind.RELEASE_SHARES, question, ReleaseReply, deadline_s=self._deadline_s)
        return _for_each(release.blocks, answer.message)

    async def compare(self, node: NodeId, question: CompareBlocks) -> CompareBlocksReply:
        """One round of comparing the blocks that another node keeps for a namespace."""
        deadline_s = self._deadline_s
        answer = await self._mesh.ask(node, Kind.COMPARE_BLOCKS, question, CompareBlocksReply, deadline_s=deadline_s)
        return answer.message

    async def own_blocks(self, namespace: NamespaceId, part: Part, most: int) -> tuple[BlockId, ...]:
        """The blocks of the part that this node keeps shares of for a namespace."""
        return await self._store.blocks_of(namespace, part.first(), part.last(), most)

    async def release_strays(self, node: NodeId, release: StrayRelease) -> tuple[int, ...]:
        """As `release`, for shares stamped before the horizon."""
        if node == self.me:
            return await self._store.release(release.namespace, release.blocks, horizon=release.horizon)
        question = ReleaseStrays(encode_stray_release(release))
        answer = await self._mesh.ask(node, Kind.RELEASE_STRAYS, question, ReleaseReply, deadline_s=self._deadline_s)
        return _for_each(release.blocks, answer.message)

    def _accuse(self, node: NodeId, block: BlockId, error: MaillonError) -> None:
        if isinstance(error, RemoteError):
            return  # It said that it cannot; that is no lie.
        self._accused[node] = trio.current_time() + ACCUSED_S
        log.warning(
            "holders.wrong-bytes", node=self.name(node), node_id=node.hex(), block=block.hex(), error=str(error)
        )


def _for_each(blocks: Sequence[BlockId], reply: ReleaseReply) -> tuple[int, ...]:
    """What the holder says of each block. Raises Malformed(`answer-items`)."""
    if len(reply.kept_until_s) != len(blocks):
        raise Malformed("answer-items", found=len(reply.kept_until_s), expected=len(blocks))
    return reply.kept_until_s


def _spoilt_on_the_way(error: MaillonError) -> bool:
    """Of a share that was sent: perhaps the plain stream is at fault."""
    return isinstance(error, Forged | Unavailable) and _blames_the_network(error)


def _blames_the_network(error: MaillonError) -> bool:
    """Whether the plain stream may be at fault: then the same is asked once more inside TLS, and nobody accused."""
    return isinstance(error, Forged) or error.identifier == "bulk-lost"


def _spoilt_by_somebody(found: Header | MaillonError) -> bool:
    """Of a share that was asked for: wrong, or lost with the plain stream."""
    return isinstance(found, _WRONG) or (isinstance(found, Unavailable) and _blames_the_network(found))


def _checked(shares: Sequence[Sought], fetched: Sequence[Fetched | MaillonError]) -> list[Header | MaillonError]:
    """The headers of the shares whose proofs and bytes are those of the block. Blocking."""
    found: list[Header | MaillonError] = []
    for share, one in zip(shares, fetched, strict=True):
        header = _headed(share, one)
        if isinstance(header, Header) and isinstance(one, Fetched):
            try:
                _check(header, one.reply, share.index, share.into)
            except _WRONG as error:
                header = error
        found.append(header)
    return found


def _headed(share: Sought, fetched: Fetched | MaillonError) -> Header | MaillonError:
    if isinstance(fetched, MaillonError):
        return fetched
    return _header_of(fetched.reply.label, share, fetched.size_bytes)


def _header_of(label: bytes, share: Sought, received_bytes: int) -> Header | MaillonError:
    """The header in an encoded label, or why this is not the share."""
    try:
        header = schema.decode(Label, label).header
        _require(header, share.block, len(share.into), received_bytes)
    except _WRONG as error:
        return error
    return header


def _check(header: Header, reply: ShareReply, index: int, share: memoryview) -> None:
    """Return if proof and bytes are those of share `index` of the block. Blocking."""
    proof = schema.decode(ShareProof, reply.proof)
    if proof.index != index:
        raise Forged("share-index", block=header.block_id, index=index)
    verify_share(header, proof, share)


def _require(header: Header, block: BlockId, expected_bytes: int, received_bytes: int) -> None:
    _require_part(header, block, expected_bytes, received_bytes)
    if header.share_bytes != expected_bytes:
        raise Forged("share-size", block=block, size_bytes=received_bytes)


def _require_part(header: Header, block: BlockId, expected_bytes: int, received_bytes: int) -> None:
    if header.block_id != block:
        raise Forged("share-block", block=block)
    if received_bytes != expected_bytes:
        raise Forged("share-size", block=block, size_bytes=received_bytes)
