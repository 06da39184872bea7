"""How a batch lies in its volume: decided here, written by `node.store.volumes`.

Heads, metadata and the zeros between go into one scratch buffer. A payload that begins at a memory page stands in the
write as it is; any other is copied into the scratch buffer first, because a copy costs less than the page cache does.
All parts of the write begin at pages and have whole pages, so that the disk may take them directly. All tombstones of
a batch share one entry, after its shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from node.host.direct import begins_at_page
from node.host.ports import Buffer
from node.store.buffers import BufferPool
from node.store.index import Spot
from node.store.shares import ShareKey, Tombstone, pack_tombstones
from node.store.volume import SHARE_STEP_BYTES, EntryKind, Format, Head, rounded
from protocol.ids import NamespaceId

_TOMBSTONE_COST_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class PutWork:
    """Keep a share. With `moved_from` it is a copy of a share that must still stand there."""

    key: ShareKey
    namespace: NamespaceId
    meta: bytes
    parts: tuple[Buffer, ...]
    payload_bytes: int
    moved_from: Spot | None = None

    @property
    def size_bytes(self) -> int:
        """What it takes of a volume."""
        return Spot(self.namespace, 0, 0, len(self.meta), self.payload_bytes).size_bytes


@dataclass(frozen=True, slots=True)
class DropWork:
    """Delete a share. With `victim_volume` it is the copy of a tombstone that must outlive its volume."""

    key: ShareKey
    victim_volume: int | None = None

    @property
    def size_bytes(self) -> int:
        return _TOMBSTONE_COST_BYTES


@dataclass(frozen=True, slots=True)
class RebuildWork:
    """Make the disk's index anew from its volumes; in the writer's queue, because nobody may write meanwhile."""

    size_bytes: int = 0


Work = PutWork | DropWork


@dataclass(frozen=True, slots=True)
class Layout:
    """One write at `start`, ending at `end`; what it brings into the index; the scratch buffer to give back."""

    start: int
    end: int
    parts: list[Buffer]
    puts: tuple[tuple[ShareKey, Spot], ...]
    drops: tuple[tuple[ShareKey, int], ...]
    scratch: memoryview


def lay_out(
    form: Format, header: bytes, works: Sequence[Work], tombstones: Sequence[Tombstone], start: int, pool: BufferPool
) -> Layout:
    """The batch as it will stand at `start` of the volume; at 0 it brings the volume's header."""
    puts = [work for work in works if isinstance(work, PutWork)]
    plain = [_is_plain(work) for work in puts]
    meta = pack_tombstones(tombstones)
    needed_bytes = sum(
        form.front_bytes(len(work.meta)) + (0 if in_place else work.payload_bytes) + SHARE_STEP_BYTES
        for work, in_place in zip(puts, plain, strict=True)
    )
    scratch = _Scratch(pool.take(needed_bytes + form.front_bytes(len(meta)) + SHARE_STEP_BYTES))
    parts: list[Buffer] = [scratch.page(header)] if start == 0 else []
    place = form.first_place if start == 0 else start
    spots: list[tuple[ShareKey, Spot]] = []
    for work, in_place in zip(puts, plain, strict=True):
        head = Head(EntryKind.SHARE, len(work.meta), work.payload_bytes, start)
        parts.append(scratch.page(form.head(place, head, work.meta), work.meta))
        parts.extend(scratch.around(work.parts[0]) if in_place else [scratch.page(*work.parts)])
        spots.append((work.key, Spot(work.namespace, form.number, place, len(work.meta), work.payload_bytes)))
        place += form.entry_bytes(head)
    drops = tuple((tombstone.key, place) for tombstone in tombstones)
    if tombstones:
        head = Head(EntryKind.TOMBSTONES, len(meta), 0, start)
        parts.append(scratch.page(form.head(place, head, meta), meta))
        place += form.entry_bytes(head)
    return Layout(start, place, [part for part in parts if len(part)], tuple(spots), drops, scratch.buffer)


def _is_plain(work: PutWork) -> bool:
    return len(work.parts) == 1 and begins_at_page(work.parts[0])


class _Scratch:
    """Hands out whole pages of one buffer, from its start."""

    def __init__(self, buffer: memoryview) -> None:
        self.buffer = buffer
        self._used_bytes = 0

    def page(self, *contents: Buffer) -> memoryview:
        """The contents one after the other, filled up with zeros."""
        start = place = self._used_bytes
        for content in contents:
            view = memoryview(content).cast("B")
            self.buffer[place : place + len(view)] = view
            place += len(view)
        self._used_bytes = end = start + rounded(place - start, SHARE_STEP_BYTES)
        self.buffer[place:end] = bytes(end - place)
        return self.buffer[start:end]

    def around(self, payload: Buffer) -> list[memoryview]:
        """The payload's whole pages where they are, and a copy of the rest."""
        view = memoryview(payload).cast("B")
        whole = len(view) - len(view) % SHARE_STEP_BYTES
        return [view[:whole], self.page(view[whole:])]
