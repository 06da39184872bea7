"""This node's copy of one epoch of a journal: the opening, then its entries, in files of its own.

A copy is one small volume, or several parts when a sync failed and the next part had to be begun. Each part opens
with the epoch's opening. What is read back is believed as far as the chain reaches: entries are taken by their
position, wherever they stand, so that an entry that was damaged and is sent again by the writer closes the gap, and
those after it count again.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from node.host.ports import Buffer, Disk, Faults, File
from node.logs import get_logger
from node.store.recover import Entry as VolumeEntry
from node.store.recover import Scan, read_exactly
from node.store.volume import HEAD_BYTES, JOURNAL_STEP_BYTES, EntryKind, Format, Head, pack_header
from protocol.errors import Damaged, MaillonError, Missing, Refused, Unavailable
from protocol.ids import Digest, NamespaceId, identity_from_text, text_of
from protocol.namespace import journal
from protocol.namespace.journal import Opening, Tip

log = get_logger(__name__)

JOURNALS_DIRECTORY: Final = PurePath("journals")
_SUFFIX: Final = ".journal"
_PLACE_BITS: Final = 48
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True, order=True)
class JournalName:
    """Which epoch of whose journal."""

    namespace: NamespaceId
    epoch: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry's encoded bytes stand."""

    part: int
    place: int
    size_bytes: int


def part_path(name: JournalName, part: int) -> PurePath:
    return JOURNALS_DIRECTORY / f"{text_of(name.namespace)}-{name.epoch}-{part}{_SUFFIX}"


def journal_parts(disk: Disk) -> dict[JournalName, list[int]]:
    """Every epoch that has files on the disk, and its parts."""
    found: dict[JournalName, list[int]] = {}
    for file_name in disk.list(JOURNALS_DIRECTORY):
        pieces = file_name.removesuffix(_SUFFIX).split("-")
        if file_name.endswith(_SUFFIX) and len(pieces) == 3 and pieces[1].isdecimal() and pieces[2].isdecimal():
            name = JournalName(NamespaceId(identity_from_text(pieces[0])), int(pieces[1]))
            found.setdefault(name, []).append(int(pieces[2]))
    return {name: sorted(parts) for name, parts in sorted(found.items())}


class JournalCopy:
    """All methods block; `load` first. One `append` or `open` at a time; `read` may go on beside it."""

    def __init__(self, disk: Disk, faults: Faults, salt: bytes, name: JournalName, parts: Sequence[int]) -> None:
        self.name = name
        self.opening: Opening | None = None
        self.opening_bytes = b""
        self.tip = Tip(0, Digest(bytes(32)))
        self._disk = disk
        self._faults = faults
        self._salt = salt
        self._parts = list(parts)
        self._files: dict[int, File] = {}
        self._sizes: dict[int, int] = {}
        self._places: array[int] = array("Q")
        self._lengths: array[int] = array("L")
        # While loading: the hash after each number of entries.
        self._heads: list[Digest] = []

    def load(self) -> None:
        """Read what the files hold, as far as it chains; cut what a crash left unfinished."""
        scanned: dict[int, list[tuple[journal.Entry, _Place]]] = {}
        self._forget()
        for part in self._parts:
            file = self._file(part)
            scan = Scan(file, self._format())
            for found in scan.entries(lambda _: True):
                self._learn(part, found, scanned)
            for gap in scan.gaps:
                log.warning("journal-gap-in-file", **self._named(), part=part, place=gap.place)
            self._sizes[part] = 0 if scan.size_bytes < self._format().first_place else scan.cut_bytes()
            if self._sizes[part] < scan.size_bytes:
                file.truncate(self._sizes[part])
        if self.opening is not None:
            self._chain(scanned)
        self._heads = []

    def _forget(self) -> None:
        self.opening, self.opening_bytes = None, b""
        self._places, self._lengths = array("Q"), array("L")

    def _learn(self, part: int, found: VolumeEntry, scanned: dict[int, list[tuple[journal.Entry, _Place]]]) -> None:
        try:
            if found.head.kind is EntryKind.JOURNAL_OPENING and self.opening is None:
                self.opening = journal.decode_opening(found.meta)
                self.opening_bytes = found.meta
                self.tip = journal.start_of(self.opening)
                self._heads = [self.tip.head]
            elif found.head.kind is EntryKind.JOURNAL_ENTRY:
                entry = journal.decode_entry(found.meta)
                place = _Place(part, found.place + HEAD_BYTES, found.head.meta_bytes)
                if self._go_on(entry, place):
                    return
                scanned.setdefault(entry.position, []).append((entry, place))
        except MaillonError as error:
            log.error("journal-entry-unreadable", **self._named(), part=part, place=found.place, reason=str(error))

    def _go_on(self, entry: journal.Entry, place: _Place) -> bool:
        """Take the entry if it is the next. (It was checked when it came, and its checksum is good.)"""
        if self.opening is None:
            return False
        if entry.position < self.tip.length:
            self._step_back(entry)
        if (entry.position, entry.previous) != self.tip:
            return False
        self._keep(place, Tip(self.tip.length + 1, journal.entry_hash(entry)))
        self._heads.append(self.tip.head)
        return True

    def _step_back(self, entry: journal.Entry) -> None:
        """Give up what follows if the entry is another one for its position: when it was written, nothing did.

        The earlier one is the ruin of a write that failed, was never acknowledged, and came back after a crash.
        """
        if journal.entry_hash(entry) == self._heads[entry.position + 1]:
            return
        if entry.previous == self._heads[entry.position]:
            self.tip = Tip(entry.position, entry.previous)
            del self._places[entry.position :]
            del self._lengths[entry.position :]
            del self._heads[entry.position + 1 :]

    def _chain(self, scanned: dict[int, list[tuple[journal.Entry, _Place]]]) -> None:
        """Go on with entries that stand out of order."""
        while any(self._go_on(entry, place) for entry, place in scanned.pop(self.tip.length, [])):
            pass
        if scanned and max(scanned) >= self.tip.length:
            log.error("journal-damaged", **self._named(), length=self.tip.length, seen=max(scanned) + 1)

    def _keep(self, place: _Place, tip: Tip) -> None:
        self._places.append(place.part << _PLACE_BITS | place.place)
        self._lengths.append(place.size_bytes)
        self.tip = tip

    def open(self, opening: Opening, encoded: bytes) -> None:
        """Hold the epoch. Durable on return.

        Raises:
            Refused: `journal-opening-other` when it is held with another opening.
            Unavailable: `store-full`, `store-failing`.
        """
        if self.opening is not None:
            if encoded != self.opening_bytes:
                raise Refused("journal-opening-other", namespace=self.name.namespace, epoch=self.name.epoch)
            return
        self.opening_bytes = encoded
        try:
            self._write_somewhere([])
        except BaseException:
            self.opening_bytes = b""
            raise
        # Entries of earlier parts count again, now that there is an opening to chain them to.
        self.load()

    def append(self, first: int, entries: Sequence[Buffer]) -> Tip:
        """Keep those of the entries, said to begin at position `first`, that are new. Durable on return.

        Raises:
            Missing: `journal-epoch`. Unavailable: `journal-gap`, `store-full`, `store-failing`.
            Forged, Malformed, OverLimit: from `protocol.namespace.journal.accept`.
        """
        if self.opening is None:
            raise self._missing()
        taken = journal.take(self.opening, self.tip, first, entries)
        fresh = [bytes(entry) for entry in entries[taken.skip :]]
        if fresh:
            places = self._write_somewhere(fresh)
            for place in places[:-1]:
                self._keep(place, self.tip)
            self._keep(places[-1], taken.tip)
        return self.tip

    def read(self, first: int, length: int, size_bytes_max: int) -> tuple[bytes, ...]:
        """Encoded entries from `first` on, below `length`, at most so many bytes together but at least one.

        Raises:
            Damaged: `journal-damaged`, with the position.
        """
        places, lengths = self._places, self._lengths
        entries: list[bytes] = []
        left_bytes = size_bytes_max
        for position in range(first, length):
            left_bytes -= lengths[position]
            if entries and left_bytes < 0:
                break
            entries.append(self._read_one(position, places[position], lengths[position]))
        return tuple(entries)

    def _read_one(self, position: int, packed_place: int, size_bytes: int) -> bytes:
        part, place = packed_place >> _PLACE_BITS, packed_place & (1 << _PLACE_BITS) - 1
        raw = read_exactly(self._file(part), place - HEAD_BYTES, HEAD_BYTES + size_bytes)
        entry = raw[HEAD_BYTES:]
        if len(entry) < size_bytes or not self._format().is_good(place - HEAD_BYTES, raw, entry):
            log.error("journal-damaged", **self._named(), position=position)
            raise Damaged("journal-damaged", namespace=self.name.namespace, epoch=self.name.epoch, position=position)
        return entry

    def _write_somewhere(self, entries: list[bytes]) -> list[_Place]:
        """Write to the last part or, when that fails, once to a new one."""
        for attempt in range(2):
            if attempt or not self._parts or not self.opening or self._sizes.get(self._parts[-1], 0) == 0:
                self._parts.append(self._parts[-1] + 1 if self._parts else 0)
            try:
                return self._write(self._parts[-1], entries)
            except OSError as error:
                log.error("journal-write-failed", **self._named(), part=self._parts[-1], reason=str(error))
                if error.errno in _NO_SPACE:
                    raise Unavailable("store-full", size_bytes=sum(map(len, entries))) from error
        raise Unavailable("store-failing", size_bytes=sum(map(len, entries)))

    def _write(self, part: int, entries: list[bytes]) -> list[_Place]:
        file, form = self._file(part), self._format()
        start = self._sizes.get(part, 0)
        bodies = [(EntryKind.JOURNAL_ENTRY, entry) for entry in entries]
        parts: list[Buffer] = []
        place = start
        if start == 0:
            header = pack_header(self.name.epoch, self._salt)
            parts.append(header)
            place = form.first_place
            bodies.insert(0, (EntryKind.JOURNAL_OPENING, self.opening_bytes))
        places = []
        for kind, body in bodies:
            head = Head(kind, len(body), 0, start)
            parts += [form.head(place, head, body), body, bytes(form.entry_bytes(head) - HEAD_BYTES - len(body))]
            if kind is EntryKind.JOURNAL_ENTRY:
                places.append(_Place(part, place + HEAD_BYTES, len(body)))
            place += form.entry_bytes(head)
        self._make_durable(file, start, parts)
        self._sizes[part] = place
        return places

    def _make_durable(self, file: File, start: int, parts: list[Buffer]) -> None:
        try:
            self._faults.reach_blocking("journal.before-write")
            file.write(start, [part for part in parts if len(part)])
            self._faults.reach_blocking("journal.before-sync")
            file.sync()
        except Exception:
            # Never synced again: the next attempt writes everything anew, in another part.
            self._cut(file, start)
            raise
        self._faults.reach_blocking("journal.after-sync")

    def _cut(self, file: File, size_bytes: int) -> None:
        try:
            file.truncate(size_bytes)
        except OSError as error:
            log.error("journal-cut-failed", **self._named(), reason=str(error))

    def remove(self) -> None:
        """Delete the copy whole."""
        self.close()
        for part in self._parts:
            self._disk.remove(part_path(self.name, part))
        self._parts.clear()

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, part: int) -> File:
        if part not in self._files:
            self._files[part] = self._disk.open(part_path(self.name, part))
        return self._files[part]

    def _format(self) -> Format:
        return Format(self.name.epoch, self._salt, step_bytes=JOURNAL_STEP_BYTES)

    def _missing(self) -> Missing:
        return Missing("journal-epoch", namespace=self.name.namespace, epoch=self.name.epoch)

    def _named(self) -> dict[str, object]:
        return {"namespace": text_of(self.name.namespace), "epoch": self.name.epoch}
