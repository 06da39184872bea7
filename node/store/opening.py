"""Opening a disk: from whatever is on it to an index that agrees with its volumes.

The index says how far it had read each volume; only the rest is scanned, so a start costs what was written since.
Nothing durable is ever cut: a volume is shortened only beyond its last entry and its watermark, and one that had to
be shortened, or holds damage, is not written to again. Whatever is wrong with the index, it is made anew.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from node.host.ports import Disk, File, Host
from node.logs import get_logger
from node.store.buffers import BufferPool
from node.store.config import DiskConfig, StoreConfig
from node.store.handles import VOLUMES_DIRECTORY, volume_numbers, volume_path
from node.store.index import ShareIndex, Spot
from node.store.recover import Entry, Scan, read_exactly
from node.store.salt import find_salt
from node.store.shares import DiskState, unpack_share, unpack_tombstones
from node.store.volume import EntryKind
from node.store.volumes import DiskVolumes
from protocol.coding.label import ShareProof, verify_leaves
from protocol.errors import Damaged, Forged, Malformed, OverLimit
from protocol.keys.derive import derive_key
from protocol.wire import schema

log = get_logger(__name__)

_SALT_PATH: Final = VOLUMES_DIRECTORY / "disk"
_NAME_CONTEXT: Final = "maillon/1 disk name"


def open_volumes(
    host: Host, config: DiskConfig, limits: StoreConfig, pool: BufferPool, *, rebuild: bool = False
) -> DiskVolumes:
    """The disk's volumes, ready to read and append; with `rebuild` the index there is, is not believed. Blocks.

    Raises:
        Damaged: `disk-unreadable` when there are volumes but no trace of the salt they were written with.
        OSError, Unavailable: from the host, when the disk is not there.
    """
    disk = host.open_disk(config.path)
    volumes = [volume_path(number) for number in volume_numbers(disk)]
    salt = find_salt(disk, host.entropy, _SALT_PATH, volumes, name=config.path)
    path = PurePath("index") / f"shares-{derive_key(_NAME_CONTEXT, salt)[:6].hex()}.sqlite"
    try:
        if not rebuild:
            return _open_with_index(host, disk, config, limits, salt, path, pool)
    except Damaged as error:
        if error.identifier != "index-damaged":
            raise
        log.warning("index-damaged", disk=config.path, reason=str(error))
    log.warning("index-rebuilt", disk=config.path)
    for suffix in ("", "-wal", "-shm"):
        host.disk.remove(path.with_name(path.name + suffix))
    return _open_with_index(host, disk, config, limits, salt, path, pool)


def _open_with_index(
    host: Host, disk: Disk, config: DiskConfig, limits: StoreConfig, salt: bytes, path: PurePath, pool: BufferPool
) -> DiskVolumes:
    opened = host.open_index(path)
    try:
        index = ShareIndex(opened, salt, lag_max=limits.index_lag_max)
        volumes = DiskVolumes(host, disk, config, limits, salt, index, pool)
        _Recovery(volumes, disk).run()
    except BaseException:
        opened.close()
        raise
    return volumes


class _Recovery:
    """One pass over the disk, in the order of its log."""

    def __init__(self, volumes: DiskVolumes, disk: Disk) -> None:
        self._volumes = volumes
        self._index = volumes.index
        self._disk = disk

    def run(self) -> None:
        numbers = volume_numbers(self._disk)
        for number in sorted(set(self._index.volumes()) - set(numbers)):
            log.error("volume-missing", disk=self._volumes.config.path, volume=number)
            self._index.forget_volume(number)
        usable = 0
        for number in numbers:
            is_clean = self._read_volume(number)
            is_open = is_clean and not self._index.volume(number).is_sealed
            usable = number if is_open else number + 1
        self._volumes.use(usable or 1)
        self._index.flush()

    def _read_volume(self, number: int) -> bool:
        """Bring the index up to the volume's end. True when the volume may be appended to."""
        state = self._index.volume(number)
        with self._volumes.handles.lease(number) as file:
            size_bytes = file.size()
            if size_bytes < state.size_bytes:
                log.error("volume-truncated", disk=self._volumes.config.path, volume=number, size_bytes=size_bytes)
                self._index.cut_volume(number, size_bytes)
                return False
            if size_bytes == state.size_bytes:
                return size_bytes > 0
            if state.is_sealed:
                # The rest is the ruin of a failed sync. What came of it is in a later volume, perhaps deleted since.
                self._cut(number, file, state.size_bytes)
                return False
            return self._scan(number, file, state.size_bytes)

    def _scan(self, number: int, file: File, known_bytes: int) -> bool:
        form = self._volumes.format_of(number)
        scan = Scan(file, form, known_bytes, known_bytes)
        for entry in scan.entries(lambda entry: payload_is_good(file, entry)):
            self._learn(number, entry)
            if self._index.lags:
                # Without a new mark: a crash from here on repeats the scan, and positions make that harmless.
                self._index.flush()
        end = scan.cut_bytes()
        for gap in scan.gaps:
            log.warning("volume-gap", volume=number, place=gap.place, size_bytes=gap.size_bytes)
        if scan.size_bytes < form.first_place:
            end = 0
        if end < scan.size_bytes:
            self._cut(number, file, end)
        self._index.reached(number, end)
        is_clean = end > 0 and not scan.gaps
        if not is_clean:
            self._index.seal(number)
        return is_clean

    def _cut(self, number: int, file: File, size_bytes: int) -> None:
        """Shorten the volume for good: what a crash brings back later could have been deleted by then."""
        try:
            file.truncate(size_bytes)
            file.sync()
        except OSError as error:
            log.error("cut-failed", disk=self._volumes.config.path, volume=number, reason=str(error))
            self._volumes.state = DiskState.FAILING

    def _learn(self, number: int, entry: Entry) -> None:
        if entry.head.kind is EntryKind.SHARE:
            facts = unpack_share(entry.meta)
            spot = Spot(facts.namespace, number, entry.place, entry.head.meta_bytes, entry.head.payload_bytes)
            self._free(self._index.put(facts.key, spot))
        elif entry.head.kind is EntryKind.TOMBSTONES:
            for tombstone in unpack_tombstones(entry.meta):
                self._free(self._index.drop(tombstone.key, (number, entry.place)))

    def _free(self, useless: Spot | None) -> None:
        if useless is not None:
            self._volumes.free(useless)


def payload_is_good(file: File, entry: Entry) -> bool:
    """Do the payload's leaves match the entry's proof? Asked only where nothing says that it was ever durable."""
    if entry.head.kind is not EntryKind.SHARE:
        return True
    payload = read_exactly(file, entry.payload_place, entry.head.payload_bytes)
    try:
        verify_leaves(schema.decode(ShareProof, unpack_share(entry.meta).proof), 0, payload)
    except (Forged, Malformed, OverLimit):
        return False
    return True
