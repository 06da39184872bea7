"""One epoch's writer: entries go to our own disk first, then to the holders, each at its own pace.

An entry counts when w holders have it, and stays counted. The writer also watches whether it still is the writer:
holders that promised the epoch's end to somebody take nothing from it any more, and one that can prove that the
epoch ended settles the matter. Then it stops with the reason; whoever runs it finds out what comes next.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf

import trio

from node.first_error import first_error
from node.vault.journal.batch import Batch, entry_for
from node.vault.journal.holder import Holder
from node.vault.journal.lease import Lease
from node.vault.journal.own_copy import OwnCopy
from node.vault.journal.status import HolderStatus
from node.vault.journal.thrift import Thrift
from node.vault.journal.tools import JournalTools, Known
from node.vault.ticker import Ticker
from protocol import limits
from protocol.errors import Refused
from protocol.ids import NodeId
from protocol.namespace.journal import Tip
from protocol.namespace.salted import SALT_BYTES
from protocol.namespace.sealed_entry import unwrap_epoch_key
from protocol.succession.succession import Succession

# Below this, to seal an entry costs less than to hand it to a thread.
_SEALED_AT_ONCE_BYTES = 128 * limits.KIB


@dataclass(frozen=True, slots=True)
class Written:
    """An entry on our own disk that waits for its holders."""

    tip: Tip
    batch: Batch


class EpochWriter:
    """`open`, then `run` until the epoch is over; `write` meanwhile, one entry at a time. `carried_s`: until when the
    lease of the epoch before holds."""

    def __init__(self, tools: JournalTools, known: Known, progress: Ticker, carried_s: float = -inf) -> None:
        self.known = known
        self.opening = known.opening
        self.copy = OwnCopy(tools.local, known.opening, known.proof)
        self.lease = Lease(known.opening, tools.me, tools.timers.lease_s, carried_s)
        self.written: deque[Written] = deque()
        self.epoch_key = unwrap_epoch_key(tools.wrapping_key(known.opening.generation), known.opening)
        self._tools = tools
        self._progress = progress
        self._acknowledged = 0
        self._holders = {
            line.node: Holder(tools, line, self.copy, known, self.lease)
            for line in tools.lines(known.opening)
            if line.node != tools.me
        }
        self._own = tools.line(tools.me, known.opening) if tools.me in known.opening.holders else None
        needed = self.opening.w - (self._own is not None)
        self._thrift = Thrift(tuple(self._holders.values()), needed, tools.timers.spare_wait_s)
        self._life = trio.CancelScope()

    async def open(self) -> None:
        """Open our own copy."""
        await self.copy.open()

    async def run(self) -> None:
        """Keep the holders up until `stop`.

        Raises:
            Refused: `journal-ended` or `journal-promised`: somebody else succeeded this writer, or is about to.
        """
        with self._life, first_error():
            async with trio.open_nursery() as nursery:
                for holder in self._holders.values():
                    nursery.start_soon(holder.run, self._progress)
                nursery.start_soon(self._thrift.run, lambda: self.copy.tip.length, self.acknowledged)
                if self._own is not None:
                    nursery.start_soon(self._confirm_own)
                await self._watch_fences()

    def stop(self) -> None:
        """Send nothing any more."""
        self._life.cancel()

    async def wait_open(self) -> None:
        """Return once w holders take entries."""
        while self._reached(self.opening.w) < 0:
            seen = self._progress.count
            await self._progress.wait_past(seen)

    async def write(self, batch: Batch) -> None:
        """Put the batch on our own disk and on its way to the holders. Raises what our own disk raises."""
        tools = self._tools
        salt = tools.host.entropy.random_bytes(SALT_BYTES)
        sealing = (batch, tools.writer_key, self.opening, self.epoch_key, self.copy.tip, salt)
        if batch.size_bytes <= _SEALED_AT_ONCE_BYTES:
            encoded, tip = entry_for(*sealing)
        else:
            encoded, tip = await tools.host.threads.run_blocking(entry_for, *sealing)
        await tools.host.faults.reach("journal.before-own-copy")
        asked_s = trio.current_time()
        with trio.CancelScope(shield=True):
            await self.copy.append([encoded], tip)
        if self._own is not None:
            self.lease.confirm(tools.me, asked_s)
        self.written.append(Written(tip, batch))
        await tools.host.faults.reach("journal.after-own-copy")
        self._thrift.announce()
        self._progress.tick()

    async def recover(self) -> None:
        """After our own disk said no: whether the entry is there is asked of the disk, not guessed."""
        await self.copy.open()
        self._thrift.rouse_all()

    def acknowledged(self) -> int:
        """How many entries w holders have. It never goes back."""
        self._acknowledged = max(self._acknowledged, self._reached(self.opening.w))
        return self._acknowledged

    def holders(self) -> tuple[HolderStatus, ...]:
        """What is known of each."""
        told = {
            node: HolderStatus(node, max(0, holder.length), holder.problem) for node, holder in self._holders.items()
        }
        told[self._tools.me] = HolderStatus(self._tools.me, self.copy.tip.length, None)
        return tuple(told[node] for node in self.opening.holders)

    def away(self) -> tuple[NodeId, ...]:
        """Holders that failed us, and those that the members know to be down before we ask."""
        down = self._tools.unreachable()
        return tuple(node for node, holder in self._holders.items() if holder.problem is not None or node in down)

    def forgotten(self) -> frozenset[NodeId]:
        """Holders that lost the epoch: they count no more in it."""
        return frozenset(node for node, holder in self._holders.items() if holder.is_forgotten)

    def _reached(self, count: int) -> int:
        """How many entries so many holders have; below 0 while fewer of them have the epoch."""
        lengths = [holder.length for holder in self._holders.values()]
        if self._own is not None:
            lengths.append(self.copy.tip.length)
        return min(sorted(lengths, reverse=True)[count - 1], self.copy.tip.length)

    async def _watch_fences(self) -> None:
        """Until so few holders listen to this writer that it cannot go on."""
        while True:
            seen = self._progress.count
            for holder in self._holders.values():
                if holder.successor is not None:
                    raise _ended(holder.successor)
            fenced = sum(holder.is_fenced for holder in self._holders.values())
            if fenced and len(self.opening.holders) - fenced - self._deaf() < self.opening.w:
                raise Refused("journal-promised", namespace=self.opening.namespace, epoch=self.opening.epoch)
            await self._progress.wait_past(seen)

    def _deaf(self) -> int:
        return sum(holder.problem is not None and not holder.is_fenced for holder in self._holders.values())

    async def _confirm_own(self) -> None:
        """Our own disk may have promised somebody as well."""
        while self._own is not None:
            asked_s = trio.current_time()
            held = await self._own.tail()
            if held is None or held.is_fenced:
                raise Refused("journal-promised", namespace=self.opening.namespace, epoch=self.opening.epoch)
            self.lease.confirm(self._tools.me, asked_s)
            await trio.sleep(self._tools.timers.confirm_every_s)


def _ended(succession: Succession) -> Refused:
    certificate = succession.decree.certificate
    epoch = succession.decree.epoch - 1
    return Refused("journal-ended", namespace=certificate.namespace, epoch=epoch, node=certificate.node)
