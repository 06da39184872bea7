"""The layout of a pack: many small objects in one block, and a directory that says which.

A pack's plain bytes are the objects' sealed bytes one after the other, the directory, and its length in four bytes.
Each object stays sealed under its own key, which stands in the catalog and nowhere in the pack: forgetting the key
deletes the object, though its bytes stay until the pack is rewritten. The directory makes the pack speak for itself,
so that rewriting one needs the pack and, for each object in it, one look into the catalog.

A pack is full when the next object would not fit into a block, or into the journal entry that announces it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.errors import MaillonError, Malformed
from protocol.namespace.changes import PackedObject
from protocol.wire import schema
from protocol.wire.schema import Length

Buffer = bytes | bytearray | memoryview

PACK_BYTES_MAX: Final = limits.BLOCK_PLAIN_BYTES
DIRECTORY_BYTES_MAX: Final = 512 * limits.KIB

_LENGTH_BYTES: Final = 4
# Around an object in the directory: lengths, version, offset and size.
_OBJECT_ROOM_BYTES: Final = 40
_DIRECTORY_ROOM_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class PackDirectory:
    """What is in a pack, in the order of its bytes."""

    WIRE_VERSION: ClassVar[int] = 1
    objects: Annotated[tuple[PackedObject, ...], Length(1, limits.OBJECTS_PER_PACK_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class SmallObject:
    """An object to be packed: the version that its key names, and its sealed bytes."""

    bucket: str
    key: str
    version: bytes
    sealed: Buffer

    @property
    def directory_bytes(self) -> int:
        """At most so many bytes of the directory are this object's."""
        return len(self.bucket.encode()) + len(self.key.encode()) + _OBJECT_ROOM_BYTES


@dataclass(slots=True)
class Packing:
    """A pack that is being filled."""

    _objects: list[PackedObject] = field(default_factory=list)
    _sealed: list[Buffer] = field(default_factory=list)
    _body_bytes: int = 0
    _directory_bytes: int = _DIRECTORY_ROOM_BYTES

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def objects(self) -> tuple[PackedObject, ...]:
        """What is in it so far, in order."""
        return tuple(self._objects)

    def add(self, one: SmallObject) -> bool:
        """Put the object behind the others; False, and nothing is done, when it does not fit any more."""
        body_bytes = self._body_bytes + len(one.sealed)
        directory_bytes = self._directory_bytes + one.directory_bytes
        if directory_bytes > DIRECTORY_BYTES_MAX or len(self._objects) == limits.OBJECTS_PER_PACK_MAX:
            return False
        if body_bytes + directory_bytes + _LENGTH_BYTES > PACK_BYTES_MAX:
            return False
        self._objects.append(PackedObject(one.bucket, one.key, one.version, self._body_bytes, len(one.sealed)))
        self._sealed.append(one.sealed)
        self._body_bytes, self._directory_bytes = body_bytes, directory_bytes
        return True

    def plain(self) -> bytes:
        """The pack's plain bytes. There must be an object in it."""
        directory = schema.encode(PackDirectory(tuple(self._objects)))
        return b"".join((*self._sealed, directory, len(directory).to_bytes(_LENGTH_BYTES, "big")))


def read_directory(plain: Buffer) -> tuple[PackedObject, ...]:
    """What is in a pack with these plain bytes.

    Raises:
        Malformed: `pack-directory` when they are no pack's.
    """
    view = memoryview(plain)
    end = len(view) - _LENGTH_BYTES
    length = int.from_bytes(view[max(0, end) :], "big")
    if not 0 < length <= min(end, DIRECTORY_BYTES_MAX):
        raise Malformed("pack-directory", size_bytes=len(view))
    try:
        objects = schema.decode(PackDirectory, view[end - length : end]).objects
    except MaillonError as error:
        raise Malformed("pack-directory", size_bytes=len(view)) from error
    if any(one.offset + one.size_bytes > end - length for one in objects):
        raise Malformed("pack-directory", size_bytes=len(view))
    return objects
