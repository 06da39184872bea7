"""The writer of a namespace's journal: every change goes through here, and comes back once it is durable.

An append waits in a queue; whatever waits together becomes one entry (group commit), which goes to our own disk
first, then to the other holders, each at its own pace. When w holders have it, the entry is acknowledged: it is
applied to the catalog, in order, and only then do its callers go on. So a caller reads its own writes, and the
catalog never knows more than what is acknowledged.

The writer outlives its epochs: `roll_over` ends the present one and goes on in the next, while callers wait a moment.
An append that cannot reach w is refused before it is journaled, with the names of the holders that are away; if they
go away in the middle, the caller is told that the outcome is not known, and the entry stays: it is acknowledged when
they come back, or when the epoch ends. Until then the catalog does not know what may have been done already, so who
decides by what it says has the journal `settle` first.

The writer stops, and says why, on what it must not guess about: another writer, a fork, a change of an unknown kind,
a disk of our own that does not say what it has. Starting another one is the way to try again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

import trio

from node.logs import get_logger
from node.vault.catalog.catalog import Catalog, InlineAt
from node.vault.journal.apply import Applier
from node.vault.journal.batch import Batch, Request, request_for
from node.vault.journal.epoch import EpochWriter
from node.vault.journal.own_copy import OwnCopy
from node.vault.journal.queue import Queue
from node.vault.journal.reader import Epochs
from node.vault.journal.replay import LoadTables
from node.vault.journal.status import HolderStatus, JournalStatus
from node.vault.journal.succeed import Ended
from node.vault.journal.tools import JournalTools, Known
from node.vault.ticker import Ticker
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import NodeId, short_text_of
from protocol.namespace.changes import Change
from protocol.namespace.journal import Opening

__all__ = ["HolderStatus", "JournalStatus", "JournalWriter"]

# Ends the present epoch, of which a copy is given.
EndEpoch = Callable[[Known, OwnCopy], Awaitable[Ended]]

log = get_logger(__name__)


class JournalWriter:
    """`run` it in a nursery; `append` from anywhere."""

    def __init__(self, tools: JournalTools, epochs: Epochs, known: Known, catalog: Catalog, load: LoadTables) -> None:
        self._tools = tools
        self._timers = tools.timers
        self._epochs = epochs
        self._catalog = catalog
        self._progress = Ticker()
        self._applied = Ticker()
        # How many appends ended without an outcome, and of how many of those it is known by now.
        self._doubts = 0
        self._settled = 0
        self._epoch = EpochWriter(tools, known, self._progress)
        self._applier = Applier(tools, catalog, epochs, load)
        self._queue = Queue(tools.timers.gather_s, tools.timers.append_deadline_s)
        self._turn = trio.Lock()
        self._applying = trio.Lock()
        self._ready = trio.Event()
        self._given_up = trio.Event()
        self._stopped: MaillonError | None = None
        self._nursery: trio.Nursery | None = None

    # --- what stands above uses ----------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Started at once; `wait_ready` tells when appends and reads are served.

        Raises:
            MaillonError: why the writer stopped; whoever waits in it is told the same.
        """
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._guarded, self._work, nursery)
                await self._given_up.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._fail_waiting(self._stopped or Unavailable("journal-closed", namespace=self._tools.namespace))
        if self._stopped is not None:
            raise self._stopped

    @property
    def opening(self) -> Opening:
        """The present epoch's."""
        return self._epoch.opening

    @property
    def next_position(self) -> Stamp:
        """Not before this will the next append be: the stamp for shares that are about to be written."""
        return Stamp(self._epoch.opening.epoch, self._epoch.copy.tip.length)

    @property
    def lease_until_s(self) -> float:
        """Until when this writer may serve readers without hearing from its holders."""
        return self._epoch.lease.until_s

    def require_lease(self) -> None:
        """Raise Unavailable(`journal-lease`) when another writer may be serving by now."""
        if self._stopped is not None:
            raise self._stopped
        if trio.current_time() > self._epoch.lease.until_s:
            raise Unavailable("journal-lease", namespace=self._tools.namespace, away=self._away())

    async def wait_ready(self) -> None:
        """Return once appends are taken and the catalog knows all that is acknowledged.

        Raises:
            Unavailable: `journal-not-ready` after `start_wait_s`, with the holders that have not answered.
            MaillonError: why the writer stopped.
        """
        if not self._ready.is_set():
            with trio.move_on_after(self._timers.start_wait_s):
                await self._ready.wait()
            if not self._ready.is_set():
                raise Unavailable(
                    "journal-not-ready", namespace=self._tools.namespace, needed=self.opening.w, away=self._away()
                )
        if self._stopped is not None:
            raise self._stopped

    async def append(self, changes: Sequence[Change], inline: Sequence[bytes] = ()) -> Stamp:
        """Journal the changes together; return once they are acknowledged and in the catalog.

        Offsets of inline bytes count from the start of `inline`, joined.

        Raises:
            OverLimit, Malformed: the changes cannot be journaled; nothing was.
            Unavailable: `journal-holders-away` or `journal-not-ready`: nothing was journaled;
                `journal-unacknowledged`: fewer than w holders answered in time, the outcome is open;
                `catalog-full`: there is no room for the catalog, and if it was waited for the outcome is open.
            MaillonError: why the writer stopped, or why our own disk refused.
        """
        request = request_for(changes, inline, self._queue.inline_start)
        await self.wait_ready()
        # The queue lets go of who waits there for too long; who has to wait for room before needs one end for both.
        try:
            with trio.move_on_after(self._timers.append_deadline_s) if self._queue.is_full else nullcontext():
                await self._queue.wait_for_room()
                self._require_way_on()
                await self._queue.wait_until_done(request)
        finally:
            self._doubts += request.stamp is None
        return self._outcome(request)

    @property
    def in_doubt(self) -> bool:
        """Whether there may be changes in the journal whose callers went without an outcome, and not in the catalog:
        they waited for too long, or gave up."""
        return self._doubts != self._settled

    async def settle(self) -> None:
        """Return when there are none; who looks then sees all that those who gave up before may have done.

        Raises:
            Unavailable: `journal-holders-away`, `journal-unacknowledged`, `catalog-full`: it is not known now.
            MaillonError: why the writer stopped.
        """
        self._require_way_on()
        with trio.move_on_after(self._timers.append_deadline_s):
            async with self._turn:  # nothing is between the queue and our own disk
                doubts, upto = self._doubts, (self.opening.epoch, self._epoch.copy.tip.length)
            while self._catalog.tip[:2] < upto and self._stopped is None:
                seen = self._applied.count
                await self._applied.wait_past(seen)
            if self._stopped is not None:
                raise self._stopped
            self._settled = max(self._settled, doubts)
            return
        raise self._unacknowledged()

    async def roll_over(self, end_epoch: EndEpoch, first: Sequence[Change] = ()) -> None:
        """End the epoch and go on in the next, whose first entry says `first`, if that is anything.

        Raises:
            Unavailable, Refused: too few holders answer, or there are no next ones; nothing happened then.
            MaillonError: what went wrong in the middle; the writer has stopped, as its own epoch is fenced by then.
        """
        await self.wait_ready()
        self._require_way_on()
        self._tools.next_holders(frozenset())
        request = request_for(first, ())
        async with self._turn:
            await self._drain()
            try:
                await self._go_on(end_epoch)
                if first:
                    await self._epoch.write(Batch((request,), request.changes, b""))
            except BaseException as error:
                closed = Unavailable("journal-closed", namespace=self._tools.namespace)
                self._give_up(error if isinstance(error, MaillonError) else closed)
                raise
        if first:
            with trio.move_on_after(self._timers.append_deadline_s):
                await request.done.wait()
            self._outcome(request)

    async def read_inline(self, at: InlineAt) -> bytes:
        """The sealed bytes of a small object: from our own copy or, when that is damaged, from another holder.

        Raises:
            Unavailable: `entry-unreadable` when nobody can show the entry. Missing: `journal-proof`.
        """
        return await self._epochs.read_inline(at)

    def status(self) -> JournalStatus:
        epoch = self._epoch
        return JournalStatus(
            epoch.opening.epoch,
            epoch.copy.tip.length,
            epoch.acknowledged(),
            epoch.opening.w,
            self._stopped.identifier if self._stopped else None,
            epoch.holders(),
            self.lease_until_s - trio.current_time(),
        )

    def away(self) -> tuple[NodeId, ...]:
        """Holders that do not answer."""
        return self._epoch.away()

    def forgotten(self) -> frozenset[NodeId]:
        """Holders that lost the epoch."""
        return self._epoch.forgotten()

    # --- inside --------------------------------------------------------------------------------------------------

    def _outcome(self, request: Request) -> Stamp:
        if request.error is not None:
            raise request.error
        if request.stamp is None:
            raise self._unacknowledged()
        return request.stamp

    def _catalog_full(self) -> Unavailable:
        return Unavailable("catalog-full", namespace=self._tools.namespace)

    def _unacknowledged(self) -> Unavailable:
        if self._applier.is_full:
            return self._catalog_full()
        namespace, needed = self._tools.namespace, self.opening.w
        return Unavailable("journal-unacknowledged", namespace=namespace, needed=needed, away=self._away())

    async def _guarded(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run a part of the writer; an error with a name stops all of it."""
        try:
            await work(*arguments)
        except MaillonError as error:
            self._give_up(error)

    def _give_up(self, error: MaillonError) -> None:
        if self._stopped is None:
            log.error("journal.stopped", namespace=short_text_of(self._tools.namespace), error=str(error))
            self._stopped = error
        self._ready.set()
        self._given_up.set()
        self._applied.tick()

    async def _work(self, nursery: trio.Nursery) -> None:
        await self._begin(nursery)
        await self._applier.replay(0)
        self._ready.set()
        log.info("journal.ready", namespace=short_text_of(self._tools.namespace), epoch=self.opening.epoch)
        nursery.start_soon(self._queue.let_go_for_ever)
        nursery.start_soon(self._guarded, self._write_for_ever)
        nursery.start_soon(self._guarded, self._apply_for_ever)
        nursery.start_soon(self._watch_catalog)

    async def _begin(self, nursery: trio.Nursery) -> None:
        await self._epoch.open()
        nursery.start_soon(self._guarded, self._epoch.run)
        await self._epoch.wait_open()

    async def _drain(self) -> None:
        """Give the entries on their way a moment to be acknowledged."""
        with trio.move_on_after(self._timers.drain_s):
            while self._epoch.written:
                seen = self._progress.count
                await self._progress.wait_past(seen)

    async def _go_on(self, end_epoch: EndEpoch) -> None:
        """End the epoch, bring the catalog and the callers to its end, and begin the next."""
        nursery, before = self._nursery, self._epoch
        if nursery is None:
            raise Unavailable("journal-closed", namespace=self._tools.namespace)
        before.stop()
        ended = await end_epoch(before.known, before.copy)
        known = Known(ended.succession.decree, ended.succession)
        if not ended.is_ours:
            node, epoch = known.opening.certificate.node, before.opening.epoch
            raise Refused("journal-ended", namespace=self._tools.namespace, epoch=epoch, node=node)
        async with self._applying:
            self._epochs.begin(known)
            await self._applier.apply(before, ended.succession.ending.length, is_over=True)
            await self._applier.replay(0)
            self._applied.tick()
            self._epoch = EpochWriter(self._tools, known, self._progress, before.lease.until_s)
        await self._begin(nursery)
        log.info("journal.went-on", namespace=short_text_of(self._tools.namespace), epoch=known.opening.epoch)

    async def _write_for_ever(self) -> None:
        while True:
            await self._queue.wait_for_batch(lambda: not self._epoch.written, self._progress)
            async with self._turn:
                batch = self._queue.take()
                if batch is None:
                    continue
                try:
                    await self._epoch.write(batch)
                except MaillonError as error:
                    for request in batch.requests:
                        request.fail(error)
                    if error.identifier in ("journal-promised", "journal-ended"):
                        raise
                    await self._epoch.recover()

    async def _apply_for_ever(self) -> None:
        while True:
            seen = self._progress.count
            async with self._applying:
                epoch = self._epoch
                acknowledged = epoch.acknowledged()
                if self._catalog.is_damaged or (epoch.opening.epoch, acknowledged) > self._catalog.tip[:2]:
                    await self._applier.apply(epoch, acknowledged)
                    self._applied.tick()
            await self._progress.wait_past(seen)

    async def _watch_catalog(self) -> None:
        """A reader may be the first to find damage."""
        while True:
            await self._catalog.wait_ready()
            await self._catalog.wait_damaged()
            self._progress.tick()

    def _require_way_on(self) -> None:
        """Refuse before anything is journaled when it could not be acknowledged now: this node's disk has no room for
        the catalog, or w holders cannot be reached.
        """
        if self._applier.is_full:
            raise self._catalog_full()
        away, opening = self._epoch.away(), self.opening
        answering = len(opening.holders) - len(away)
        if answering < opening.w:
            raise Unavailable(
                "journal-holders-away",
                namespace=self._tools.namespace,
                needed=opening.w,
                answering=answering,
                away=self._names(away),
            )

    def _away(self) -> tuple[str, ...]:
        return self._names(self._epoch.away())

    def _names(self, nodes: Sequence[NodeId]) -> tuple[str, ...]:
        return tuple(self._tools.name_of(node) for node in nodes)

    def _fail_waiting(self, error: MaillonError) -> None:
        self._queue.fail_all(error)
        for written in self._epoch.written:
            for request in written.batch.requests:
                request.fail(error)
        self._epoch.written.clear()
