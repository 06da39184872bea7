"""Our own copy of one epoch: the first to have each entry, and where laggards are served from.

Where this node is one of the epoch's holders the copy is the one that it answers for; anywhere else it is a copy
beside them, which counts in no quorum. The last entries and their hashes are kept in memory, as holders nearly always
ask for those; anything older is read back from the disk. The copy only ever grows, and only by entries that go on
from its tip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from node.vault.journal.local import LocalJournal
from protocol import limits
from protocol.errors import Damaged, Missing
from protocol.ids import Digest
from protocol.namespace.journal import (
    Entry,
    Opening,
    Tip,
    decode_entry,
    encode_opening,
    entry_hash,
    start_of,
)
from protocol.succession.ballot import Ballot

RECENT_BYTES_MAX: Final = 8 * limits.MIB
READ_BYTES: Final = 2 * limits.MIB


@dataclass(frozen=True, slots=True)
class _Recent:
    position: int
    encoded: bytes
    head: Digest


class OwnCopy:
    """One epoch of the journal on this node's own disk. `proof` shows that the epoch's opening was decided."""

    def __init__(self, local: LocalJournal, opening: Opening, proof: bytes) -> None:
        self._local = local
        self._opening = opening
        self._proof = proof
        self._start = start_of(opening)
        self._recent: deque[_Recent] = deque()
        self._recent_bytes = 0
        self.tip = self._start
        self.is_beside = False

    async def open(self) -> None:
        """Find out how far the copy goes; where there is none, begin one beside the holders'."""
        namespace, epoch = self._opening.namespace, self._opening.epoch
        held = [one for one in await self._local.held(namespace) if one.epoch == epoch]
        if held:
            self.is_beside = held[0].is_copy
            self.tip = await self._local.tail(namespace, epoch)
        else:
            self.is_beside = True
            self.tip = await self._local.copy(encode_opening(self._opening), self._proof, 0, ())
        self._forget()

    async def append(self, encoded: Sequence[bytes], after: Tip, under: Ballot | None = None) -> None:
        """Add entries that end at `after`, durably. After an error nothing is known of them: `open` again first.

        A candidate whose ballot our own disk promised to follow appends under it.

        Raises:
            Damaged: `journal-local` when the disk's journal does not end where it should; and what the store raises.
        """
        opening, first = self._opening, self.tip.length
        if self.is_beside:
            end = await self._local.copy(encode_opening(opening), self._proof, first, encoded)
        else:
            end = await self._local.append(opening.namespace, opening.epoch, first, encoded, under)
        if end != after:
            raise Damaged("journal-local", namespace=opening.namespace, length=end.length, expected=after.length)
        if len(encoded) == 1:
            self._remember(_Recent(first, encoded[0], after.head))
        else:
            self._forget()
        self.tip = after

    async def entries_from(self, first: int, *, size_bytes_max: int, count_max: int) -> tuple[bytes, ...]:
        """Encoded entries from `first` on: at least one, if there is one, then as many as fit both bounds."""
        if self._recent and self._recent[0].position <= first:
            skip = first - self._recent[0].position
            found: Sequence[bytes] = [recent.encoded for recent in list(self._recent)[skip : skip + count_max]]
        else:
            read = await self._local.read(self._opening.namespace, self._opening.epoch, first, size_bytes_max)
            found = read[: max(0, min(count_max, self.tip.length - first))]
        return _within(found, size_bytes_max)

    async def entry(self, position: int) -> Entry:
        """The entry at `position`. Raises Missing(`entry-missing`), Damaged."""
        found: tuple[bytes, ...] = ()
        if position < self.tip.length:
            found = await self.entries_from(position, size_bytes_max=1, count_max=1)
        if not found:
            raise Missing("entry-missing", namespace=self._opening.namespace, position=position)
        return decode_entry(found[0])

    async def head_at(self, length: int) -> Digest:
        """The hash that a copy of `length` entries ends with."""
        if length == self.tip.length:
            return self.tip.head
        if length == 0:
            return self._start.head
        if self._recent and self._recent[0].position < length <= self.tip.length:
            return self._recent[length - 1 - self._recent[0].position].head
        return entry_hash(await self.entry(length - 1))

    def _forget(self) -> None:
        self._recent.clear()
        self._recent_bytes = 0

    def _remember(self, recent: _Recent) -> None:
        self._recent.append(recent)
        self._recent_bytes += len(recent.encoded)
        while self._recent_bytes > RECENT_BYTES_MAX and len(self._recent) > 1:
            self._recent_bytes -= len(self._recent.popleft().encoded)


def _within(entries: Sequence[bytes], size_bytes_max: int) -> tuple[bytes, ...]:
    """The first entries that fit, at least one."""
    taken: list[bytes] = []
    size_bytes = 0
    for encoded in entries:
        size_bytes += len(encoded)
        if taken and size_bytes > size_bytes_max:
            break
        taken.append(encoded)
    return tuple(taken)
