"""Checkpoints without a network: blocks in memory, and epochs that only the catalog hears of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from node.host.ports import Host
from node.vault.catalog.catalog import Catalog, CatalogTip
from node.vault.checkpoint.blocks import TableBlocks
from node.vault.checkpoint.checkpointer import Checkpointer, CheckpointTimes, CheckpointTools
from node.vault.checkpoint.loading import load_tables, tell_nobody
from node.vault.release.unnamed import Unnamed, Writing
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, Unavailable
from protocol.ids import BlockId, Digest, NamespaceId
from protocol.namespace.changes import BlockRef, BucketCreated, Change, Checkpoint
from protocol.tables.manifest import Manifest, decode_manifest
from protocol.tables.page import decode_page
from sim.host.world import World
from tests.support.namespaces import block_ref, node, object_put, some, tenant


class MemoryBlocks:
    """`TableBlocks` over a dict. What is not there cannot be read."""

    def __init__(self) -> None:
        self.kept: dict[BlockId, bytes] = {}
        self.fetched: list[BlockId] = []
        self.fails: MaillonError | None = None
        self.meanwhile: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint

    @property
    def kept_bytes(self) -> int:
        return sum(map(len, self.kept.values()))

    async def store(self, plain: bytes, writing: Writing) -> BlockRef:
        await self.meanwhile()
        if self.fails is not None:
            raise self.fails
        number = len(self.kept)
        block = BlockId(some("table block", number))
        writing.spreads([block], [node(1), node(2), node(3)])
        self.kept[block] = bytes(plain)
        return BlockRef(block, some("table key", number), len(plain), 1, 3, (node(1), node(2), node(3)), 0)

    async def fetch(self, reference: BlockRef) -> bytes:
        await trio.lowlevel.checkpoint()
        self.fetched.append(reference.block)
        if reference.block not in self.kept:
            raise Unavailable("block-unreadable", block=reference.block)
        return self.kept[reference.block]


@dataclass(slots=True)
class MemoryEpochs:
    """One history: entries are in the catalog as soon as they are appended. `entries` outlive the catalog."""

    catalog: Catalog
    entries: dict[int, list[Sequence[Change]]] = field(default_factory=dict)
    released_below: int = 0
    fails: MaillonError | None = None

    @property
    def epoch(self) -> int:
        return max(self.entries, default=0)

    async def begin(self) -> None:
        """The next epoch."""
        self.entries[self.epoch + 1] = []
        await self.catalog.enter(tip_of(self.epoch, 0))

    async def append(self, changes: Sequence[Change]) -> None:
        written = self.entries[self.epoch]
        written.append(tuple(changes))
        await self.catalog.apply([(tip_of(self.epoch, len(written)), changes)])

    async def roll_over(self, first: Sequence[Change] = ()) -> None:
        if self.fails is not None:
            raise self.fails
        await self.begin()
        await self.append(first)

    async def release_journals(self, below: int) -> None:
        self.released_below = below

    def newest_checkpoint(self) -> Checkpoint | None:
        """As a history walk finds it: the first change of the newest epoch that begins with one."""
        for epoch in sorted(self.entries, reverse=True):
            first = self.entries[epoch][:1]
            if first and first[0] and isinstance(first[0][0], Checkpoint):
                return first[0][0]
        return None

    async def fill(self, catalog: Catalog, host: Host, blocks: TableBlocks) -> None:
        """Bring any catalog up to date: from tables if it knows less than the newest checkpoint, then by replay."""
        await catalog.open()
        checkpoint = self.newest_checkpoint()
        if checkpoint and catalog.tip[:2] < (checkpoint.covers_epoch, checkpoint.covers_length):
            await load_tables(host, catalog, blocks.fetch, checkpoint, frozenset(), tell_nobody)
        for epoch in range(max(1, catalog.tip.epoch), self.epoch + 1):
            assert epoch >= self.released_below, "the entries are gone"
            if catalog.tip.epoch < epoch:
                await catalog.enter(tip_of(epoch, 0))
            written = self.entries[epoch]
            first = catalog.tip.length
            await catalog.apply(
                [(tip_of(epoch, number + 1), written[number]) for number in range(first, len(written))]
            )
        catalog.set_ready()


class Bench:
    """A catalog with a checkpointer over blocks and epochs in memory."""

    def __init__(
        self, host: Host, namespace: NamespaceId, times: CheckpointTimes, *, before: Bench | None = None
    ) -> None:
        self.host = host
        self.namespace = namespace
        self.blocks = MemoryBlocks() if before is None else before.blocks
        self.catalog = Catalog(host, namespace)
        self.epochs = MemoryEpochs(self.catalog, {} if before is None else before.epochs.entries)
        self.packed = 0
        self.unnamed = Unnamed()
        tools = CheckpointTools(
            host=host,
            catalog=self.catalog,
            blocks=self.blocks,
            epochs=self.epochs,
            unnamed=self.unnamed,
            position=lambda: Stamp(*self.catalog.tip[:2]),
            pack_all=self._pack_all,
            times=times,
        )
        self.checkpointer = Checkpointer(tools)

    async def start(self) -> None:
        """Fill the catalog, and begin an epoch, as a gateway does."""
        await self.epochs.fill(self.catalog, self.host, self.blocks)
        await self.epochs.begin()

    async def put(self, changes: Sequence[Change], entries: int = 1) -> None:
        """The changes, spread over so many entries."""
        size = -(-len(changes) // entries) or 1
        for at in range(0, len(changes), size):
            await self.epochs.append(changes[at : at + size])

    async def _pack_all(self) -> None:
        await trio.lowlevel.checkpoint()
        self.packed += 1


def tip_of(epoch: int, length: int) -> CatalogTip:
    return CatalogTip(epoch, length, Digest(some(f"head of epoch {epoch}", length)))


async def rows_of(catalog: Catalog) -> dict[bytes, bytes]:
    """All rows."""
    return dict(await catalog.ask(lambda database: database.rows.scan(b"", b"\xff")))


NAMESPACE = tenant().root.namespace
TIMES = CheckpointTimes(look_s=5, after_s=3_600, settle_s=60, rows_most=100)
BUCKET = BucketCreated("photos", 7)


def fresh_host() -> Host:
    return World(seed=1).host("gateway")


async def staged(host: Host | None = None, *, before: Bench | None = None) -> Bench:
    stage = Bench(host or fresh_host(), NAMESPACE, TIMES, before=before)
    await stage.start()
    return stage


def puts(first: int, count: int) -> list[Change]:
    numbers = range(first, first + count)
    return [object_put("photos", f"k{number:05}", number, blocks=(block_ref(number),)) for number in numbers]


async def filled(stage: Bench, host: Host | None = None) -> Catalog:
    """Another catalog of the same history."""
    catalog = Catalog(host or fresh_host(), NAMESPACE)
    await stage.epochs.fill(catalog, stage.host, stage.blocks)
    return catalog


def manifest_of(stage: Bench) -> Manifest:
    assert stage.catalog.checkpoint is not None
    return decode_manifest(stage.blocks.kept[stage.catalog.checkpoint.manifest.block])


def keys_in_tables(stage: Bench) -> list[bytes]:
    blocks = [block.block for block in manifest_of(stage).blocks()]
    return [key for block in blocks for key, _value in decode_page(stage.blocks.kept[block])]
