"""A bucket as S3 describes it, in a few dicts: what any changes to it must add up to, written the other way round.

The changes are those that a gateway writes: versions rise, a block is written once, and a copy names blocks of
something that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from hypothesis import strategies as st

from protocol.ids import BlockId, Digest
from protocol.namespace.changes import (
    BlockCompleted,
    BlockRef,
    BucketCreated,
    BucketDeleted,
    BucketSet,
    Change,
    InlineRef,
    MarkerPut,
    ObjectDeleted,
    ObjectPut,
    ObjectsPacked,
    PackedObject,
    PartPut,
    TagsReplaced,
    UploadAborted,
    UploadBegun,
)
from protocol.namespace.contents import Tag, Versioning
from tests.support.namespaces import block_ref, some

BUCKET = "photos"
KEYS = ["a", "a/b", "a/b/c", "a\0", "a\0b", "b/", "b/é", "c"]
DIGEST = Digest(bytes(32))

OPS = [
    "put", "put", "put", "inline", "inline", "copy", "copy", "mark", "delete", "delete version", "tags", "versioning",
    "begin", "part", "part", "copy part", "complete", "abort", "pack", "completed", "drop bucket",
]  # fmt: skip
programs = st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 7), st.integers(0, 7)), max_size=24)


@dataclass
class Version:
    put: ObjectPut | MarkerPut
    is_null: bool
    blocks: list[BlockRef]
    tags: tuple[Tag, ...] = ()
    is_packed: bool = False

    @property
    def version(self) -> bytes:
        return self.put.version


@dataclass
class Upload:
    key: str
    parts: dict[int, list[BlockRef]] = field(default_factory=dict)


class Model:
    """A bucket as S3 describes it: of each key its versions, the newest last. And the changes that lead there."""

    def __init__(self) -> None:
        self.versioning: Versioning | None = Versioning.NEVER
        self.keys: dict[str, list[Version]] = {}
        self.uploads: dict[bytes, Upload] = {}
        self.written: dict[BlockId, BlockRef] = {}
        self.numbers = count()

    def fresh(self, how_many: int) -> list[BlockRef]:
        blocks = [block_ref(next(self.numbers), missing=number % 3) for number in range(how_many)]
        self.written.update((block.block, block) for block in blocks)
        return blocks

    def next_version(self) -> bytes:
        return next(self.numbers).to_bytes(16, "big")

    def all_versions(self) -> list[Version]:
        return [one for key in sorted(self.keys) for one in self.keys[key]]

    def named(self, key: str) -> Version | None:
        """What the key names: the newest version, if that is not a marker."""
        newest = self.keys.get(key, [])[-1:]
        return next((one for one in newest if isinstance(one.put, ObjectPut)), None)

    def pick(self, number: int) -> Version | None:
        """Some object that is there."""
        objects = [one for one in self.all_versions() if isinstance(one.put, ObjectPut)]
        return objects[number % len(objects)] if objects else None

    def add(self, put: ObjectPut | MarkerPut, blocks: list[BlockRef]) -> None:
        known = self.keys.setdefault(put.key, [])
        if self.versioning is Versioning.NEVER:
            known.clear()
        if self.versioning is Versioning.SUSPENDED:
            known[:] = [one for one in known if not one.is_null]
        if isinstance(put, ObjectPut) or self.versioning is not Versioning.NEVER:
            tags = put.tags if isinstance(put, ObjectPut) else ()
            known.append(Version(put, self.versioning is not Versioning.ENABLED, blocks, tags))

    def step(self, op: str, first: int, second: int) -> Change | None:
        """Do one thing; the change that says so."""
        key, upload = KEYS[first], some("upload", first % 3)[:16]
        if self.versioning is None:
            self.versioning = Versioning.NEVER
            return BucketCreated(BUCKET, 1)
        match op:
            case "put":
                return self.put(key, self.fresh([1, 2, 9, 20][second % 4]))
            case "inline":
                return self.put(key, [], InlineRef(second, 20, some("key", second)))
            case "copy":
                source = self.pick(second)
                if source is not None and source.blocks:
                    return self.put(key, list(source.blocks), is_copy=True)
            case "mark":
                marker = MarkerPut(BUCKET, key, self.next_version(), second)
                self.add(marker, [])
                return marker
            case "delete":
                self.keys[key] = [one for one in self.keys.get(key, []) if one is not self.named(key)]
                return ObjectDeleted(BUCKET, key)
            case "delete version":
                if known := self.keys.get(key):
                    return ObjectDeleted(BUCKET, key, known.pop(second % len(known)).version)
            case "tags":
                if (one := self.pick(second)) is not None:
                    one.tags = (Tag(f"t{first}", ""),)
                    return TagsReplaced(BUCKET, one.put.key, one.version, one.tags)
            case "versioning":
                self.versioning = [Versioning.ENABLED, Versioning.SUSPENDED][first % 2]
                return BucketSet(BUCKET, self.versioning, has_lock=False, lock_default=None)
            case "pack":
                return self.pack()
            case "completed":
                return self.complete_block(first)
            case "drop bucket":
                if not self.all_versions():
                    self.versioning = None
                    self.uploads.clear()
                return BucketDeleted(BUCKET)
            case _:
                return self.step_upload(op, key, upload, second)
        return None

    def put(
        self, key: str, blocks: list[BlockRef], inline: InlineRef | None = None, *, is_copy: bool = False
    ) -> ObjectPut:
        size_bytes = sum(block.size_bytes for block in blocks) + (7 if inline else 0)
        tags = (Tag("new", key),)
        version = self.next_version()
        put = ObjectPut(
            BUCKET, key, version, size_bytes, DIGEST, 5, "public", tuple(blocks), inline, is_copy=is_copy, tags=tags
        )
        self.add(put, blocks)
        return put

    def step_upload(self, op: str, key: str, upload: bytes, second: int) -> Change | None:
        known = self.uploads.get(upload)
        if op == "begin":
            self.uploads.setdefault(upload, Upload(key))
            return UploadBegun(upload, BUCKET, key, 3, (), (), None, legal_hold=False, checksum="")
        if known is None:
            return None
        match op:
            case "abort":
                del self.uploads[upload]
                return UploadAborted(upload)
            case "part" | "copy part":
                source = self.pick(second)
                if op == "copy part" and (source is None or not source.blocks):
                    return None
                blocks = self.fresh(second + 2) if op == "part" or source is None else list(source.blocks)
                known.parts[second] = blocks
                size_bytes = sum(block.size_bytes for block in blocks)
                return PartPut(
                    upload, second, size_bytes, DIGEST, tuple(blocks), is_copy=op == "copy part", etag="etag"
                )
            case _:
                del self.uploads[upload]
                listed = sorted(known.parts)[: 1 + second]
                blocks = [block for number in listed for block in known.parts[number]]
                version = self.next_version()
                put = ObjectPut(
                    BUCKET, known.key, version, 70, DIGEST, 5, "public", upload=upload, parts=tuple(listed)
                )
                self.add(put, blocks)
                return put

    def pack(self) -> Change | None:
        """All that is inline, and all that was packed before, into a new pack."""
        small = [one for one in self.all_versions() if isinstance(one.put, ObjectPut) and one.put.inline]
        if not small:
            return None
        pack = block_ref(next(self.numbers), missing=1)
        objects = tuple(PackedObject(BUCKET, one.put.key, one.version, 0, 20) for one in small)
        for one in small:
            one.is_packed = True
        return ObjectsPacked(pack, objects)

    def complete_block(self, first: int) -> Change | None:
        late = sorted(block for block, ref in self.written.items() if ref.missing)
        if not late:
            return None
        block = self.written[late[first % len(late)]]
        whole = BlockRef(block.block, block.key, block.size_bytes, block.k, block.n, block.placing, 0)
        self.written[block.block] = whole
        for blocks in self.places():
            blocks[:] = [whole if one.block == whole.block else one for one in blocks]
        return BlockCompleted(block.block, block.placing)

    def places(self) -> Iterator[list[BlockRef]]:
        """Everything that names blocks."""
        for one in self.all_versions():
            yield one.blocks
        for upload in self.uploads.values():
            yield from upload.parts.values()
