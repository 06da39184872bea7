"""Reading one epoch, wherever it is kept: from our own disk, and where that cannot, from its holders.

When none of them can, whoever else answers is asked: while a gateway was away, its holders may have passed copies on.

What a holder shows is checked against the epoch's opening and the hash that goes before; our own disk was checked
when it was written. An ended epoch is read as far as its decided end, whatever anybody keeps beyond.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.logs import get_logger
from node.vault.catalog.values import InlineAt
from node.vault.journal.line import READ_BYTES, note_problem, read_window
from node.vault.journal.tools import Known, ReadTools
from protocol.coding.label import Stamp
from protocol.errors import Damaged, Forged, MaillonError, Missing, Unavailable
from protocol.ids import Digest, NodeId
from protocol.namespace.journal import (
    FIRST_EPOCH,
    Entry,
    Opening,
    Tip,
    check_chain,
    check_entry,
    decode_entry,
    entry_hash,
    opening_hash,
    start_of,
)
from protocol.succession.succession import Succession, decode_succession

log = get_logger(__name__)


class EpochReader:
    """One epoch. `end` is where it was decided to end; None while it goes on."""

    def __init__(self, tools: ReadTools, opening: Opening, end: Tip | None) -> None:
        self.opening = opening
        self.start = start_of(opening)
        self.end = end
        self._tools = tools

    async def window(self, tip: Tip, count_max: int) -> tuple[bytes, ...]:
        """Some entries that follow `tip`; at least one, unless the epoch ends there.

        Raises:
            Unavailable: `entry-unreadable` when nobody can show the next one.
        """
        if self.end is not None:
            count_max = min(count_max, self.end.length - tip.length)
        if count_max <= 0:
            return ()
        found = (await self._read_own(tip.length))[:count_max]
        return found or await self._window_elsewhere(tip, count_max)

    async def entry(self, position: int) -> Entry:
        """One entry. Raises Unavailable(`entry-unreadable`)."""
        own = await self._read_own(position, size_bytes_max=1)
        if own:
            return decode_entry(own[0])
        for node in self._others():
            shown = await self._read_from(node, position)
            try:
                if shown:
                    entry = decode_entry(shown[0])
                    check_entry(self.opening, Tip(position, entry.previous), entry)
                    return entry
            except MaillonError as error:
                note_problem(node, error)
        raise Unavailable("entry-unreadable", namespace=self.opening.namespace, position=position)

    async def head_at(self, length: int) -> Digest:
        """The hash that the epoch has after so many entries."""
        if length == 0:
            return self.start.head
        if self.end is not None and length == self.end.length:
            return self.end.head
        return entry_hash(await self.entry(length - 1))

    async def proof(self) -> Succession:
        """What opened the epoch. Raises Missing(`journal-proof`) when nobody who answers has it."""
        try:
            return self._proven(await self._tools.local.succession(self.opening.namespace, self.opening.epoch))
        except MaillonError as error:
            log.info("journal.no-proof-here", epoch=self.opening.epoch, error=error.identifier)
        for node in self._others():
            try:
                _entries, reply = await read_window(
                    self._tools.ask, node, self.opening, 0, self._tools.timers.ask_deadline_s
                )
                return self._proven(reply.succession)
            except MaillonError as error:
                self._note(node, error)
        raise Missing("journal-proof", namespace=self.opening.namespace, epoch=self.opening.epoch)

    def _proven(self, proof: bytes) -> Succession:
        succession = decode_succession(proof)
        if opening_hash(succession.decree) != self.start.head:
            raise Forged("succession-decree", namespace=self.opening.namespace, epoch=self.opening.epoch)
        return succession

    def _others(self) -> list[NodeId]:
        """Who may have it: the holders, those that answer first, and then the others that answer."""
        down, me = self._tools.unreachable(), self._tools.me
        holders = sorted((node for node in self.opening.holders if node != me), key=lambda node: node in down)
        return [*holders, *sorted(self._tools.live() - {me, *holders})]

    async def _read_own(self, first: int, size_bytes_max: int = READ_BYTES) -> tuple[bytes, ...]:
        try:
            return await self._tools.local.read(self.opening.namespace, self.opening.epoch, first, size_bytes_max)
        except (Damaged, Missing, Unavailable) as error:
            if not isinstance(error, Missing):
                log.warning("journal.own-copy-unreadable", position=first, error=error.identifier)
            return ()

    async def _window_elsewhere(self, tip: Tip, count_max: int) -> tuple[bytes, ...]:
        for node in self._others():
            shown = (await self._read_from(node, tip.length))[:count_max]
            try:
                if shown:
                    await self._tools.host.threads.run_blocking(check_chain, self.opening, tip, shown)
                    return shown
            except MaillonError as error:
                note_problem(node, error)
        raise Unavailable("entry-unreadable", namespace=self.opening.namespace, position=tip.length)

    async def _read_from(self, node: NodeId, first: int) -> tuple[bytes, ...]:
        try:
            entries, _reply = await read_window(
                self._tools.ask, node, self.opening, first, self._tools.timers.ask_deadline_s
            )
        except MaillonError as error:
            self._note(node, error)
            return ()
        return entries

    def _note(self, node: NodeId, error: MaillonError) -> None:
        if node in self.opening.holders or not isinstance(error, Missing):
            note_problem(node, error)


class Epochs:
    """The epochs of a namespace from the newest back, each led to by the proof of the one after it."""

    def __init__(self, tools: ReadTools, newest: Known) -> None:
        self._tools = tools
        self._newest = newest
        self._readers: dict[int, EpochReader] = {newest.opening.epoch: EpochReader(tools, newest.opening, None)}
        self._proofs: dict[int, Succession] = {}
        self._note(newest)

    @property
    def newest(self) -> EpochReader:
        return self._readers[self._newest.opening.epoch]

    def begin(self, known: Known) -> None:
        """A new epoch goes on from the newest."""
        self._newest = known
        self._readers[known.opening.epoch] = EpochReader(self._tools, known.opening, None)
        self._note(known)

    async def of(self, epoch: int) -> EpochReader:
        """The reader of an epoch. Raises Missing(`journal-proof`) when the way back to it is lost."""
        for number in range(min(self._readers), epoch, -1):
            await self._step_back(number)
        if epoch not in self._readers:
            raise Missing("journal-proof", namespace=self._newest.opening.namespace, epoch=epoch)
        return self._readers[epoch]

    async def read_inline(self, at: InlineAt) -> bytes:
        """The sealed bytes of a small object: from our own copy or, when that is damaged, from another holder.

        Raises:
            Unavailable: `entry-unreadable` when nobody can show the entry. Missing: `journal-proof`.
        """
        stamp = at.stamp
        place = self._tools.namespace, stamp.epoch, stamp.position
        inline = await self._tools.recent.of(place, self._inline, stamp)
        return inline[at.offset : at.offset + at.size_bytes]

    async def _inline(self, stamp: Stamp) -> bytes:
        """What the entry at this place carries of small objects."""
        reader = await self.of(stamp.epoch)
        return (await reader.entry(stamp.position)).inline

    async def _step_back(self, epoch: int) -> None:
        if epoch - 1 >= FIRST_EPOCH and epoch - 1 not in self._readers:
            proof = self._proofs.get(epoch) or await self._readers[epoch].proof()
            self._note(Known(proof.decree, proof))

    def _note(self, known: Known) -> None:
        if known.succession is not None:
            before, ending = known.succession.predecessor, known.succession.ending
            self._proofs[known.opening.epoch] = known.succession
            self._readers[before.epoch] = EpochReader(self._tools, before, Tip(ending.length, ending.head))

    def known(self) -> Sequence[int]:
        """The epochs whose readers are at hand."""
        return sorted(self._readers)
