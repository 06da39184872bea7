"""The records a node knows, on its disk: appended, never changed, and never the only copy.

`NODE_DIR/records` opens with a magic and a version; each entry is its length, a checksum and the encoded record. What
a crash left half-written, or a disk spoilt, is dropped when the file is opened: peers have it, anti-entropy brings it
back. The file is written anew when it holds much that the view no longer keeps, or when a sync failed, after which
nothing is known of what was written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import PurePath

import trio

from node.host.ports import File, Host
from node.logs import get_logger
from protocol import limits
from protocol.errors import Damaged, MaillonError
from protocol.ids import FederationId
from protocol.keys.derive import digest
from protocol.members.records import Record, decode_record, encode_record
from protocol.members.view import View

RECORDS_PATH = PurePath("records")
MAGIC = b"MAILLONR\x01"
# A file may hold this many times what the view keeps before it is written anew.
WASTE_FACTOR = 4
WASTE_BYTES_MIN = 64 * limits.KIB

_ENTRY = struct.Struct(">I16s")
_CHECKSUM_CONTEXT = "maillon 2026 records file checksum 1"

_log = get_logger(__name__)


class RecordsFile:
    """The open file. One append at a time; each is durable on return."""

    def __init__(self, host: Host, view: View, file: File, size_bytes: int) -> None:
        self._host = host
        self._view = view
        self._file = file
        self._size_bytes = size_bytes
        self._limit_bytes = max(WASTE_BYTES_MIN, WASTE_FACTOR * size_bytes)
        self._whole = True
        self._lock = trio.Lock()

    async def append(self, records: Sequence[Record]) -> None:
        """Write the records at the end, and sync.

        Raises:
            Damaged: `records-unwritten`; the next append writes the whole view anew.
        """
        if not records:
            return
        async with self._lock:
            await self._host.faults.reach("mesh.before-records")
            # Read here, not in the thread: only this one may look at the view.
            anew = not self._whole or self._size_bytes > self._limit_bytes
            kept = self._view.records() if anew else []
            try:
                await self._host.threads.run_blocking(self._append, list(records), kept)
            except OSError as error:
                raise Damaged("records-unwritten", reason=error.strerror or "") from error

    def _append(self, records: list[Record], kept: list[Record]) -> None:
        if kept:
            self.rewrite(kept)
        entries = b"".join(_entry(record) for record in records)
        self._whole = False
        self._file.write(self._size_bytes, [entries])
        self._file.sync()
        self._size_bytes += len(entries)
        self._whole = True

    def rewrite(self, kept: Sequence[Record]) -> None:
        """Put these records in place of all that the file holds. Blocking."""
        self._file.close()
        content = MAGIC + b"".join(_entry(record) for record in kept)
        self._host.disk.replace(RECORDS_PATH, content)
        self._file = self._host.disk.open(RECORDS_PATH)
        self._size_bytes = len(content)
        self._limit_bytes = max(WASTE_BYTES_MIN, WASTE_FACTOR * len(content))


async def open_records(host: Host, federation: FederationId) -> tuple[RecordsFile, View]:
    """The file, made when absent, and the view of everything good in it.

    Raises:
        Damaged: `records-unwritten` when the disk refuses.
    """
    try:
        return await host.threads.run_blocking(_open, host, federation)
    except OSError as error:
        raise Damaged("records-unwritten", reason=error.strerror or "") from error


def _open(host: Host, federation: FederationId) -> tuple[RecordsFile, View]:
    view = View(federation)
    file = host.disk.open(RECORDS_PATH)
    content = bytearray(file.size())
    file.read_into(0, memoryview(content))
    good = list(_entries(content))
    kept = sum(_ENTRY.size + len(raw) for raw in good) + len(MAGIC)
    view.admit_all([record for raw in good if (record := _decoded(raw)) is not None])
    records_file = RecordsFile(host, view, file, len(content))
    lost_bytes = len(content) - kept
    needed = sum(len(_entry(record)) for record in view.records())
    if lost_bytes or len(content) > max(WASTE_BYTES_MIN, WASTE_FACTOR * needed):
        if content and lost_bytes > 0:
            _log.warning("records-damaged", lost_bytes=lost_bytes)
        records_file.rewrite(view.records())
    return records_file, view


def _entries(content: bytearray) -> Iterator[bytes]:
    """Every entry with a good checksum; one that is spoilt is stepped over while its length makes sense."""
    if content[: len(MAGIC)] != MAGIC:
        return
    offset = len(MAGIC)
    while offset + _ENTRY.size <= len(content):
        size, checksum = _ENTRY.unpack_from(content, offset)
        start, offset = offset + _ENTRY.size, offset + _ENTRY.size + size
        if size > limits.RECORD_BYTES_MAX or offset > len(content):
            return
        raw = bytes(content[start:offset])
        if _checksum(raw) == checksum:
            yield raw


def _decoded(raw: bytes) -> Record | None:
    try:
        return decode_record(raw)
    except MaillonError:
        return None


def _entry(record: Record) -> bytes:
    raw = encode_record(record)
    return _ENTRY.pack(len(raw), _checksum(raw)) + raw


def _checksum(raw: bytes) -> bytes:
    return digest(_CHECKSUM_CONTEXT, raw)[:16]
