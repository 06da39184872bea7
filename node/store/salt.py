"""The salt of a disk's volumes: kept in a file of its own and in the header of every volume, so that no single piece
of damage makes the others unreadable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from node.host.ports import Disk, Entropy
from node.logs import get_logger
from node.store.recover import read_exactly
from node.store.volume import HEADER_BYTES, SALT_BYTES, pack_header, salt_of
from protocol.errors import Damaged, Malformed, OverLimit

log = get_logger(__name__)


def find_salt(disk: Disk, entropy: Entropy, path: PurePath, volumes: Sequence[PurePath], *, name: str) -> bytes:
    """From the file at `path`, else from any volume's header, else a new one if there are no volumes yet. Blocks.

    Raises:
        Damaged: `disk-unreadable` when there are volumes but no trace of the salt they were written with.
        Malformed: `volume-version` when a later program wrote them.
    """
    if disk.exists(path):
        try:
            return salt_of(disk.read(path, size_bytes_max=HEADER_BYTES))
        except (Malformed, OverLimit) as error:
            _raise_if_newer(error)
            log.warning("disk-file-damaged", disk=name)
    headers = [_header_of(disk, volume) for volume in volumes]
    salt = next((found for found in map(_salt_or_none, headers) if found is not None), None)
    if salt is None:
        if any(headers):
            raise Damaged("disk-unreadable", disk=name)
        salt = entropy.random_bytes(SALT_BYTES)
    disk.replace(path, pack_header(0, salt), private=True)
    return salt


def _header_of(disk: Disk, volume: PurePath) -> bytes:
    file = disk.open(volume)
    try:
        return read_exactly(file, 0, HEADER_BYTES)
    finally:
        file.close()


def _salt_or_none(header: bytes) -> bytes | None:
    try:
        return salt_of(header)
    except Malformed as error:
        _raise_if_newer(error)
        return None


def _raise_if_newer(error: Exception) -> None:
    if isinstance(error, Malformed) and error.identifier == "volume-version":
        raise error
