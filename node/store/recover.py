"""Reading a volume back: every valid entry, whatever happened to the bytes between them.

A scan walks from entry to entry. Where the bytes make no entry it searches for the next mark, and believes it only
with its checksum. It never cuts: it reports where the last good entry ends and how far the volume is known to be
durable, and its caller may drop only what lies beyond both.

Payloads are not read below the watermark (a fdatasync returned for them, and every read checks leaves anyway). Above
it the head may have reached the disk without its payload, so there they are verified in full.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from node.host.direct import PAGE_BYTES
from node.host.ports import File
from node.store.volume import HEAD_BYTES, Format, Head, rounded
from protocol.limits import KIB, MIB

_WINDOW_BYTES: Final = 256 * KIB
_SEARCH_BYTES: Final = 1 * MIB


@dataclass(frozen=True, slots=True)
class Entry:
    """A valid entry found at `place`."""

    place: int
    head: Head
    meta: bytes
    payload_place: int
    end: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that make no entry."""

    place: int
    size_bytes: int


class _Window:
    """The bytes around the last look: small entries share one read, and large ones are not read for their heads."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._buffer = memoryview(mmap.mmap(-1, _WINDOW_BYTES))
        self._start = 0
        self._filled_bytes = 0

    def at(self, place: int, size_bytes: int) -> memoryview:
        """`size_bytes` from `place`, valid until the next call; less at the end of the file."""
        skip = place - self._start
        if not 0 <= skip <= self._filled_bytes - size_bytes:
            page = place - place % PAGE_BYTES
            wanted_bytes = rounded(place - page + size_bytes, PAGE_BYTES)
            if wanted_bytes > _WINDOW_BYTES:
                return memoryview(_read(self._file, place, size_bytes))
            if 0 <= page - self._start <= 2 * _WINDOW_BYTES:
                wanted_bytes = _WINDOW_BYTES
            self._filled_bytes = self._file.read_into(page, self._buffer[:wanted_bytes])
            self._start, skip = page, place - page
        return self._buffer[skip : min(skip + size_bytes, self._filled_bytes)]


@dataclass(slots=True)
class Scan:
    """Iterate `entries()` to its end, then read the rest."""

    file: File
    format: Format
    start: int = 0
    durable_bytes: int = 0
    size_bytes: int = 0
    end_bytes: int = 0
    gaps: list[Gap] = field(default_factory=list)
    _window: _Window = field(init=False)

    def __post_init__(self) -> None:
        self._window = _Window(self.file)

    def entries(self, payload_is_good: Callable[[Entry], bool]) -> Iterator[Entry]:
        """Every entry that is whole. `payload_is_good` is asked about those above the watermark known by then."""
        self.size_bytes = self.file.size()
        self.end_bytes = place = min(max(self.start, self.format.first_place), self.size_bytes)
        unsure: list[Entry] = []
        while place < self.size_bytes:
            entry = self._entry_at(place)
            if entry is None:
                found = self._next_entry(place + 1)
                end = self.size_bytes if found is None else found.place
                self.gaps.append(Gap(place, end - place))
                place, entry = end, found
                if entry is None:
                    break
            place = entry.end
            self.durable_bytes = max(self.durable_bytes, entry.head.synced_bytes)
            unsure.append(entry)
            # An entry becomes certain once a later one says that the volume was durable past it. So at most the
            # last batch or two are held back here.
            while unsure and unsure[0].end <= self.durable_bytes:
                yield self._good(unsure.pop(0))
        for entry in unsure:
            if payload_is_good(entry):
                yield self._good(entry)
            else:
                self.gaps.append(Gap(entry.place, entry.end - entry.place))

    def _good(self, entry: Entry) -> Entry:
        self.end_bytes = max(self.end_bytes, entry.end)
        return entry

    def cut_bytes(self) -> int:
        """Beyond this nothing is an entry and nothing was ever durable."""
        return max(self.end_bytes, min(self.durable_bytes, self.size_bytes))

    def _entry_at(self, place: int) -> Entry | None:
        head = self.format.parse(self._window.at(place, HEAD_BYTES))
        if head is None or place + self.format.entry_bytes(head) > self.size_bytes:
            return None
        raw = self._window.at(place, HEAD_BYTES + head.meta_bytes)
        meta = bytes(raw[HEAD_BYTES:])
        if len(meta) < head.meta_bytes or not self.format.is_good(place, raw, meta):
            return None
        payload_place = place + self.format.front_bytes(head.meta_bytes)
        return Entry(place, head, meta, payload_place, place + self.format.entry_bytes(head))

    def _next_entry(self, start: int) -> Entry | None:
        mark = self.format.mark
        window_at = start
        while window_at < self.size_bytes:
            window = _read(self.file, window_at, _SEARCH_BYTES)
            found = window.find(mark)
            while found >= 0:
                place = window_at + found
                entry = self._entry_at(place) if place % self.format.step_bytes == 0 else None
                if entry is not None:
                    return entry
                found = window.find(mark, found + 1)
            if len(window) < _SEARCH_BYTES:
                break
            window_at += len(window) - len(mark) + 1
        return None


def read_exactly(file: File, place: int, size_bytes: int) -> bytes:
    """`size_bytes` from `place`; less at the end of the file."""
    return _read(file, place, size_bytes)


def _read(file: File, place: int, size_bytes: int) -> bytes:
    buffer = bytearray(size_bytes)
    count = file.read_into(place, memoryview(buffer))
    return bytes(buffer[:count])
