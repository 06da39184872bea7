"""Where each share of one disk stands: a cache over its volumes, never the truth.

Changes are held in memory (`_fresh`, by block) and go to SQLite a few hundred at a time, together with how far each
volume had been read when they did. So an index is behind its volumes by a little after a crash, by a lot when an old
copy came back, by everything when it is lost; each time the same scan from those marks brings it up. Because a scan
may repeat what is known already, positions decide: of two copies of a share the later in the log is the share, and a
tombstone kills only what stands before it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, cast

from node.host.ports import Index
from node.store.shares import NamespaceUsage, ShareKey
from node.store.volume import HEAD_BYTES, SHARE_STEP_BYTES, rounded
from protocol.errors import Damaged
from protocol.ids import BlockId, NamespaceId
from protocol.quick_init import quick_init

_SCHEMA_VERSION: Final = 1
_LOOKED_UP_MAX: Final = 1_024
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB)",
    "CREATE TABLE IF NOT EXISTS shares (block BLOB, idx INTEGER, namespace BLOB, volume INTEGER, place INTEGER,"
    " meta_bytes INTEGER, payload_bytes INTEGER, damaged INTEGER, PRIMARY KEY (block, idx)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS volumes (number INTEGER PRIMARY KEY, size_bytes INTEGER, punched_bytes INTEGER,"
    " live_bytes INTEGER, live_shares INTEGER, sealed INTEGER)",
    "CREATE TABLE IF NOT EXISTS namespaces (namespace BLOB PRIMARY KEY, shares INTEGER, size_bytes INTEGER)",
)
_FIND: Final = (
    "SELECT namespace, volume, place, meta_bytes, payload_bytes, damaged FROM shares WHERE block = ? AND idx = ?"
)
_SPOTS: Final = "SELECT idx, namespace, volume, place, meta_bytes, payload_bytes, damaged FROM shares WHERE block = ?"
_IN_VOLUME: Final = (
    "SELECT block, idx, namespace, volume, place, meta_bytes, payload_bytes, damaged FROM shares WHERE volume = ?"
)
_AFTER: Final = "SELECT block, idx FROM shares WHERE (block, idx) > (?, ?) ORDER BY block, idx LIMIT ?"
_BLOCKS_OF: Final = (
    "SELECT DISTINCT block FROM shares WHERE block BETWEEN ? AND ? AND namespace = ? ORDER BY block LIMIT ?"
)
_PUT: Final = (
    "INSERT OR REPLACE INTO shares (block, idx, namespace, volume, place, meta_bytes, payload_bytes, damaged)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_DROP: Final = "DELETE FROM shares WHERE block = ? AND idx = ?"


@quick_init
@dataclass(frozen=True, slots=True)
class Spot:
    """Where a share stands. `is_damaged`: its bytes did not match when last read; a new copy may be put."""

    namespace: NamespaceId
    volume: int
    place: int
    meta_bytes: int
    payload_bytes: int
    is_damaged: bool = False

    @property
    def position(self) -> tuple[int, int]:
        """Its order in the disk's log."""
        return self.volume, self.place

    @property
    def front_bytes(self) -> int:
        """From the entry's beginning to its payload."""
        return rounded(HEAD_BYTES + self.meta_bytes, SHARE_STEP_BYTES)

    @property
    def payload_span_bytes(self) -> int:
        """The payload and the zeros after it."""
        return rounded(self.payload_bytes, SHARE_STEP_BYTES)

    @property
    def size_bytes(self) -> int:
        """The whole entry."""
        return self.front_bytes + self.payload_span_bytes


@dataclass(frozen=True, slots=True)
class VolumeState:
    """`size_bytes` is durable, read into this index, and the mark from which a scan goes on."""

    size_bytes: int = 0
    punched_bytes: int = 0
    live_bytes: int = 0
    live_shares: int = 0
    is_sealed: bool = False

    @property
    def used_bytes(self) -> int:
        return self.size_bytes - self.punched_bytes


class ShareIndex:
    """All methods block, may be called from any thread, and raise Damaged(`index-damaged`)."""

    def __init__(self, index: Index, salt: bytes, *, lag_max: int) -> None:
        self._index = index
        self._lag_max = lag_max
        self._turn = threading.RLock()
        self._fresh: dict[BlockId, dict[int, Spot | None]] = {}
        self._fresh_shares = 0
        self._looked_up: dict[ShareKey, Spot | None] = {}
        self._dirty_volumes: set[int] = set()
        self._dirty_namespaces: set[NamespaceId] = set()
        for statement in _SCHEMA:
            index.execute(statement)
        self._claim(salt)
        self._volumes = {
            cast(int, number): VolumeState(*cast(tuple[int, int, int, int], tuple(rest[:4])), bool(rest[4]))
            for number, *rest in index.execute("SELECT * FROM volumes ORDER BY number")
        }
        self._namespaces = {
            NamespaceId(cast(bytes, namespace)): (cast(int, shares), cast(int, size_bytes))
            for namespace, shares, size_bytes in index.execute("SELECT * FROM namespaces ORDER BY namespace")
        }

    def _claim(self, salt: bytes) -> None:
        """Only an index of this disk and this schema may say where things are."""
        found: dict[object, object] = dict(self._index.execute("SELECT name, value FROM facts"))  # type: ignore[arg-type]
        ours = {"schema": _SCHEMA_VERSION, "salt": salt}
        if found and found != ours:
            raise Damaged("index-damaged", index="store", reason="it belongs to another disk or version")
        if not found:
            self._index.execute_many("INSERT INTO facts VALUES (?, ?)", list(ours.items()))
            self._index.commit()

    def find(self, key: ShareKey) -> Spot | None:
        with self._turn:
            fresh = self._fresh.get(key.block)
            if fresh is not None and key.index in fresh:
                return fresh[key.index]
            if key not in self._looked_up:
                rows = self._index.execute(_FIND, (key.block, key.index))
                self._remember(key, _spot(rows[0]) if rows else None)
            return self._looked_up[key]

    def spots(self, block: BlockId) -> list[tuple[int, Spot]]:
        """Every share of the block, by index."""
        with self._turn:
            rows = self._index.execute(_SPOTS, (block,))
            found: dict[int, Spot | None] = {cast(int, row[0]): _spot(row[1:]) for row in rows}
            for index, spot in found.items():  # who asks for all of them will ask for each
                self._remember(ShareKey(block, index), spot)
            found |= self._fresh.get(block, {})
            return sorted((index, spot) for index, spot in found.items() if spot is not None)

    def _remember(self, key: ShareKey, spot: Spot | None) -> None:
        """What SQLite said, until it says something else."""
        if len(self._looked_up) >= _LOOKED_UP_MAX:
            self._looked_up.clear()
        self._looked_up[key] = spot

    def _note(self, key: ShareKey, spot: Spot | None) -> None:
        """What SQLite does not know yet."""
        fresh = self._fresh.setdefault(key.block, {})
        self._fresh_shares += key.index not in fresh
        fresh[key.index] = spot

    def after(self, key: ShareKey | None, limit: int) -> tuple[ShareKey, ...]:
        """The next shares in order of their key."""
        with self._turn:
            self.flush()
            start = (b"", -1) if key is None else (key.block, key.index)
            rows = self._index.execute(_AFTER, (*start, limit))
            return tuple(ShareKey(BlockId(cast(bytes, block)), cast(int, index)) for block, index in rows)

    def blocks_of(self, namespace: NamespaceId, first: bytes, last: bytes, limit: int) -> list[BlockId]:
        """The namespace's blocks from `first` to `last`, in order."""
        with self._turn:
            self.flush()
            rows = self._index.execute(_BLOCKS_OF, (first, last, namespace, limit))
            return [BlockId(cast(bytes, block)) for (block,) in rows]

    def put(self, key: ShareKey, spot: Spot) -> Spot | None:
        """The share stands at `spot` now. Returns the copy that this made useless, if any (it may be `spot`)."""
        with self._turn:
            known = self.find(key)
            if known is not None and known.position >= spot.position:
                return None if known.position == spot.position else spot
            if known is not None:
                self._count(known, -1)
            self._count(spot, 1)
            self._note(key, spot)
            return known

    def drop(self, key: ShareKey, before: tuple[int, int]) -> Spot | None:
        """The share was deleted at position `before`. Returns the copy that this made useless, if any."""
        with self._turn:
            known = self.find(key)
            if known is None or known.position >= before:
                return None
            self._count(known, -1)
            self._note(key, None)
            return known

    def mark_damaged(self, key: ShareKey, spot: Spot) -> None:
        """What stands at `spot` does not match its own hashes. It counts as not held from now on."""
        with self._turn:
            if self.find(key) == spot:
                self._note(key, replace(spot, is_damaged=True))

    def _count(self, spot: Spot, sign: int) -> None:
        shares, size_bytes = self._namespaces.get(spot.namespace, (0, 0))
        self._namespaces[spot.namespace] = (shares + sign, size_bytes + sign * spot.payload_bytes)
        self._dirty_namespaces.add(spot.namespace)
        state = self.volume(spot.volume)
        live_bytes = state.live_bytes + sign * spot.size_bytes
        live_shares = state.live_shares + sign
        counted = VolumeState(state.size_bytes, state.punched_bytes, live_bytes, live_shares, state.is_sealed)
        self.set_volume(spot.volume, counted)

    def volume(self, number: int) -> VolumeState:
        with self._turn:
            return self._volumes.get(number, VolumeState())

    def volumes(self) -> dict[int, VolumeState]:
        with self._turn:
            return dict(self._volumes)

    def set_volume(self, number: int, state: VolumeState) -> None:
        with self._turn:
            self._volumes[number] = state
            self._dirty_volumes.add(number)

    def reached(self, number: int, size_bytes: int) -> None:
        """All entries of the volume up to `size_bytes` are in this index. Call after putting and dropping them."""
        with self._turn:
            self.set_volume(number, replace(self.volume(number), size_bytes=size_bytes))

    def punched(self, number: int, size_bytes: int) -> None:
        """So much of the volume went back to the disk."""
        with self._turn:
            state = self.volume(number)
            self.set_volume(number, replace(state, punched_bytes=state.punched_bytes + size_bytes))

    def seal(self, number: int) -> None:
        with self._turn:
            self.set_volume(number, replace(self.volume(number), is_sealed=True))

    def in_volume(self, number: int) -> list[tuple[ShareKey, Spot]]:
        """Every share that stands in the volume. Slow: for bad days."""
        with self._turn:
            self.flush()
            rows = self._index.execute(_IN_VOLUME, (number,))
            return [(ShareKey(BlockId(cast(bytes, row[0])), cast(int, row[1])), _spot(row[2:])) for row in rows]

    def move(self, key: ShareKey, known: Spot, found: Spot) -> None:
        """This index was wrong: what it knew at `known` stands at `found`."""
        with self._turn:
            if self.find(key) == known:
                self._count(known, -1)
                self._count(found, 1)
                self._note(key, found)

    def cut_volume(self, number: int, size_bytes: int) -> None:
        """The volume lost its end: what stood there is gone. Nothing else will come to stand there."""
        with self._turn:
            for key, spot in self.in_volume(number):
                if spot.place + spot.size_bytes > size_bytes:
                    self._count(spot, -1)
                    self._note(key, None)
            self.reached(number, size_bytes)
            self.seal(number)

    def forget_volume(self, number: int) -> None:
        """The volume is gone."""
        with self._turn:
            for _, spot in self.in_volume(number):
                self._count(spot, -1)
            self._index.execute("DELETE FROM shares WHERE volume = ?", (number,))
            self._looked_up.clear()
            self._index.execute("DELETE FROM volumes WHERE number = ?", (number,))
            self._volumes.pop(number, None)
            self._dirty_volumes.discard(number)
            self.flush()

    @property
    def lags(self) -> bool:
        """Is it time to flush?"""
        return self._fresh_shares >= self._lag_max

    def flush(self) -> None:
        """Bring SQLite up to date."""
        with self._turn:
            if not (self._fresh or self._dirty_volumes or self._dirty_namespaces):
                return
            fresh = [(block, index, spot) for block, of in self._fresh.items() for index, spot in of.items()]
            self._index.execute_many(_PUT, [_row(block, index, spot) for block, index, spot in fresh if spot])
            self._index.execute_many(_DROP, [(block, index) for block, index, spot in fresh if not spot])
            self._index.execute_many(
                "INSERT OR REPLACE INTO volumes VALUES (?, ?, ?, ?, ?, ?)",
                [_volume_row(number, self._volumes[number]) for number in sorted(self._dirty_volumes)],
            )
            self._index.execute_many(
                "INSERT OR REPLACE INTO namespaces VALUES (?, ?, ?)",
                [(name, *self._namespaces[name]) for name in sorted(self._dirty_namespaces)],
            )
            self._index.commit()
            self._looked_up.clear()
            self._fresh.clear()
            self._fresh_shares = 0
            self._dirty_volumes.clear()
            self._dirty_namespaces.clear()

    def close(self) -> None:
        with self._turn:
            self._index.close()

    def used_bytes(self) -> int:
        with self._turn:
            return sum(state.used_bytes for state in self._volumes.values())

    def share_count(self) -> int:
        with self._turn:
            return sum(shares for shares, _ in self._namespaces.values())

    def namespace_usage(self) -> Iterable[NamespaceUsage]:
        with self._turn:
            found = sorted(self._namespaces.items())
        return [NamespaceUsage(name, shares, size_bytes) for name, (shares, size_bytes) in found if shares]

    def stored_bytes(self, namespace: NamespaceId) -> int:
        with self._turn:
            return self._namespaces.get(namespace, (0, 0))[1]


def _spot(row: tuple[object, ...]) -> Spot:
    namespace, volume, place, meta_bytes, payload_bytes, damaged = row
    return Spot(
        NamespaceId(cast(bytes, namespace)),
        cast(int, volume),
        cast(int, place),
        cast(int, meta_bytes),
        cast(int, payload_bytes),
        bool(damaged),
    )


def _row(block: BlockId, index: int, spot: Spot) -> tuple[object, ...]:
    damaged = int(spot.is_damaged)
    return block, index, spot.namespace, spot.volume, spot.place, spot.meta_bytes, spot.payload_bytes, damaged


def _volume_row(number: int, state: VolumeState) -> tuple[object, ...]:
    return (
        number,
        state.size_bytes,
        state.punched_bytes,
        state.live_bytes,
        state.live_shares,
        int(state.is_sealed),
    )
