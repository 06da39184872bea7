"""A bucket filled quickly, by what puts leave behind: `python -m tests.bench.s3_filling --dir GATEWAY --objects N`.

A million puts over HTTP would take an hour, of which listing, restarting and memory know nothing. Here the gateway's
node is run by this process, from its own folder, and a thousand puts at a time are journaled through its writer: the
same changes, with versions of its naming and bytes really sealed, in entries that the real holders sign for. From
there on all is the node's own work: the catalog's rows, checkpoints, packs, releases. What is left out is the door,
the turn of each key, and the waiting of each client. Packing is waited for now and then: at the door's pace it keeps
up.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import trio
from blake3 import blake3

from node.app import start_node
from node.config import LogSection
from node.config_file import FILE_NAME, load
from node.first_error import first_error
from node.folder import NodeFolder
from node.host.real import real_host
from node.logs import configure
from node.vault.serving import Open
from node.vault.vault import Vault
from protocol.ids import Digest
from protocol.keys.sealing import seal_into, sealed_size
from protocol.namespace.changes import InlineRef, ObjectPut
from protocol.namespace.contents import Checksum, Metadata

BUCKET = "many"
SIZE_BYTES = 256
PUTS_PER_ENTRY = 1_000
APPENDS_AT_A_TIME = 2
PACKED_EVERY = 50_000
NOTED_EVERY = 50_000
# Keys are p/FOLDER/NAME, in no order; every so manieth is put a second time, in a bucket that keeps versions.
FOLDERS = 4_096
TWICE_EVERY = 10
_METADATA = (Metadata("content-type", "binary/octet-stream"),)


def key_of(number: int) -> str:
    """Spread over the whole space of keys: the worst case for the database."""
    name = hashlib.blake2b(b"name %d" % number, digest_size=16).hexdigest()
    return f"p/{int(name[:4], 16) % FOLDERS:03x}/{name[4:]}"


def data_of(number: int) -> bytes:
    """What the object says."""
    return hashlib.shake_128(b"data %d" % number).digest(SIZE_BYTES)


def puts(serving: Open, numbers: Iterable[int]) -> tuple[list[ObjectPut], list[bytes]]:
    """The changes of so many puts, and their sealed bytes."""
    changes: list[ObjectPut] = []
    sealed: list[bytes] = []
    rules, epoch, now_s = serving.put.rules(), serving.journal.next_position.epoch, int(time.time())
    at = 0
    for number in numbers:
        plain, key = data_of(number), serving.put.host.entropy.random_bytes(32)
        box = bytearray(sealed_size(len(plain)))
        seal_into(key, plain, memoryview(box))
        change = ObjectPut(
            bucket=BUCKET,
            key=key_of(number),
            version=serving.put.versions.next(epoch),
            size_bytes=len(plain),
            digest=Digest(blake3(plain).digest()),
            modified_s=now_s,
            data_class=rules.data_class.name,
            inline=InlineRef(at, len(box), key),
            etag=hashlib.md5(plain).hexdigest(),
            metadata=_METADATA,
            checksums=(Checksum("CRC32", crc32(plain).to_bytes(4, "big")),),
        )
        changes.append(change)
        sealed.append(bytes(box))
        at += len(box)
    return changes, sealed


async def fill(vault: Vault, objects: int) -> None:
    """All objects, and the second versions of some."""
    with trio.fail_after(60):
        while not vault.shelf(None).is_written_here:  # noqa: ASYNC110 (nothing tells)
            await trio.sleep(0.1)
    serving = vault.shelf(None)._tools.writing()
    numbers = [*range(objects), *range(0, objects, TWICE_EVERY)]
    starts = iter(range(0, len(numbers), PUTS_PER_ENTRY))

    async def worker() -> None:
        for start in starts:
            changes, sealed = puts(serving, numbers[start : start + PUTS_PER_ENTRY])
            await serving.journal.append(changes, sealed)
            if start and not start % PACKED_EVERY:
                await serving.packer.pack_all()
            if not start % NOTED_EVERY:
                print(f"{start} puts", file=sys.stderr, flush=True)

    async with trio.open_nursery() as nursery:
        for _ in range(APPENDS_AT_A_TIME):
            nursery.start_soon(worker)
    await serving.packer.pack_all()


async def run(path: Path, objects: int) -> None:
    """The node, from its start to its end."""
    host = real_host(path)
    with first_error():
        async with host.lock(), trio.open_nursery() as nursery:
            services = await start_node(nursery, host, NodeFolder(host.disk, str(path)), load(path / FILE_NAME))
            await fill(services.vault, objects)
            await services.vault.sign_off()
            await services.mesh.goodbye()
            nursery.cancel_scope.cancel()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.s3_filling")
    parser.add_argument("--dir", type=Path, required=True, help="the folder of a gateway that is not running")
    parser.add_argument("--objects", type=int, required=True)
    options = parser.parse_args()
    configure(LogSection(level="warning"))
    trio.run(run, options.dir, options.objects)
    return 0


if __name__ == "__main__":
    sys.exit(main())
