"""Putting an object: bytes in, an acknowledged journal entry out.

Only when every block is durable, and whoever gave the bytes has said that they are what they should be, is the
object's change appended to the journal: until that append is acknowledged the object does not exist, afterwards it is
whole. Up to 64 KiB go into the journal entry itself. Very long objects journal their parts as they go, so that no
entry grows with the object. Whether the key may be put is looked up, and its version named, in a turn at the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.logs import get_logger
from node.vault.catalog.catalog import StoredBucket, StoredUpload
from node.vault.intake import KEY_BYTES, Bounds, Intake, PutTools
from node.vault.objects import Source
from node.vault.release.unnamed import Writing
from node.vault.shelf.deciding import check_condition, retention_for
from node.vault.shelf.terms import UNCONDITIONAL, Finish, Finisher, PutTerms
from protocol.errors import Missing
from protocol.ids import BlockId, Digest
from protocol.keys.sealing import seal_into, sealed_size
from protocol.limits import INLINE_BYTES_MAX, OBJECT_BYTES_MAX, PART_BYTES_MAX
from protocol.members.roster import Rules
from protocol.namespace.changes import VERSION_BYTES, BlockRef, InlineRef, ObjectPut, PartPut
from protocol.namespace.contents import Retention, Versioning
from protocol.quick_init import quick_init

log = get_logger(__name__)

BLOCKS_PER_PART = 512
NO_FINISH = Finish("")


@quick_init
@dataclass(frozen=True, slots=True)
class Named:
    """A change that is acknowledged; whether its version is the null one of its key."""

    change: ObjectPut
    is_null: bool


@quick_init
@dataclass(frozen=True, slots=True)
class Content:
    """What an object that is about to be named is made of."""

    size_bytes: int
    digest: Digest
    data_class: str
    blocks: tuple[BlockRef, ...] = ()
    inline: InlineRef | None = None
    upload: bytes | None = None
    parts: tuple[int, ...] = ()
    is_copy: bool = False


async def put_object(
    tools: PutTools, bucket: str, key: str, source: Source, terms: PutTerms, expected_bytes: int | None
) -> Named:
    """Store all bytes of `source` under the key; return once the object is durable and named.

    Raises:
        Malformed: `object-size-changed` when `expected_bytes` are few and more of them come.
        Missing: `bucket-missing`. Refused: `placement-impossible`, `object-condition`, `bucket-not-locked`.
        Unavailable: `holders-too-few`, `journal-quorum`, `client-stalled`.
        OverLimit: `object-size`. And what the source and `terms.finish` raise.
    """
    rules = tools.rules()
    now_s = tools.host.wall.now_s()
    keep_until_s = keep_until(rules, retention_for(require_bucket(tools, bucket), terms, now_s), now_s)
    with tools.unnamed.writing(tools.journal.next_position) as writing:
        bounds = Bounds(OBJECT_BYTES_MAX, INLINE_BYTES_MAX, expected_bytes)
        intake = Intake(tools, source, writing, rules, keep_until_s, bounds)
        naming = Naming(tools, writing, bucket, key, terms, keep_until_s)
        if expected_bytes is not None and expected_bytes <= INLINE_BYTES_MAX:
            return await _name_small(naming, intake, await intake.read_small(expected_bytes))
        stored = await intake.read_blocks(BLOCKS_PER_PART)
        if intake.small is not None:
            return await _name_small(naming, intake, intake.small)
        if not stored.ended:
            upload = tools.host.entropy.random_bytes(VERSION_BYTES)
            with tools.pins.hold([upload]):
                await _put_long(tools, writing, intake, upload, stored.blocks)
                return await naming.name(_content(intake, upload=upload), await naming.finish())
        return await naming.name(_content(intake, blocks=stored.blocks), await naming.finish())


async def put_part(
    tools: PutTools,
    upload: StoredUpload,
    number: int,
    source: Source,
    finish: Finisher,
    expected_bytes: int | None,
) -> PartPut:
    """Store all bytes of `source` as a part of a client's upload; the last change that says so.

    Raises:
        Missing: `upload-missing` when the upload is over by then. And as `put_object`.
    """
    rules, terms = tools.rules(), PutTerms(retention=upload.retention, legal_hold=upload.legal_hold)
    now_s = tools.host.wall.now_s()
    keep_until_s = keep_until(rules, retention_for(require_bucket(tools, upload.bucket), terms, now_s), now_s)
    with tools.unnamed.writing(tools.journal.next_position) as writing:
        bounds = Bounds(PART_BYTES_MAX, expected_bytes=expected_bytes)
        intake = Intake(tools, source, writing, rules, keep_until_s, bounds)
        blocks: list[BlockRef] = []
        ended = expected_bytes == 0
        while not ended:
            stored = await intake.read_blocks(BLOCKS_PER_PART)
            blocks += stored.blocks
            ended = stored.ended
        told = await finish()
        async with tools.turns.of(upload.bucket, upload.upload):
            if await tools.catalog.upload(upload.upload) is None:
                raise Missing("upload-missing", bucket=upload.bucket, key=upload.key)
            now_s = tools.host.wall.now_s()
            pieces = part_changes(upload.upload, number, blocks, intake.digest, told, now_s)
            for piece in pieces:
                await writing.journal(tools.journal, piece, [block.block for block in piece.blocks])
            return pieces[-1]


def part_changes(
    upload: bytes, number: int, blocks: Sequence[BlockRef], digest: Digest, told: Finish, now_s: int
) -> list[PartPut]:
    """The changes that say that these blocks are the part; what was told of it stands in the last."""
    starts = range(0, max(1, len(blocks)), BLOCKS_PER_PART)
    pieces = []
    for start in starts:
        some = tuple(blocks[start : start + BLOCKS_PER_PART])
        size_bytes, is_last = sum(block.size_bytes for block in some), start == starts[-1]
        piece = PartPut(
            upload,
            number,
            size_bytes,
            digest,
            some,
            first_block=start,
            etag=told.etag if is_last else "",
            checksums=told.checksums if is_last else (),
            modified_s=now_s,
        )
        pieces.append(piece)
    return pieces


class Naming:
    """An object that is about to be named: what is said of it besides its bytes.

    A bucket's default retention counts from the moment of naming. Holders were told to keep the bytes when these were
    written, so by as much as the writing took they promise less, and there the journal alone keeps the object.
    """

    def __init__(
        self,
        tools: PutTools,
        writing: Writing,
        bucket: str,
        key: str,
        terms: PutTerms,
        keep_until_s: int,
    ) -> None:
        self._tools = tools
        self._writing = writing
        self._bucket = bucket
        self._key = key
        self._terms = terms
        self._keep_until_s = keep_until_s

    async def finish(self) -> Finish:
        """What whoever gave the bytes says of them. Raises when they are not what they should be."""
        return await self._terms.finish() if self._terms.finish is not None else NO_FINISH

    async def name(self, content: Content, told: Finish, inline: Sequence[bytes] = ()) -> Named:
        """Have a turn at the key, and journal it if its condition holds."""
        async with self._tools.turns.of(self._bucket, self._key):
            return await self.name_in_turn(content, told, inline)

    async def name_in_turn(self, content: Content, told: Finish, inline: Sequence[bytes] = ()) -> Named:
        """The same for a caller who has the turn."""
        tools, condition = self._tools, self._terms.condition
        await tools.host.faults.reach("vault.before-journal")
        held = require_bucket(tools, self._bucket)
        is_null = held.versioning is not Versioning.ENABLED
        if condition != UNCONDITIONAL:
            check_condition(condition, await tools.catalog.find(self._bucket, self._key), self._bucket, self._key)
        version = tools.versions.next(tools.journal.opening.epoch)
        change = self._change(content, told, version, held, tools.host.wall.now_s())
        named = [reference.block for reference in change.blocks]
        await self._writing.journal(tools.journal, change, named, inline)
        log.debug("object.named", version=change.version, blocks=named)
        await tools.host.faults.reach("vault.after-journal")
        return Named(change, is_null)

    def _change(self, content: Content, told: Finish, version: bytes, held: StoredBucket, now_s: int) -> ObjectPut:
        return ObjectPut(
            bucket=self._bucket,
            key=self._key,
            version=version,
            size_bytes=content.size_bytes,
            digest=content.digest,
            modified_s=now_s,
            data_class=content.data_class,
            blocks=content.blocks,
            inline=content.inline,
            upload=content.upload,
            etag=told.etag,
            metadata=self._terms.metadata,
            checksums=told.checksums,
            retain_until_s=self._keep_until_s,
            legal_hold=self._terms.legal_hold,
            parts=content.parts,
            is_copy=content.is_copy,
            tags=self._terms.tags,
            retention=retention_for(held, self._terms, now_s),
        )


def require_bucket(tools: PutTools, bucket: str) -> StoredBucket:
    """The bucket, from memory. Raises Missing(`bucket-missing`)."""
    found = tools.catalog.find_bucket(bucket)
    if found is None:
        raise Missing("bucket-missing", bucket=bucket)
    return found


def keep_until(rules: Rules, retention: Retention | None, now_s: int) -> int:
    """Until when holders are told to keep what is stored now: as its class says, and as it is locked."""
    keep_s = rules.data_class.keep_s
    by_class = now_s + keep_s if keep_s else 0
    return by_class if retention is None else max(by_class, retention.until_s)


async def _name_small(naming: Naming, intake: Intake, plain: bytes) -> Named:
    """The bytes ride in the journal, sealed under a key of their own."""
    told = await naming.finish()
    if not plain:
        return await naming.name(_content(intake), told)
    key = intake.tools.host.entropy.random_bytes(KEY_BYTES)
    sealed = bytearray(sealed_size(len(plain)))
    seal_into(key, plain, memoryview(sealed))
    inline = InlineRef(0, len(sealed), key)
    return await naming.name(_content(intake, inline=inline), told, [bytes(sealed)])


async def _put_long(
    tools: PutTools, writing: Writing, intake: Intake, upload: bytes, blocks: tuple[BlockRef, ...]
) -> None:
    """Journal these blocks and all that follow them, part by part."""
    number, ended = 0, False
    while blocks:
        await tools.host.faults.reach("vault.before-journal")
        names: list[BlockId] = [block.block for block in blocks]
        size_bytes = sum(block.size_bytes for block in blocks)
        part = PartPut(upload, number, size_bytes, intake.digest, blocks)
        await writing.journal(tools.journal, part, names)
        await tools.host.faults.reach("vault.after-journal")
        if ended:
            return
        stored = await intake.read_blocks(BLOCKS_PER_PART)
        number, blocks, ended = number + 1, stored.blocks, stored.ended


def _content(
    intake: Intake,
    *,
    blocks: tuple[BlockRef, ...] = (),
    inline: InlineRef | None = None,
    upload: bytes | None = None,
) -> Content:
    data_class = intake.rules.data_class.name
    return Content(intake.size_bytes, intake.digest, data_class, blocks, inline, upload)
