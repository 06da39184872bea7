"""This node's copy of one epoch of a journal: the opening, then its entries, in files of its own.

A copy is one small volume, or several parts when a sync failed and the next part had to be begun. Each part opens
with the epoch's opening. What is read back is believed as far as the chain reaches: entries are taken by their
position, wherever they stand, so that an entry that was damaged and is sent again by the writer closes the gap, and
those after it count again. Until then the copy knows that it is not whole: an entry that stands after the damage
could only be written once those before it were durable.
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
from protocol.errors import Damaged, MaillonError, Missing, Unavailable
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


@dataclass(frozen=True, slots=True)
class _Stray:
    """Where in its file an entry stands that could not be used at once."""

    position: int
    place: int
    end: int
    synced_bytes: int


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
        self._once_durable = 0
        # While loading: the hash after each number of entries.
        self._heads: list[Digest] = []

    @property
    def is_whole(self) -> bool:
        """Whether no entry is known to be lost that was durable here once."""
        return self.tip.length >= self._once_durable

    @property
    def size_bytes(self) -> int:
        return sum(self._sizes.values())

    def measure(self) -> None:
        """Find out how large the files are; `load` finds out the rest. Raises OSError."""
        for part in self._parts:
            self._sizes[part] = self._file(part).size()
        self.close()

    @property
    def has_files(self) -> bool:
        return bool(self._parts)

    def load(self, opening: bytes = b"") -> None:
        """Read what the files hold, as far as it chains; cut what a crash left unfinished.

        With `opening` those chain on from it; without, from the one that the files show.
        """
        scanned: dict[int, list[tuple[journal.Entry, _Place]]] = {}
        self._forget()
        if opening:
            self.begin(journal.decode_opening(opening), opening)
        for part in self._parts:
            file = self._file(part)
            scan = Scan(file, self._format())
            strays: list[_Stray] = []
            for found in scan.entries(lambda _: True):  # one at a time: together they may be gigabytes
                position = self._learn(part, found, scanned)
                if position is not None:
                    strays.append(_Stray(position, found.place, found.end, found.head.synced_bytes))
            self._once_durable = max([self._once_durable, *_proven_lengths(strays, scan.durable_bytes)])
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
        self._once_durable = 0

    def begin(self, opening: Opening, encoded: bytes) -> None:
        """What entries are to chain on from; it goes to the disk with the first of them."""
        self.opening, self.opening_bytes = opening, encoded
        self.tip = journal.start_of(opening)
        self._heads = [self.tip.head]

    def _learn(
        self, part: int, found: VolumeEntry, scanned: dict[int, list[tuple[journal.Entry, _Place]]]
    ) -> int | None:
        """The position of an entry that could not be used at once."""
        try:
            if found.head.kind is EntryKind.JOURNAL_OPENING:
                if self.opening is None:
                    self.begin(journal.decode_opening(found.meta), found.meta)
                return None
            entry = journal.decode_entry(found.meta)
            place = _Place(part, found.place + HEAD_BYTES, found.head.meta_bytes)
            if self._go_on(entry, place):
                return None
            scanned.setdefault(entry.position, []).append((entry, place))
        except MaillonError as error:
            log.error("journal-entry-unreadable", **self._named(), part=part, place=found.place, reason=str(error))
            return None
        return entry.position

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

    def append(self, first: int, entries: Sequence[Buffer]) -> Tip:
        """Keep those of the entries, said to begin at position `first`, that are new. Durable on return.

        Raises:
            Missing: `journal-epoch`. Unavailable: `journal-gap`, `store-full`, `store-failing`.
            Forged, Malformed, OverLimit: from `protocol.namespace.journal.take`.
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

    def head_at(self, length: int) -> Digest | None:
        """The hash after so many entries; None when there are fewer. Raises Damaged(`journal-damaged`)."""
        if self.opening is None or length > self.tip.length:
            return None
        if length == self.tip.length:
            return self.tip.head
        if length == 0:
            return journal.start_of(self.opening).head
        return journal.entry_hash(journal.decode_entry(*self.read(length - 1, length, 1)))

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
        """Delete the entries."""
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


def _proven_lengths(strays: Sequence[_Stray], durable_bytes: int) -> list[int]:
    """How long the copy must have been once, for each of these entries to stand where it does.

    An entry below the watermark was durable. One that begins a batch was written when all before it were durable.
    """
    proven = []
    for found in strays:
        if found.end <= durable_bytes:
            proven.append(found.position + 1)
        elif found.place == found.synced_bytes:
            proven.append(found.position)
    return proven
