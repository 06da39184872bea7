"""Volumes that are mostly dead give their space back: what still lives is copied to the end of the log, durably,
and then the file is removed.

Where the disk punches holes this is needed only for volumes with nothing alive; elsewhere it is the only way that
deleting frees anything. Copies go through the disk's writer like any other share, a few at a time, so that puts
never wait for long. A tombstone is carried over as long as any volume as old as its victim's is left, as an older
copy of the share might come to light there when the index is rebuilt.
"""

from __future__ import annotations

from node.host.ports import Host
from node.logs import get_logger
from node.store.config import StoreConfig
from node.store.index import VolumeState
from node.store.layout import DropWork, PutWork, Work
from node.store.recover import Entry, Scan, read_exactly
from node.store.shares import unpack_share, unpack_tombstones
from node.store.storedisk import StoreDisk
from node.store.volume import EntryKind
from node.store.volumes import Outcome

log = get_logger(__name__)


class Compactor:
    """Looks over one disk."""

    def __init__(self, host: Host, config: StoreConfig, disk: StoreDisk) -> None:
        self._host = host
        self._config = config
        self._disk = disk

    async def compact(self) -> int:
        """Compact what is worth it. Returns how many volumes were removed."""
        volumes = self._disk.volumes
        removed = 0
        states = volumes.index.volumes()
        # The newest volume with entries stays, whatever is in it: a number is never given twice, or an old copy of
        # the index would take one volume for the other.
        newest = max((number for number, state in states.items() if state.size_bytes), default=0)
        for number, state in sorted(states.items()):
            if number < newest and self._is_worth_it(state) and await self._compact(number):
                removed += 1
        return removed

    def _is_worth_it(self, state: VolumeState) -> bool:
        if not state.live_shares:
            return True
        if self._disk.volumes.punches_holes:
            return False
        return state.live_bytes * 100 < state.size_bytes * self._config.compact_below_percent

    async def _compact(self, number: int) -> bool:
        works = await self._host.threads.run_blocking(self._list_needed, number)
        for work in works:
            filled = await self._host.threads.run_blocking(self._with_payload, number, work)
            if filled is None or await self._disk.writer.submit(filled) is not Outcome.DONE:
                log.warning("compaction-stopped", disk=self._disk.path, volume=number)
                return False
        if self._disk.volumes.index.volume(number).live_shares:
            return False
        await self._host.threads.run_blocking(self._disk.volumes.remove, number)
        log.info("volume-compacted", disk=self._disk.path, volume=number, carried=len(works))
        return True

    def _list_needed(self, number: int) -> list[Work]:
        """The live shares (without bytes) and the tombstones that must be carried over."""
        volumes = self._disk.volumes
        oldest_other = min(other for other in [*volumes.index.volumes(), volumes.active] if other != number)
        works: list[Work] = []
        with volumes.handles.lease(number) as file:
            scan = Scan(file, volumes.format_of(number), durable_bytes=volumes.index.volume(number).size_bytes)
            for entry in scan.entries(lambda _: True):
                if entry.head.kind is EntryKind.SHARE:
                    works.extend(self._live_share(number, entry))
                elif entry.head.kind is EntryKind.TOMBSTONES:
                    tombstones = unpack_tombstones(entry.meta)
                    works += [DropWork(one.key, one.volume) for one in tombstones if oldest_other <= one.volume]
        return works

    def _live_share(self, number: int, entry: Entry) -> list[PutWork]:
        facts = unpack_share(entry.meta)
        spot = self._disk.volumes.index.find(facts.key)
        if spot is None or spot.position != (number, entry.place):
            return []
        return [PutWork(facts.key, facts.namespace, entry.meta, (), entry.head.payload_bytes, spot)]

    def _with_payload(self, number: int, work: Work) -> Work | None:
        if isinstance(work, DropWork) or work.moved_from is None:
            return work
        spot = work.moved_from
        with self._disk.volumes.handles.lease(number) as file:
            payload = read_exactly(file, spot.place + spot.front_bytes, spot.payload_bytes)
        if len(payload) < spot.payload_bytes:
            return None
        return PutWork(work.key, work.namespace, work.meta, (payload,), work.payload_bytes, spot)
