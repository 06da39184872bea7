"""What a view keeps, and why any two views that talk end up keeping the same.

Each statement has a slot; of two statements for one slot the higher version stays, and of two with one version the
smaller id. Slots share a bucket with a bound (a member's quota); over the bound the slot goes that an earlier key of
the member stands behind, and of equal ones the largest: whoever stole a key that was replaced crowds out nothing.
All three choices depend only on the records themselves, never on who came first, so keeping is a join: order, loss
and repetition cannot matter. A bucket belongs to one member, which can push out nothing but its own.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from protocol.ids import RecordId
from protocol.members.records import Record

Slot: TypeAlias = tuple[int, bytes, bytes]
Bucket: TypeAlias = tuple[int, bytes, bytes]


class Outcome(enum.Enum):
    """What became of a record. All but KNOWN and OLDER changed the view."""

    NEW = "new"
    KNOWN = "known"
    OLDER = "older"
    EQUIVOCATION = "equivocation"


@dataclass(frozen=True, slots=True)
class Kept:
    """A checked record and what its body says. `version` orders it against others in its slot."""

    record: Record
    id: RecordId
    body: object
    slot: Slot
    version: tuple[int, ...]

    def supersedes(self, other: Kept) -> bool:
        return self.version > other.version or (self.version == other.version and self.id < other.id)


@dataclass(frozen=True, slots=True)
class Quota:
    """Which bucket a slot falls in, how many slots that may hold, and how many keys its member had shown by then."""

    bucket: Bucket
    slots_max: int
    seniority: int = 0


class Shelf:
    """Slots, their ids and their buckets. It checks nothing: see `protocol.members.view`."""

    def __init__(self) -> None:
        self._kept: dict[Slot, Kept] = {}
        self._slots: dict[RecordId, Slot] = {}
        self._of_kind: dict[int, dict[Slot, Kept]] = {}
        self._buckets: dict[Bucket, dict[Slot, int]] = {}
        self._bucket_of: dict[Slot, Bucket] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        """By kind, then by slot."""
        return (self._kept[slot] for slot in sorted(self._kept))

    def by_id(self, identity: RecordId) -> Kept | None:
        slot = self._slots.get(identity)
        return None if slot is None else self._kept[slot]

    def at(self, slot: Slot) -> Kept | None:
        return self._kept.get(slot)

    def of_kind(self, kind: int) -> list[Kept]:
        """In no particular order: sort before it can reach the wire."""
        return list(self._of_kind.get(kind, {}).values())

    def ids(self) -> list[RecordId]:
        return sorted(self._slots)

    def fits(self, slot: Slot, quota: Quota | None) -> bool:
        """Whether the slot would stay: its bucket has room, or holds a slot that would go instead."""
        if quota is None:
            return True
        held = self._buckets.get(quota.bucket, {})
        if slot in held or len(held) < quota.slots_max:
            return True
        return (-quota.seniority, slot) < _first_to_go(held)

    def put(self, item: Kept, quota: Quota | None) -> Kept | None:
        """Keep `item` in place of what its slot held; returns what its bucket pushed out for it, if anything."""
        self.drop(item.slot)
        self._kept[item.slot] = item
        self._slots[item.id] = item.slot
        self._of_kind.setdefault(item.record.kind, {})[item.slot] = item
        if quota is None:
            return None
        held = self._buckets.setdefault(quota.bucket, {})
        held[item.slot] = quota.seniority
        self._bucket_of[item.slot] = quota.bucket
        return self.drop(_first_to_go(held)[1]) if len(held) > quota.slots_max else None

    def drop(self, slot: Slot) -> Kept | None:
        item = self._kept.pop(slot, None)
        if item is not None:
            del self._slots[item.id]
            del self._of_kind[item.record.kind][slot]
            bucket = self._bucket_of.pop(slot, None)
            if bucket is not None:
                del self._buckets[bucket][slot]
                if not self._buckets[bucket]:
                    del self._buckets[bucket]
        return item


def _first_to_go(held: dict[Slot, int]) -> tuple[int, Slot]:
    return max((-seniority, slot) for slot, seniority in held.items())
