"""Holders that keep shares in memory, and are slow, dead, full or lying when told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from node.store.shares import ShareFacts
from node.vault.holders import Checking, Sought
from protocol.coding.header import Header
from protocol.coding.label import Label, verify_share
from protocol.coding.ranges import LeafRun
from protocol.errors import Forged, MaillonError, Missing, Unavailable
from protocol.ids import BlockId, NodeId
from protocol.limits import LEAF_BYTES


@dataclass
class FakeHolders:
    """What `node.vault.holders.Holders` offers, over a dict."""

    me: NodeId
    down: set[NodeId] = field(default_factory=set)
    dead: set[NodeId] = field(default_factory=set)
    full: set[NodeId] = field(default_factory=set)
    liars: set[NodeId] = field(default_factory=set)
    found_out: set[NodeId] = field(default_factory=set)
    delay_s: dict[NodeId, float] = field(default_factory=dict)
    kept: dict[tuple[NodeId, BlockId, int], tuple[Label, bytes]] = field(default_factory=dict)
    asked: list[tuple[NodeId, int]] = field(default_factory=list)
    leaves: int = 0
    fetched: list[tuple[NodeId, int]] = field(default_factory=list)
    trips: list[tuple[NodeId, int]] = field(default_factory=list)

    def unreachable(self) -> frozenset[NodeId]:
        return frozenset(self.down)

    def accused(self) -> frozenset[NodeId]:
        return frozenset(self.found_out)

    def require_reachable(self, node: NodeId) -> None:
        if node in self.down:
            raise Unavailable("node-unreachable", node=node)

    def name(self, node: NodeId) -> str:
        return node.hex()[:8]

    async def put(self, node: NodeId, shares: Sequence[tuple[ShareFacts, memoryview]]) -> list[MaillonError | None]:
        self.trips.append((node, len(shares)))
        await self._reach(node)
        return [self._keep(node, facts, share) for facts, share in shares]

    def _keep(self, node: NodeId, facts: ShareFacts, share: memoryview) -> MaillonError | None:
        if node in self.full:
            return Unavailable("store-full", size_bytes=len(share))
        label, proof = facts.decoded_label(), facts.decoded_proof()
        verify_share(label.header, proof, share)
        assert label.placing[proof.index] == node
        self.kept[node, label.header.block_id, proof.index] = (label, bytes(share))
        return None

    async def get(self, node: NodeId, shares: Sequence[Sought], checking: Checking) -> list[Header | MaillonError]:
        self.asked += [(node, share.index) for share in shares]
        self.fetched.append((node, len(shares)))
        await self._reach(node)
        return [self._read(node, share, checking) for share in shares]

    def _read(self, node: NodeId, share: Sought, checking: Checking) -> Header | MaillonError:
        if (node, share.block, share.index) not in self.kept:
            return Missing("share-missing", block=share.block, index=share.index)
        label, kept = self.kept[node, share.block, share.index]
        share.into[:] = kept
        if node in self.liars:
            share.into[-1] ^= 1
            if checking is Checking.NOW:
                self.found_out.add(node)
                return Forged("share-leaf", index=share.index, leaf=0)
        return label.header

    async def get_leaves(self, node: NodeId, block: BlockId, run: LeafRun, into: memoryview) -> Header:
        self.asked.append((node, run.index))
        self.leaves += run.leaf_count
        await self._reach(node)
        if (node, block, run.index) not in self.kept:
            raise Missing("share-missing", block=block, index=run.index)
        label, share = self.kept[node, block, run.index]
        into[:] = share[run.first_leaf * LEAF_BYTES :][: run.size_bytes]
        if node in self.liars:
            into[-1] ^= 1
        return label.header

    async def _reach(self, node: NodeId) -> None:
        if node in self.down:
            raise Unavailable("node-unreachable", node=node)
        if node in self.dead:
            await trio.sleep_forever()
        await trio.sleep(self.delay_s.get(node, 0.001))
