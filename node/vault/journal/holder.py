"""Keeping one holder's copy of the journal as far as our own.

When it is roused it is sent all that it lacks: several appends are on their way at once, so that a far holder
costs an entry one round trip, not the wait for the round trips before it. They may overtake each other; the holder
puts them in order. Who is roused when is decided elsewhere (`node.vault.journal.thrift`).

Nothing that a holder says is believed: what it claims to have must be a prefix of our copy, with the hash that our
copy has there. A holder that answers anything else is named in the log, and what it said does not count; a holder
that is away is asked again, ever more slowly or as soon as it is heard of, and caught up from wherever it stopped.
What counts once, counts for ever: entries that it acknowledged are durable there, whatever it answers later. A holder
that no longer has the epoch lost a disk, and with it its promises: it is not asked again, and never again counted, in
this epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from node.first_error import first_error
from node.logs import get_logger
from node.vault.journal.lease import Lease
from node.vault.journal.line import HolderLine, note_problem
from node.vault.journal.own_copy import OwnCopy
from node.vault.journal.patience import Patience
from node.vault.journal.tools import JournalTools, Known
from node.vault.ticker import Ticker
from protocol import limits
from protocol.errors import Forged, MaillonError, Missing, Refused
from protocol.ids import short_text_of
from protocol.namespace.journal import Tip
from protocol.succession.succession import Succession

SEND_BYTES: Final = 2 * limits.MIB
SEND_ENTRIES_MAX: Final = 64
# What one holder may be sent before it has answered: so many appends, and so many bytes (or one append).
IN_FLIGHT_MAX: Final = 16
IN_FLIGHT_BYTES_MAX: Final = 8 * limits.MIB
_UNKNOWN: Final = -1
# Of how long it takes to answer, so much is the last answer.
_NEWEST_WEIGHS: Final = 0.2
_FENCED: Final = ("journal-promised", "journal-ended")

log = get_logger(__name__)


class Holder:
    """One other holder. `length` is how many entries are known to be durable there; below 0, not even the epoch."""

    def __init__(self, tools: JournalTools, line: HolderLine, copy: OwnCopy, known: Known, lease: Lease) -> None:
        self.node = line.node
        self.length = _UNKNOWN
        self.problem: str | None = None
        self.is_forgotten = False
        self.is_fenced = False
        self.successor: Succession | None = None
        self._line = line
        self._copy = copy
        self._opening = known.opening
        self._proof = known.proof
        self._lease = lease
        self._confirm_every_s = tools.timers.confirm_every_s
        self._patience = Patience(line.node, tools.returns, tools.timers)
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._landed = Ticker()
        self._roused = Ticker()
        self.answer_s = 0.0

    def rouse(self) -> None:
        """Send it all that it lacks."""
        self._roused.tick()

    def note_late(self, waited_s: float) -> None:
        """It has not answered for so long, if anything is on its way to it."""
        if self._in_flight:
            self.answer_s = max(self.answer_s, waited_s)

    async def run(self, progress: Ticker) -> None:
        """Send what it lacks, and tick `progress` when the holder has more, or a problem; until it forgot."""
        while not self.is_forgotten:
            landed = self._landed.count
            try:
                with first_error():
                    await self._follow(progress)
            except MaillonError as error:
                await self._note(error)
                progress.tick()
                if self._landed.count > landed:
                    self._patience.start_over()
                await self._patience.pause()

    async def _follow(self, progress: Ticker) -> None:
        """Find out where the holder stands, and send from there on, until something goes wrong."""
        self._in_flight = self._in_flight_bytes = 0
        tip = await self._learn()
        self._reached(tip, progress)
        sent = tip.length
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_confirmed)
            while True:
                seen = self._roused.count
                while sent < self._copy.tip.length:
                    entries = await self._copy.entries_from(
                        sent, size_bytes_max=SEND_BYTES, count_max=SEND_ENTRIES_MAX
                    )
                    await self._take_off(sum(map(len, entries)))
                    nursery.start_soon(self._send, sent, entries, progress)
                    sent += len(entries)
                await self._roused.wait_past(seen)

    async def _take_off(self, size_bytes: int) -> None:
        """Wait until so many bytes more may be on their way."""
        while self._in_flight and (
            self._in_flight >= IN_FLIGHT_MAX or self._in_flight_bytes + size_bytes > IN_FLIGHT_BYTES_MAX
        ):
            seen = self._landed.count
            await self._landed.wait_past(seen)
        self._in_flight += 1
        self._in_flight_bytes += size_bytes

    async def _send(self, first: int, entries: Sequence[bytes], progress: Ticker) -> None:
        asked_s = trio.current_time()
        tip = await self._line.append(first, entries)
        self.answer_s += _NEWEST_WEIGHS * (trio.current_time() - asked_s - self.answer_s)
        if tip.length < first + len(entries):
            raise Forged("journal-head", node=self.node, length=tip.length)
        await self._check(tip)
        self._lease.confirm(self.node, asked_s)
        self._reached(tip, progress)
        self._in_flight -= 1
        self._in_flight_bytes -= sum(map(len, entries))
        self._landed.tick()

    async def _learn(self) -> Tip:
        """Make sure that the holder takes entries, and how far its copy goes."""
        await self._line.open(self._proof)
        tip = await self._confirm()
        if tip.length < self.length:
            log.error("journal.holder-rolled-back", node=short_text_of(self.node), from_=self.length, to=tip.length)
        return tip

    async def _keep_confirmed(self) -> None:
        """Ask now and then whether it still follows this writer, when no entries do."""
        while True:
            await trio.sleep(self._confirm_every_s)
            if self._lease.confirmed_s(self.node) <= trio.current_time() - self._confirm_every_s:
                await self._confirm()

    async def _confirm(self) -> Tip:
        asked_s = trio.current_time()
        held = await self._line.tail()
        if held is None:
            raise Missing("journal-epoch", namespace=self._opening.namespace, epoch=self._opening.epoch)
        await self._check(held.tip)
        if held.is_fenced:
            raise Refused("journal-promised", namespace=self._opening.namespace, epoch=self._opening.epoch)
        self._lease.confirm(self.node, asked_s)
        return held.tip

    async def _check(self, tip: Tip) -> None:
        """Raise Forged(`journal-head`) if the tip is none of our own copy."""
        if tip.length > self._copy.tip.length or await self._copy.head_at(tip.length) != tip.head:
            raise Forged("journal-head", node=self.node, length=tip.length)

    def _reached(self, tip: Tip, progress: Ticker) -> None:
        if self.problem is not None:
            log.info("journal.holder-back", node=short_text_of(self.node), length=tip.length)
        self.problem = None
        self.is_fenced = False
        self.length = max(self.length, tip.length)
        progress.tick()

    async def _note(self, error: MaillonError) -> None:
        if error.identifier != self.problem:
            note_problem(self.node, error)
        self.problem = error.identifier
        if error.identifier == "journal-epoch":
            log.error("journal.holder-forgot", node=short_text_of(self.node), length=max(0, self.length))
            self.is_forgotten = True
        self.is_fenced = error.identifier in _FENCED
        if error.identifier == "journal-ended":
            self.successor = await self._find_successor()

    async def _find_successor(self) -> Succession | None:
        """What succeeded the epoch, if the holder can prove it."""
        try:
            return await self._line.successor()
        except MaillonError as error:
            note_problem(self.node, error)
            return None
