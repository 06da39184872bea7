"""A namespace of many small objects: what the catalog, its checkpoints and a recovery from them cost.

    python -m tests.bench.million --objects 1000000

Rows are made up, but they take the real way: every object is put and packed through the catalog, checkpoints are made
when they are due, pages are sealed and coded as blocks, and a recovery decodes and opens them again. What is left out
is the network and the journal's own entries. Each phase runs in a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from node.engine import find_engine
from node.host.real import real_host
from node.vault.catalog.catalog import Catalog, CatalogTip, catalog_path
from node.vault.checkpoint.checkpointer import Checkpointer, CheckpointTimes, CheckpointTools
from node.vault.checkpoint.loading import load_tables, tell_nobody
from node.vault.release.unnamed import Unnamed, Writing
from protocol.coding.block import Workspace, decode_block, encode_block, open_block
from protocol.coding.erasure import Engine
from protocol.coding.header import Header
from protocol.coding.label import Stamp
from protocol.ids import BlockId, Digest, NamespaceId, NodeId
from protocol.namespace.changes import (
    BlockRef,
    BucketCreated,
    Change,
    Checkpoint,
    InlineRef,
    ObjectPut,
    ObjectsPacked,
    PackedObject,
)
from protocol.wire import schema

K, N = 4, 6
OBJECT_BYTES = 4_096
SEALED_BYTES = OBJECT_BYTES + 16
PUTS_PER_ENTRY = 16
NOTED_EVERY = 100_000
OBJECTS_PER_PACK = 1_000
NAMESPACE = NamespaceId(bytes(32))
NODES = tuple(NodeId(bytes([number]) * 32) for number in range(N))
# A put may cost 2,000 µs (500 puts a second); a fifth of that is what a full catalog may add.
FLOORS = {"restart_s": 5.0, "recovery_s": 120.0, "memory_mb": 300.0, "slower_by_us_per_put": 400.0}


class ShareFolder:
    """`TableBlocks` in a folder: really sealed and coded. Counts what would have gone over the network."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self._engine = engine
        self.sent_bytes = 0
        self.received_bytes = 0
        self.fetched = 0

    async def store(self, plain: bytes, writing: Writing) -> BlockRef:
        return await trio.to_thread.run_sync(self._store, plain)

    async def fetch(self, reference: BlockRef) -> bytes:
        return await trio.to_thread.run_sync(self._fetch, reference)

    def _store(self, plain: bytes) -> BlockRef:
        key = made_up("table key", self.sent_bytes)
        encoded = encode_block(
            self._engine,
            plain=plain,
            key=key,
            k=K,
            n=N,
            data_class="internal",
            namespace=NAMESPACE,
            workspace=Workspace(K, N),
        )
        block = encoded.header.block_id
        (self._folder / block.hex()).write_bytes(b"".join(encoded.shares[:K]))
        (self._folder / f"{block.hex()}.header").write_bytes(schema.encode(encoded.header))
        self.sent_bytes += sum(map(len, encoded.shares))
        return BlockRef(block, key, len(plain), K, N, NODES, 0)

    def _fetch(self, reference: BlockRef) -> bytes:
        header = schema.decode(Header, (self._folder / f"{reference.block.hex()}.header").read_bytes())
        stored = memoryview((self._folder / reference.block.hex()).read_bytes())
        size_bytes = len(stored) // K
        present = [(index, stored[index * size_bytes : (index + 1) * size_bytes]) for index in range(K)]
        sealed = decode_block(self._engine, header, present, Workspace(K, N))
        self.received_bytes += len(stored)
        self.fetched += 1
        return bytes(open_block(reference.key, header, sealed, memoryview(bytearray(reference.size_bytes))))


class Epochs:
    """`EpochKeeper` that keeps nothing but the newest checkpoint, in a file."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._file = folder / "checkpoint"
        self.replaced_bytes = 0

    async def begin(self) -> None:
        epoch = self._catalog.tip.epoch + 1
        await self._catalog.enter(CatalogTip(epoch, 0, head(epoch, 0)))

    async def append(self, changes: Sequence[Change]) -> None:
        await self.append_all([changes])

    async def append_all(self, entries: Sequence[Sequence[Change]]) -> None:
        """Entries that were acknowledged together, as the journal's writer applies them."""
        epoch, length, _head = self._catalog.tip
        tips = (CatalogTip(epoch, at, head(epoch, at)) for at in range(length + 1, length + 1 + len(entries)))
        await self._catalog.apply(list(zip(tips, entries, strict=True)))

    async def roll_over(self, first: Sequence[Change] = ()) -> None:
        await self.begin()
        await self.append(first)
        self._file.write_bytes(b"".join(schema.encode(change) for change in first[:1]))

    async def release_journals(self, below: int) -> None:
        """There are none."""


async def fill(folder: Path, objects: int) -> dict[str, float]:
    """Put and pack all objects, with checkpoints when they are due."""
    host = real_host(folder)
    catalog, blocks = Catalog(host, NAMESPACE), ShareFolder(folder, find_engine())
    epochs = Epochs(catalog, folder)
    await catalog.open()
    await epochs.begin()
    catalog.set_ready()
    await epochs.append([BucketCreated("photos", 1)])
    tools = CheckpointTools(
        host=host,
        catalog=catalog,
        blocks=blocks,
        epochs=epochs,
        unnamed=Unnamed(),
        position=lambda: Stamp(*catalog.tip[:2]),
        pack_all=nothing,
        times=CheckpointTimes(),
    )
    checkpointer = Checkpointer(tools)
    putting_s: list[float] = []  # of the processor: the machine may have other things to do
    checkpoints, pausing_s = 0, 0.0
    for first in range(0, objects, OBJECTS_PER_PACK):
        began = time.process_time()
        await epochs.append_all(list(entries(first, min(OBJECTS_PER_PACK, objects - first))))
        putting_s.append(time.process_time() - began)
        if not first % NOTED_EVERY:
            print(f"{first} objects", file=sys.stderr, flush=True)
        if await checkpointer.is_due():
            began = time.perf_counter()
            await checkpointer.make()
            checkpoints, pausing_s = checkpoints + 1, pausing_s + time.perf_counter() - began
    await checkpointer.make()
    await catalog.close()
    tenth = max(1, len(putting_s) // 10)
    first_us, last_us = (
        1e6 * sum(some) / tenth / OBJECTS_PER_PACK for some in (putting_s[:tenth], putting_s[-tenth:])
    )
    moved_bytes = blocks.sent_bytes + blocks.received_bytes
    return {
        "catalog_us_per_put_first_tenth": first_us,
        "catalog_us_per_put_last_tenth": last_us,
        "slower_by_us_per_put": last_us - first_us,
        "checkpoints": checkpoints + 1,
        "checkpoints_s": pausing_s,
        "traffic_bytes_per_object": moved_bytes / objects,
        "traffic_allowed_bytes_per_object": 0.05 * OBJECT_BYTES + 400,
        "catalog_mb": size_of(folder / catalog_path(NAMESPACE)) / 1e6,
    }


async def restart(folder: Path, objects: int) -> dict[str, float]:
    """Open the catalog that is there, and read from it."""
    catalog = Catalog(real_host(folder), NAMESPACE)
    began = time.perf_counter()
    await catalog.open()
    catalog.set_ready()
    found = await catalog.totals()
    restart_s = time.perf_counter() - began
    assert found.objects == objects
    began = time.perf_counter()
    count = min(2_000, objects)
    for number in range(count):
        await catalog.whole("photos", key_of(number * 7_919 % objects))
    reads_s = time.perf_counter() - began
    began = time.perf_counter()
    listed = await catalog.list("photos", start_after=key_of(objects // 2), limit=1_000)
    listing_s = time.perf_counter() - began
    await catalog.close()
    return {"restart_s": restart_s, "reads_per_s": count / reads_s, "listed_per_s": len(listed) / listing_s}


async def recover(folder: Path, objects: int) -> dict[str, float]:
    """Fill an empty catalog from the newest checkpoint's tables."""
    checkpoint = schema.decode(Checkpoint, (folder / "checkpoint").read_bytes())
    blocks = ShareFolder(folder, find_engine())
    with TemporaryDirectory(dir=folder) as empty:
        catalog = Catalog(real_host(Path(empty)), NAMESPACE)
        began = time.perf_counter()
        await catalog.open()
        await load_tables(real_host(Path(empty)), catalog, blocks.fetch, checkpoint, frozenset(), tell_nobody)
        catalog.set_ready()
        found = await catalog.totals()
        recovery_s = time.perf_counter() - began
        assert found.objects == objects
        await catalog.whole("photos", key_of(objects - 1))
        await catalog.close()
    return {"recovery_s": recovery_s, "blocks": blocks.fetched, "read_mb": blocks.received_bytes / 1e6}


def entries(first: int, count: int) -> Iterator[list[Change]]:
    """Puts of so many objects, group by group, and the pack that they go into."""
    numbers = range(first, first + count)
    for at in range(0, count, PUTS_PER_ENTRY):
        yield [put(number) for number in numbers[at : at + PUTS_PER_ENTRY]]
    block = BlockId(made_up("pack", first))
    pack = BlockRef(block, made_up("pack key", first), count * SEALED_BYTES, K, N, NODES, 0)
    packed = tuple(
        PackedObject("photos", key_of(number), made_up("version", number)[:16], at * SEALED_BYTES, SEALED_BYTES)
        for at, number in enumerate(numbers)
    )
    yield [ObjectsPacked(pack, packed)]


def put(number: int) -> ObjectPut:
    return ObjectPut(
        bucket="photos",
        key=key_of(number),
        version=made_up("version", number)[:16],
        size_bytes=OBJECT_BYTES,
        digest=Digest(made_up("digest", number)),
        modified_s=1_700_000_000 + number // 100,
        data_class="internal",
        inline=InlineRef(0, SEALED_BYTES, made_up("key", number)),
    )


def key_of(number: int) -> str:
    """Spread over the whole space of keys: the worst case for merging, and for the database."""
    return f"{made_up('name', number).hex()[:24]}.jpg"


def made_up(tag: str, number: int) -> bytes:
    return hashlib.blake2b(b"%s %d" % (tag.encode(), number), digest_size=32).digest()


def head(epoch: int, length: int) -> Digest:
    return Digest(made_up(f"head {epoch}", length))


async def nothing() -> None:
    """Everything is packed already."""
    await trio.lowlevel.checkpoint()


def size_of(file: Path) -> int:
    return file.stat().st_size


PHASES = {"fill": fill, "restart": restart, "recover": recover}


def main() -> int:
    """Run all phases; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.million")
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--phase", choices=PHASES)
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    if options.phase is not None:
        figures = trio.run(PHASES[options.phase], options.dir, options.objects)
        figures["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
        print(json.dumps(figures))
        return 0
    missed: list[str] = []
    with TemporaryDirectory(prefix="maillon-million-") as folder:
        for phase in PHASES:
            command = (sys.executable, "-m", "tests.bench.million", "--phase", phase, "--dir", folder)
            done = subprocess.run((*command, "--objects", str(options.objects)), check=True, stdout=subprocess.PIPE)
            figures = json.loads(done.stdout.splitlines()[-1])
            print(phase, json.dumps({name: round(figure, 3) for name, figure in figures.items()}, indent=2))
            missed += [f"{phase}: {name}" for name, figure in figures.items() if is_missed(name, figure, figures)]
    print("missed:", ", ".join(missed) or "nothing")
    return 1 if missed else 0


def is_missed(name: str, figure: float, figures: dict[str, float]) -> bool:
    """Whether a figure is beyond its bound."""
    if name == "traffic_bytes_per_object":
        return figure > figures["traffic_allowed_bytes_per_object"]
    return name in FLOORS and figure > FLOORS[name]


if __name__ == "__main__":
    sys.exit(main())
