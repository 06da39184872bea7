"""The volumes of one disk: what appends to them, and what frees their space.

One thread at a time appends (`node.store.writer` sees to that), any number read (`node.store.reading`). A batch is
one write, one fdatasync, and only then counts: the index learns of it, and deleted payloads become holes.

What a failed write or sync left behind is cut off, so that no later entry comes to lie among its ruins. After a
failed sync the kernel may hold as clean what never reached the disk, so that volume is sealed and what it should
hold is read again; the same entries go to a new volume once. If that fails too, the disk takes no more until the
next start.
"""

from __future__ import annotations

import enum
import errno
from collections.abc import Iterable, Sequence
from typing import Final

from node.host.ports import Disk, File, Host
from node.logs import get_logger
from node.store.buffers import BufferPool
from node.store.config import DiskConfig, StoreConfig
from node.store.handles import Handles
from node.store.index import ShareIndex, Spot
from node.store.layout import DropWork, Layout, PutWork, Work, lay_out
from node.store.recover import Scan
from node.store.shares import DiskState, DiskUsage, ShareKey, Tombstone
from node.store.volume import Format, pack_header
from protocol.errors import Unavailable
from protocol.ids import BlockId
from protocol.limits import SHARES_MAX

log = get_logger(__name__)

_RUINS_MAX: Final = 10_000
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


class Outcome(enum.Enum):
    """What became of one piece of work. Only DONE is durable."""

    DONE = "done"
    FULL = "full"
    FAILING = "failing"


class _Ruins:
    """Shares of writes that failed. A crash may still bring them back, so deleting one needs a tombstone.

    The writing thread notes them, and others look: what they find is never changed, only replaced.
    """

    def __init__(self) -> None:
        self._of: dict[BlockId, frozenset[int]] = {}
        self._is_everything = False

    def note(self, works: Sequence[Work]) -> None:
        for work in works:
            if isinstance(work, PutWork):
                self._of[work.key.block] = self._of.get(work.key.block, frozenset()) | {work.key.index}
        if len(self._of) > _RUINS_MAX:
            self._is_everything = True
            self._of.clear()

    def may_hold(self, key: ShareKey) -> bool:
        return self._is_everything or key.index in self._of.get(key.block, ())

    def indexes_of(self, block: BlockId) -> Iterable[int]:
        """Which shares of the block may be among them."""
        return range(SHARES_MAX) if self._is_everything else self._of.get(block, frozenset())


class DiskVolumes:
    """All methods block. `append` and `remove` are for the writing thread alone."""

    def __init__(
        self,
        host: Host,
        disk: Disk,
        config: DiskConfig,
        limits: StoreConfig,
        salt: bytes,
        index: ShareIndex,
        pool: BufferPool,
    ) -> None:
        self.config = config
        self.limits = limits
        self.index = index
        self.handles = Handles(disk)
        self.punches_holes = True
        self.state = DiskState.GOOD
        self._disk = disk
        self._salt = salt
        self._faults = host.faults
        self._pool = pool
        self._active = 0
        self.ruins = _Ruins()

    def use(self, number: int) -> None:
        """Append to this volume from now on."""
        self._active = number

    @property
    def active(self) -> int:
        return self._active

    def format_of(self, number: int) -> Format:
        return Format(number, self._salt)

    def may_hold(self, key: ShareKey) -> bool:
        """Does it stand here, or may a crash bring it back?"""
        return self.index.find(key) is not None or self.ruins.may_hold(key)

    def room_bytes(self) -> int:
        """What may still be written. Raises OSError."""
        unused = self.config.capacity_bytes - self.index.used_bytes()
        return max(0, min(unused, self._disk.free_bytes() - self.config.reserve_bytes))

    def usage(self, path: str) -> DiskUsage:
        try:
            room_bytes = self.room_bytes()
        except OSError:
            room_bytes = 0
        state = DiskState.FULL if self.state is DiskState.GOOD and not room_bytes else self.state
        used_bytes, shares = self.index.used_bytes(), self.index.share_count()
        return DiskUsage(path, self.config.capacity_bytes, used_bytes, room_bytes, shares, state)

    def append(self, works: Sequence[Work]) -> list[Outcome]:
        """Make the works durable, in their order; what is done already is not done again."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(works):
            outcomes += self._append_some(works[len(outcomes) :])
        self._flush_when_due()
        return outcomes

    def _flush_when_due(self) -> None:
        try:
            if self.index.lags:
                self.index.flush()
        except Unavailable as error:
            # The index's own disk is full. It may lag: what it lacks is read from the volumes at the next start.
            log.warning("index-lags", disk=self.config.path, reason=str(error))

    def _append_some(self, works: Sequence[Work]) -> list[Outcome]:
        """As `append`, up to where a share would be put and deleted in one batch, which has no order for that."""
        accepted, outcomes = self._accept(works)
        result = self._write_somewhere(accepted) if accepted else Outcome.DONE
        return [result if outcome is None else outcome for outcome in outcomes]

    def _accept(self, works: Sequence[Work]) -> tuple[list[Work], list[Outcome | None]]:
        """What must be written; and what is decided already (None shares the fate of the write)."""
        if self.state is DiskState.FAILING:
            return [], [self._outcome_unwritten(work) for work in works]
        room_bytes = self._room_or_nothing()
        coming: dict[ShareKey, type[Work]] = {}
        accepted: list[Work] = []
        outcomes: list[Outcome | None] = []
        for work in works:
            if coming.get(work.key, type(work)) is not type(work):
                break
            if work.key in coming:
                outcomes.append(None)
            elif self._is_needless(work):
                outcomes.append(Outcome.DONE)
            elif isinstance(work, PutWork) and work.size_bytes > room_bytes:
                outcomes.append(Outcome.FULL)
            else:
                room_bytes -= work.size_bytes
                coming[work.key] = type(work)
                accepted.append(work)
                outcomes.append(None)
        return accepted, outcomes

    def _room_or_nothing(self) -> int:
        try:
            return self.room_bytes()
        except OSError as error:
            log.error("disk-unreadable", disk=self.config.path, reason=str(error))
            return 0

    def _outcome_unwritten(self, work: Work) -> Outcome:
        return Outcome.DONE if self._is_needless(work) else Outcome.FAILING

    def _is_needless(self, work: Work) -> bool:
        spot = self.index.find(work.key)
        if isinstance(work, DropWork):
            if spot is None and self.ruins.may_hold(work.key):
                return False
            # A carried tombstone is about older copies than the one that stands now.
            return (spot is None) == (work.victim_volume is None)
        if work.moved_from is not None:
            return spot != work.moved_from
        return spot is not None and not spot.is_damaged

    def _write_somewhere(self, works: list[Work]) -> Outcome:
        for _ in range(2):
            try:
                self._write(works)
                return Outcome.DONE
            except OSError as error:
                self.ruins.note(works)
                log.error("write-failed", disk=self.config.path, volume=self._active, reason=str(error))
                if error.errno in _NO_SPACE:
                    return Outcome.FULL
        self.state = DiskState.FAILING
        return Outcome.FAILING

    def _write(self, works: list[Work]) -> None:
        size_bytes = sum(work.size_bytes for work in works)
        start = self.index.volume(self._active).size_bytes
        if start > 0 and start + size_bytes > self.limits.volume_bytes:
            self._active += 1
            start = self.index.volume(self._active).size_bytes
        form = self.format_of(self._active)
        tombstones = [self._tombstone(work) for work in works if isinstance(work, DropWork)]
        layout = lay_out(form, pack_header(self._active, self._salt), works, tombstones, start, self._pool)
        try:
            with self.handles.lease(self._active) as file:
                self._make_durable(file, layout)
        finally:
            self._pool.give(layout.scratch)
        self._learn(layout)

    def _make_durable(self, file: File, layout: Layout) -> None:
        try:
            self._faults.reach_blocking("store.before-write")
            file.write(layout.start, layout.parts)
            self._faults.reach_blocking("store.before-sync")
        except Exception:
            self._cut(file, layout.start)
            raise
        try:
            file.sync()
        except OSError:
            self._seal_after_failed_sync(file, layout.start)
            raise
        self._faults.reach_blocking("store.after-sync")

    def _tombstone(self, work: DropWork) -> Tombstone:
        if work.victim_volume is not None:
            return Tombstone(work.key, work.victim_volume)
        spot = self.index.find(work.key)
        return Tombstone(work.key, self._active if spot is None else spot.volume)

    def _learn(self, layout: Layout) -> None:
        """The batch is durable: let reads find it, then free what it made useless."""
        useless = [self.index.put(key, spot) for key, spot in layout.puts]
        useless += [self.index.drop(key, (self._active, place)) for key, place in layout.drops]
        self.index.reached(self._active, layout.end)
        for spot in useless:
            if spot is not None:
                self.free(spot)

    def free(self, spot: Spot) -> None:
        """Give a useless payload back to the disk. A failure costs space, nothing else."""
        if not self.punches_holes or not spot.payload_bytes:
            return
        self._faults.reach_blocking("store.before-punch")
        try:
            with self.handles.lease(spot.volume) as file:
                self.punches_holes = file.punch(spot.place + spot.front_bytes, spot.payload_span_bytes)
        except OSError as error:
            log.warning("punch-failed", disk=self.config.path, volume=spot.volume, reason=str(error))
            return
        if self.punches_holes:
            self.index.punched(spot.volume, spot.payload_span_bytes)

    def _cut(self, file: File, size_bytes: int) -> None:
        """Drop what a failed write left, for good; if even that fails, write here no more."""
        try:
            file.truncate(size_bytes)
            file.sync()
        except OSError:
            self._seal()

    def _seal(self) -> None:
        log.error("volume-sealed", disk=self.config.path, volume=self._active)
        self.index.seal(self._active)
        self._active += 1

    def _seal_after_failed_sync(self, file: File, size_bytes: int) -> None:
        number = self._active
        self._seal()
        try:
            file.truncate(size_bytes)
            self._read_again(number, file)
        except OSError as error:
            log.error("volume-unreadable", disk=self.config.path, volume=number, reason=str(error))

    def _read_again(self, number: int, file: File) -> None:
        """Which shares can still be found in this volume? The others count as not held, so that they are repaired."""
        scan = Scan(file, self.format_of(number), durable_bytes=self.index.volume(number).size_bytes)
        good = {entry.place for entry in scan.entries(lambda _: False)}
        for key, spot in self.index.in_volume(number):
            if spot.place not in good:
                self.index.mark_damaged(key, spot)

    def remove(self, number: int) -> None:
        """Delete a volume in which nothing is needed any more."""
        self.index.forget_volume(number)
        self.handles.remove(number)

    def close(self) -> None:
        """Bring the index up to date, so that the next start has nothing to read."""
        try:
            self.index.flush()
        finally:
            self.index.close()
            self.handles.close()
