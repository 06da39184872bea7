"""A scene for inventories: a real catalog, and holders that keep what the test says, or lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import trio

from node.vault.catalog.catalog import Catalog, CatalogTip
from node.vault.release.inventory import Inventory, InventoryTools
from node.vault.release.unnamed import Unnamed
from protocol.coding.label import Stamp
from protocol.errors import OverLimit, Unavailable
from protocol.ids import BlockId, Digest, NodeId
from protocol.keys.signing import SigningKey
from protocol.members import reconcile
from protocol.members.reconcile import Answers, Question, Trie
from protocol.namespace.changes import (
    BlockRef,
    BucketCreated,
    Change,
    Checkpoint,
)
from protocol.namespace.inventories import Part, StrayRelease, verify_stray_release
from protocol.requests import CompareBlocks, CompareBlocksReply
from sim.host.world import World
from tests.support.namespaces import some, tenant

NAMESPACE = tenant().root.namespace
WRITER = SigningKey.from_seed(some("writer"))
ME, HONEST, LIAR = (NodeId(some("member", number)) for number in range(3))
BUCKET = BucketCreated("photos", 1)

Answering = Callable[[CompareBlocks, Question], Answers]


def block(number: int) -> BlockId:
    return BlockId(some("stray", number))


@dataclass
class Scene:
    """A catalog, a journal of which all is applied, and holders with sets of blocks, or with a way of lying."""

    catalog: Catalog
    kept: dict[NodeId, set[BlockId]] = field(default_factory=dict)
    lies: dict[NodeId, Answering] = field(default_factory=dict)
    silent: set[NodeId] = field(default_factory=set)
    too_much: dict[NodeId, int] = field(default_factory=dict)
    meanwhile: Sequence[Change] = ()
    asked: Counter[NodeId] = field(default_factory=Counter)
    told: dict[NodeId, list[StrayRelease]] = field(default_factory=dict)
    unnamed: Unnamed = field(default_factory=Unnamed)
    me: NodeId = ME

    def inventory(self, tables: Sequence[BlockRef] = ()) -> Inventory:
        async def table_blocks(_checkpoint: Checkpoint) -> Sequence[BlockRef]:
            return tables

        me: Any = cast(Any, self)
        host = World(1).host("n1")
        return Inventory(
            InventoryTools(
                host=host,
                namespace=NAMESPACE,
                writer=WRITER,
                holders=me,
                journal=me,
                catalog=self.catalog,
                unnamed=self.unnamed,
                table_blocks=table_blocks,
                members=lambda: [ME, HONEST, LIAR],
                every_s=60.0,
            )
        )

    async def append(self, *changes: Change) -> None:
        epoch, length, _head = self.catalog.tip
        await self.catalog.apply([(CatalogTip(epoch, length + 1, Digest(some("head", length + 1))), changes)])

    def freed(self, node: NodeId) -> set[BlockId]:
        return {one for release in self.told.get(node, ()) for one in release.blocks}

    # --- the journal

    @property
    def next_position(self) -> Stamp:
        return Stamp(*self.catalog.tip[:2])

    # --- the holders

    def unreachable(self) -> frozenset[NodeId]:
        return frozenset()

    def name(self, node: NodeId) -> str:
        return node.hex()[:8]

    async def own_blocks(self, _namespace: object, part: Part, most: int) -> tuple[BlockId, ...]:
        return tuple(sorted(one for one in self.kept.get(ME, ()) if part.holds(one))[:most])

    async def compare(self, node: NodeId, asked: CompareBlocks) -> CompareBlocksReply:
        self.asked[node] += 1
        if node == HONEST and self.meanwhile:
            await self.append(*self.meanwhile)
            self.meanwhile = ()
        if node in self.silent:
            await trio.sleep(30)
            raise Unavailable("deadline")
        question = reconcile.decode_question(asked.message)
        there = {one for one in self.kept.get(node, ()) if asked.part.holds(one)}
        if len(there) > self.too_much.get(node, 10**6):
            raise OverLimit("inventory-part-size", limit=self.too_much[node])
        lie = self.lies.get(node)
        answers = reconcile.answer(Trie(question.salt, there), question) if lie is None else lie(asked, question)
        return CompareBlocksReply(reconcile.encode_answers(answers))

    async def release_strays(self, node: NodeId, release: StrayRelease) -> tuple[int, ...]:
        verify_stray_release(release, writer=WRITER.public, epoch=self.catalog.tip.epoch)
        self.told.setdefault(node, []).append(release)
        self.kept.get(node, set()).difference_update(release.blocks)
        return (0,) * len(release.blocks)


async def scene() -> Scene:
    host = World(1).host("n1")
    catalog = Catalog(host, NAMESPACE)
    await catalog.open()
    await catalog.enter(CatalogTip(1, 0, Digest(some("head"))))
    catalog.set_ready()
    made = Scene(catalog)
    await made.append(BUCKET)
    return made
