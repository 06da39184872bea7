"""Reading a share: one look in the index, one read, and never a byte that does not match.

Every read checks the entry's own checksum and the hash of each leaf it hands out (but where the reader has a stronger
proof at hand: the key of the block). What does not match is first looked
at again (it may have been deleted or moved under the reader), then looked for elsewhere in its volume (the index is
only a cache), and then marked as damaged: from then on this node does not claim to hold it, so that it is repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from node.host.ports import File
from node.logs import get_logger
from node.store.buffers import BufferPool
from node.store.index import Spot
from node.store.recover import Scan
from node.store.shares import ShareFacts, ShareKey, StoredShare, unpack_share
from node.store.volume import HEAD_BYTES, SHARE_STEP_BYTES, EntryKind, rounded
from node.store.volumes import DiskVolumes
from protocol.coding.label import verify_leaves
from protocol.errors import Damaged, Forged, Malformed, Missing, OverLimit
from protocol.ids import text_of
from protocol.limits import LEAF_BYTES

R = TypeVar("R")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which leaves: from `first_leaf` on, `leaf_count` of them or, with 0, all that follow."""

    first_leaf: int = 0
    leaf_count: int = 0


class _Mismatch(Exception):
    """What was read is not what was written. `is_elsewhere`: no such entry stands there at all."""

    def __init__(self, *, is_elsewhere: bool) -> None:
        super().__init__()
        self.is_elsewhere = is_elsewhere


class ShareReader:
    """Reads the shares of one disk, in any thread. All methods block."""

    def __init__(self, volumes: DiskVolumes, pool: BufferPool) -> None:
        self._volumes = volumes
        self._pool = pool

    def read(self, key: ShareKey, wanted: Wanted) -> StoredShare:
        """The leaves wanted, checked.

        Raises:
            Missing: `share-missing`, or `share-leaves` when it has no such leaves.
            Damaged: `share-damaged`.
        """
        return self._stubbornly(key, lambda spot: self._read_at(key, spot, wanted))

    def read_into(self, key: ShareKey, into: memoryview, *, check_leaves: bool) -> ShareFacts:
        """A whole share into a buffer of its size. Without `check_leaves` its bytes are the caller's to prove.

        Raises:
            Forged: `share-size` when it is of another size. Missing, Damaged: as `read`.
        """
        return self._stubbornly(key, lambda spot: self._read_into_at(key, spot, into, check_leaves=check_leaves))

    def facts(self, key: ShareKey) -> ShareFacts:
        """Label and proof alone. Raises as `read` does."""
        return self._stubbornly(key, lambda spot: self._facts_at(key, spot))

    def _stubbornly(self, key: ShareKey, attempt: Callable[[Spot], R]) -> R:
        moved = False
        while True:
            spot = self._volumes.index.find(key)
            if spot is None:
                raise Missing("share-missing", block=key.block, index=key.index)
            try:
                return attempt(spot)
            except (_Mismatch, OSError) as error:
                if self._volumes.index.find(key) != spot:
                    continue
                is_elsewhere = isinstance(error, _Mismatch) and error.is_elsewhere and not spot.is_damaged
                if is_elsewhere and not moved and self._find_elsewhere(key, spot):
                    moved = True
                    continue
                self._volumes.index.mark_damaged(key, spot)
                log.error(
                    "share-damaged", block=text_of(key.block), index=key.index, volume=spot.volume, place=spot.place
                )
                raise Damaged("share-damaged", block=key.block, index=key.index) from error

    def _find_elsewhere(self, key: ShareKey, spot: Spot) -> bool:
        """Search the volume for a share that the index has at a wrong place."""
        with self._volumes.handles.lease(spot.volume) as file:
            scan = Scan(file, self._volumes.format_of(spot.volume))
            for entry in scan.entries(lambda _: True):
                if entry.head.kind is EntryKind.SHARE and unpack_share(entry.meta).key == key:
                    head = entry.head
                    found = Spot(spot.namespace, spot.volume, entry.place, head.meta_bytes, head.payload_bytes)
                    self._volumes.index.move(key, spot, found)
                    return found != spot
        return False

    def _read_at(self, key: ShareKey, spot: Spot, wanted: Wanted) -> StoredShare:
        first, size_bytes = _range_of(key, spot, wanted)
        front_bytes, span_bytes = spot.front_bytes, rounded(size_bytes, SHARE_STEP_BYTES)
        buffer = self._pool.take(front_bytes + span_bytes)
        front, span = buffer[:front_bytes], buffer[front_bytes : front_bytes + span_bytes]
        data = span[:size_bytes]
        try:
            with self._volumes.handles.lease(spot.volume) as file:
                if first == 0:
                    _fill(file, spot.place, buffer[: front_bytes + span_bytes])
                else:
                    _fill(file, spot.place, front)
                    _fill(file, spot.place + front_bytes + first, span)
            facts = self._checked(key, spot, front)
            _check_leaves(facts, wanted.first_leaf, data)
        except BaseException:
            self._pool.give(buffer)
            raise
        return StoredShare(facts, data, lambda: self._pool.give(buffer))

    def _read_into_at(self, key: ShareKey, spot: Spot, into: memoryview, *, check_leaves: bool) -> ShareFacts:
        if len(into) != spot.payload_bytes:
            raise Forged("share-size", index=key.index, size_bytes=spot.payload_bytes)
        buffer = self._pool.take(spot.front_bytes)
        try:
            front = buffer[: spot.front_bytes]
            with self._volumes.handles.lease(spot.volume) as file:
                _fill(file, spot.place, front, into)
            facts = self._checked(key, spot, front)
            if check_leaves:
                _check_leaves(facts, 0, into)
            return facts
        finally:
            self._pool.give(buffer)

    def _facts_at(self, key: ShareKey, spot: Spot) -> ShareFacts:
        front = memoryview(bytearray(spot.front_bytes))
        with self._volumes.handles.lease(spot.volume) as file:
            _fill(file, spot.place, front)
        return self._checked(key, spot, front)

    def _checked(self, key: ShareKey, spot: Spot, front: memoryview) -> ShareFacts:
        form = self._volumes.format_of(spot.volume)
        head, meta = form.parse(front), bytes(front[HEAD_BYTES : HEAD_BYTES + spot.meta_bytes])
        is_here = head is not None and head.kind is EntryKind.SHARE and head.payload_bytes == spot.payload_bytes
        if not is_here or not form.is_good(spot.place, front, meta):
            raise _Mismatch(is_elsewhere=True)
        facts = unpack_share(meta)
        if facts.key != key:
            raise _Mismatch(is_elsewhere=True)
        return facts


def _range_of(key: ShareKey, spot: Spot, wanted: Wanted) -> tuple[int, int]:
    """Where the wanted leaves begin in the payload, and their size together."""
    first = wanted.first_leaf * LEAF_BYTES
    if wanted.first_leaf and first >= spot.payload_bytes:
        raise Missing("share-leaves", block=key.block, index=key.index, first_leaf=wanted.first_leaf)
    rest_bytes = spot.payload_bytes - first
    return first, min(rest_bytes, wanted.leaf_count * LEAF_BYTES) if wanted.leaf_count else rest_bytes


def _fill(file: File, place: int, *buffers: memoryview) -> None:
    if file.read_into(place, *buffers) < sum(map(len, buffers)):
        raise _Mismatch(is_elsewhere=True)


def _check_leaves(facts: ShareFacts, first_leaf: int, data: memoryview) -> None:
    try:
        verify_leaves(facts.decoded_proof(), first_leaf, data)
    except (Forged, Malformed, OverLimit) as error:
        raise _Mismatch(is_elsewhere=False) from error
