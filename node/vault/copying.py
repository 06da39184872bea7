"""Copying an object, or a part of one, within a namespace: its blocks are shared, not written again.

The copy names the source's blocks, and the catalog counts who refers to each. The blocks are pinned from the look at
the source until the copy is journaled, so that they are not released meanwhile even if the source is deleted. Bytes
that are in no block of their own (small objects), or that begin or end in the middle of one, are read and written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from blake3 import blake3

from node.vault.catalog.catalog import StoredObject, StoredUpload
from node.vault.intake import PutTools
from node.vault.objects import Sink
from node.vault.pouring import pouring
from node.vault.put import BLOCKS_PER_PART, Content, Named, Naming, part_changes, put_object, put_part
from node.vault.read import ReadingTools, pieces_of, read_object, read_small
from node.vault.release.unnamed import Writing
from node.vault.shelf.terms import ByteRange, Finish, ObjectRef, PutTerms
from protocol.errors import Missing, Refused
from protocol.ids import Digest
from protocol.namespace.changes import VERSION_BYTES, BlockRef, PartPut

# A copied part has no MD5 that anybody knows: its etag is a digest of as many letters.
_ETAG_BYTES: Final = 16

Check = Callable[[StoredObject], None]


@dataclass(frozen=True, slots=True)
class CopyTools:
    """What copies within one namespace work with."""

    put: PutTools
    reading: ReadingTools


async def copy_object(
    tools: CopyTools,
    source: ObjectRef,
    check: Check,
    bucket: str,
    key: str,
    terms: Callable[[StoredObject], PutTerms],
) -> Named:
    """The key names what the source does, as of one moment; `check` may refuse the source, `terms` are for the copy.

    Raises:
        Missing: as a get, or `bucket-missing`. Refused: `object-is-marker`, and as a put. And what `check` raises.
    """
    stored, blocks = await _look(tools, source)
    check(stored)
    told = Finish(stored.etag, stored.checksums)

    async def finish() -> Finish:
        return told

    wanted = replace(terms(stored), finish=finish)
    if not stored.block_count:
        plain = await read_small(tools.reading, stored, blocks)
        return await put_object(tools.put, bucket, key, _Plain(plain), wanted, len(plain))
    pinned = tools.put.pins.hold(block.block for block in blocks)
    with pinned, tools.put.unnamed.writing(tools.put.journal.next_position) as writing:
        naming = Naming(tools.put, writing, bucket, key, wanted, stored.retain_until_s)
        content = Content(stored.size_bytes, stored.digest, stored.data_class, blocks, is_copy=True)
        if len(blocks) <= BLOCKS_PER_PART:
            return await naming.name(content, told)
        upload = tools.put.host.entropy.random_bytes(VERSION_BYTES)
        with tools.put.pins.hold([upload]):
            await _share_long(tools.put, writing, upload, stored.digest, blocks)
            return await naming.name(replace(content, blocks=(), is_copy=False, upload=upload), told)


async def copy_part(
    tools: CopyTools, upload: StoredUpload, number: int, source: ObjectRef, check: Check, part: ByteRange | None
) -> PartPut:
    """A part of a client's upload that is the source, or part of it; the last change that says so. `check` may refuse
    the source.

    Raises:
        Missing: as a get, or `upload-missing`. Refused: `object-is-marker`, `object-range`. And what `check` raises.
    """
    stored, blocks = await _look(tools, source)
    check(stored)
    wanted = part or ByteRange(0, stored.size_bytes)
    if not 0 <= wanted.first <= wanted.end <= stored.size_bytes:
        raise Refused("object-range", first=wanted.first, end=wanted.end, size_bytes=stored.size_bytes)
    told = Finish(_etag_of(stored, wanted))
    pieces = list(pieces_of(blocks, wanted))
    is_whole = all(piece.start == 0 and piece.stop == block.size_bytes for block, piece in pieces)
    with tools.put.pins.hold(block.block for block, _piece in pieces):
        if stored.block_count and is_whole:
            return await _share_part(tools.put, upload, number, [block for block, _piece in pieces], told)
        return await _write_part(tools, upload, number, stored, blocks, wanted, told)


async def _look(tools: CopyTools, source: ObjectRef) -> tuple[StoredObject, tuple[BlockRef, ...]]:
    stored, blocks = await tools.put.catalog.whole(source.bucket, source.key, source.version)
    if stored.is_marker:
        raise Refused("object-is-marker", bucket=source.bucket, key=source.key, version=stored.version)
    return stored, blocks


async def _share_long(
    tools: PutTools, writing: Writing, upload: bytes, digest: Digest, blocks: Sequence[BlockRef]
) -> None:
    """Journal the blocks as parts of an upload of our own: no entry grows with the object."""
    for number, start in enumerate(range(0, len(blocks), BLOCKS_PER_PART)):
        some = tuple(blocks[start : start + BLOCKS_PER_PART])
        size_bytes = sum(block.size_bytes for block in some)
        part = PartPut(upload, number, size_bytes, digest, some, is_copy=True)
        await writing.journal(tools.journal, part, [block.block for block in some])


async def _share_part(
    tools: PutTools, upload: StoredUpload, number: int, blocks: Sequence[BlockRef], told: Finish
) -> PartPut:
    digest = Digest(blake3(b"".join(block.block for block in blocks)).digest())
    changes = part_changes(upload.upload, number, blocks, digest, told, tools.host.wall.now_s())
    pieces = [replace(piece, is_copy=True) for piece in changes]
    async with tools.turns.of(upload.bucket, upload.upload):
        if await tools.catalog.upload(upload.upload) is None:
            raise Missing("upload-missing", bucket=upload.bucket, key=upload.key)
        with tools.unnamed.writing(tools.journal.next_position) as writing:
            for piece in pieces:
                await writing.journal(tools.journal, piece, [block.block for block in piece.blocks])
    return pieces[-1]


async def _write_part(
    tools: CopyTools,
    upload: StoredUpload,
    number: int,
    stored: StoredObject,
    blocks: Sequence[BlockRef],
    wanted: ByteRange,
    told: Finish,
) -> PartPut:
    """Read the bytes and write them anew."""

    async def finish() -> Finish:
        return told

    async def pour(reading: ReadingTools, sink: Sink) -> None:
        await read_object(reading, stored, blocks, sink, wanted)

    async with pouring(tools.reading, pour) as source:
        return await put_part(tools.put, upload, number, source, finish, wanted.size_bytes)


def _etag_of(stored: StoredObject, part: ByteRange) -> str:
    place = part.first.to_bytes(8, "big") + part.end.to_bytes(8, "big")
    return blake3(stored.version + stored.digest + place).hexdigest(_ETAG_BYTES)


class _Plain:
    """Bytes as a source."""

    def __init__(self, plain: bytes) -> None:
        self._plain = memoryview(plain)

    async def receive_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count
