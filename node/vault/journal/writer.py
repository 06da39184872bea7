"""The writer of a namespace's journal: every change goes through here, and comes back once it is durable.

An append waits in a queue; whatever waits together becomes one entry (group commit), which goes to our own disk
first, then to the other holders, each at its own pace. When w holders have it, the entry is acknowledged: it is
applied to the catalog, in order, and only then do its callers go on. So a caller reads its own writes, and the
catalog never knows more than what is acknowledged.

At the start nothing is written before what the holders can show was adopted (`node.vault.journal.start`), is with w
of them again, and was replayed into the catalog. An append that cannot reach w is refused before it is journaled,
with the names of the holders that are away; if they go away in the middle, the caller is told that the outcome is
not known, and the entry stays: it is acknowledged when they come back, or at the next start.

The writer stops, and says why, on what it must not guess about: a fork, a change of an unknown kind, a disk of our
own that does not say what it has. Starting another one is the way to try again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.catalog import Applied, Catalog, CatalogTip, InlineAt
from node.vault.journal.batch import Batch, Request, entry_for, request_for, take_batch
from node.vault.journal.holder import Ask, Holder, HolderLine, JournalTimers, note_problem
from node.vault.journal.own_copy import LocalJournal, OwnCopy
from node.vault.journal.replay import replay
from node.vault.journal.start import Starter
from node.vault.secrets import GatewaySecrets
from node.vault.ticker import Ticker
from protocol import limits
from protocol.coding.label import Stamp
from protocol.errors import Damaged, MaillonError, Missing, Unavailable
from protocol.ids import NodeId, short_text_of
from protocol.namespace.changes import Change
from protocol.namespace.journal import Opening, Tip, check_entry, decode_entry
from protocol.namespace.salted import SALT_BYTES
from protocol.namespace.sealed_entry import unwrap_epoch_key

__all__ = ["Ask", "HolderStatus", "JournalStatus", "JournalTimers", "JournalWriter", "LocalJournal"]

# What callers may keep waiting here at once; more of them wait before they are queued.
WAITING_BYTES_MAX: Final = 32 * limits.MIB

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HolderStatus:
    """`problem` names why the holder is not answering as it should; None when it does."""

    node: NodeId
    length: int
    problem: str | None

    @property
    def answering(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """`acknowledged` of `length` entries are with `w` holders. `stopped` names why the writer gave up, if it did."""

    epoch: int
    length: int
    acknowledged: int
    w: int
    is_ready: bool
    stopped: str | None
    holders: tuple[HolderStatus, ...]


@dataclass(frozen=True, slots=True)
class _Written:
    """An entry on our own disk that waits for its holders."""

    tip: Tip
    batch: Batch


class JournalWriter:
    """One epoch's writer. `run` it in a nursery; `append` from anywhere."""

    def __init__(
        self,
        host: Host,
        *,
        me: NodeId,
        opening: Opening,
        secrets: GatewaySecrets,
        local: LocalJournal,
        ask: Ask,
        catalog: Catalog,
        timers: JournalTimers,
        name_of: Callable[[NodeId], str] = short_text_of,
        unreachable: Callable[[], frozenset[NodeId]] = frozenset,
    ) -> None:
        self._host = host
        self._me = me
        self._opening = opening
        self._writer = secrets.writer_key
        self._epoch_key = unwrap_epoch_key(secrets.wrapping_key(opening.generation), opening)
        self._catalog = catalog
        self._timers = timers
        self._name_of = name_of
        self._unreachable = unreachable
        self._copy = OwnCopy(local, opening)
        self._lines = {node: HolderLine(node, opening, ask, timers) for node in opening.holders if node != me}
        self._holders = {node: Holder(line, self._copy, opening, timers) for node, line in self._lines.items()}
        self._starter = Starter(me, opening, self._copy, tuple(self._lines.values()), timers)
        self._queue: deque[Request] = deque()
        self._written: deque[_Written] = deque()
        self._queued = Ticker()
        self._news = Ticker()
        self._progress = Ticker()
        self._waiting_bytes = 0
        self._acknowledged = 0
        self._ready = trio.Event()
        self._given_up = trio.Event()
        self._stopped: MaillonError | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Started at once; `wait_ready` tells when appends and reads are served.

        Raises:
            MaillonError: why the writer stopped; whoever waits in it is told the same.
        """
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._guarded, self._work, nursery)
                await self._given_up.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._fail_waiting(self._stopped or Unavailable("journal-closed", namespace=self._opening.namespace))
        if self._stopped is not None:
            raise self._stopped

    async def _work(self, nursery: trio.Nursery) -> None:
        await self._start(nursery)
        nursery.start_soon(self._guarded, self._write_for_ever)
        nursery.start_soon(self._guarded, self._apply_for_ever)
        nursery.start_soon(self._watch_catalog)

    @property
    def next_position(self) -> Stamp:
        """Not before this will the next append be: the stamp for shares that are about to be written."""
        return Stamp(self._opening.epoch, self._copy.tip.length)

    async def wait_ready(self) -> None:
        """Return once appends are taken and the catalog knows all that is acknowledged.

        Raises:
            Unavailable: `journal-not-ready` after `start_wait_s`, with the holders that have not answered.
            MaillonError: why the writer stopped.
        """
        with trio.move_on_after(self._timers.start_wait_s):
            await self._ready.wait()
        if self._stopped is not None:
            raise self._stopped
        if not self._ready.is_set():
            away = self._names(self._starter.missing()) or self._away()
            raise Unavailable(
                "journal-not-ready", namespace=self._opening.namespace, needed=self._opening.w, away=away
            )

    async def append(self, changes: Sequence[Change], inline: Sequence[bytes] = ()) -> Stamp:
        """Journal the changes together; return once they are acknowledged and in the catalog.

        Offsets of inline bytes count from the start of `inline`, joined.

        Raises:
            OverLimit, Malformed: the changes cannot be journaled; nothing was.
            Unavailable: `journal-holders-away` or `journal-not-ready`: nothing was journaled;
                `journal-unacknowledged`: fewer than w holders answered in time, the outcome is open.
            MaillonError: why the writer stopped, or why our own disk refused.
        """
        request = request_for(changes, inline)
        await self.wait_ready()
        with trio.move_on_after(self._timers.append_deadline_s):
            await self._wait_in_turn(request)
        if request.error is not None:
            raise request.error
        if request.stamp is None:
            opening = self._opening
            raise Unavailable(
                "journal-unacknowledged", namespace=opening.namespace, needed=opening.w, away=self._away()
            )
        return request.stamp

    async def _wait_in_turn(self, request: Request) -> None:
        while self._waiting_bytes > WAITING_BYTES_MAX:
            seen = self._progress.count
            await self._progress.wait_past(seen)
        self._check_holders()
        self._waiting_bytes += request.size_bytes
        self._queue.append(request)
        self._queued.tick()
        try:
            await request.done.wait()
        finally:
            self._waiting_bytes -= request.size_bytes
            if request in self._queue:
                self._queue.remove(request)

    async def read_inline(self, at: InlineAt) -> bytes:
        """The sealed bytes of a small object: from our own copy or, when that is damaged, from another holder.

        Raises:
            Unavailable: `entry-unreadable` when nobody can show the entry.
        """
        try:
            entry = await self._copy.entry(at.stamp.position)
        except (Damaged, Missing) as error:
            log.warning("journal.own-copy-damaged", position=at.stamp.position, error=error.identifier)
            entry = decode_entry(await self._read_elsewhere(at.stamp.position))
        return entry.inline[at.offset : at.offset + at.size_bytes]

    def status(self) -> JournalStatus:
        lengths = {
            node: HolderStatus(node, max(0, holder.length), holder.problem) for node, holder in self._holders.items()
        }
        lengths[self._me] = HolderStatus(self._me, self._copy.tip.length, None)
        return JournalStatus(
            self._opening.epoch,
            self._copy.tip.length,
            self._acknowledged,
            self._opening.w,
            self._ready.is_set() and self._stopped is None,
            self._stopped.identifier if self._stopped else None,
            tuple(lengths[node] for node in self._opening.holders),
        )

    async def _guarded(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run a part of the writer; an error with a name stops all of it."""
        try:
            await work(*arguments)
        except MaillonError as error:
            log.error("journal.stopped", namespace=short_text_of(self._opening.namespace), error=str(error))
            self._stopped = error
            self._ready.set()
            self._given_up.set()

    async def _start(self, nursery: trio.Nursery) -> None:
        await self._copy.open()
        await self._starter.adopt_all()
        for holder in self._holders.values():
            nursery.start_soon(holder.run, self._news, self._progress)
        # An epoch begins when all its holders have it: from then on, one that has not must have lost it.
        count = self._opening.w if self._copy.tip.length else len(self._opening.holders)
        await self._wait_reached(self._copy.tip.length, count)
        self._count_acknowledged()
        await self._catalog.open()
        await self._replay()
        self._ready.set()
        log.info("journal.ready", namespace=short_text_of(self._opening.namespace), length=self._acknowledged)

    async def _wait_reached(self, length: int, count: int) -> None:
        while True:
            seen = self._progress.count
            if self._reached_by(count) >= length:
                return
            await self._progress.wait_past(seen)

    def _reached_by(self, count: int) -> int:
        """How many entries so many holders have; below 0 while fewer of them have the epoch."""
        lengths = [holder.length for holder in self._holders.values()]
        if self._me in self._opening.holders:
            lengths.append(self._copy.tip.length)
        return min(sorted(lengths, reverse=True)[count - 1], self._copy.tip.length)

    def _count_acknowledged(self) -> int:
        """How many entries w holders have. It never goes back."""
        self._acknowledged = max(self._acknowledged, self._reached_by(self._opening.w))
        return self._acknowledged

    async def _replay(self) -> None:
        await replay(
            self._catalog,
            self._copy,
            self._opening,
            upto=self._acknowledged,
            epoch_key=self._epoch_key,
            threads=self._host.threads,
        )

    async def _write_for_ever(self) -> None:
        while True:
            seen = self._queued.count
            if not self._queue:
                await self._queued.wait_past(seen)
                continue
            batch = take_batch(self._queue)
            try:
                await self._write(batch)
            except MaillonError as error:
                # The disk said no. Whether the entry is there is asked of the disk, not guessed.
                for request in batch.requests:
                    request.fail(error)
                await self._copy.open()
                self._news.tick()

    async def _write(self, batch: Batch) -> None:
        salt = self._host.entropy.random_bytes(SALT_BYTES)
        sealing = (batch, self._writer, self._opening, self._epoch_key, self._copy.tip, salt)
        encoded, tip = await self._host.threads.run_blocking(entry_for, *sealing)
        await self._host.faults.reach("journal.before-own-copy")
        with trio.CancelScope(shield=True):
            await self._copy.append([encoded], tip)
        self._written.append(_Written(tip, batch))
        await self._host.faults.reach("journal.after-own-copy")
        self._news.tick()
        self._progress.tick()

    async def _apply_for_ever(self) -> None:
        while True:
            seen = self._progress.count
            acknowledged = self._count_acknowledged()
            done: list[_Written] = []
            while self._written and self._written[0].tip.length <= acknowledged:
                done.append(self._written.popleft())
            if acknowledged > self._catalog.tip.length or self._catalog.is_damaged:
                await self._apply(done)
            for written in done:
                for request in written.batch.requests:
                    request.succeed(Stamp(self._opening.epoch, written.tip.length - 1))
            await self._progress.wait_past(seen)

    async def _apply(self, done: Sequence[_Written]) -> None:
        """Into the catalog, from memory; by replay where that does not fit. A full disk is waited out."""
        epoch = self._opening.epoch
        entries: list[Applied] = [(CatalogTip(epoch, *written.tip), written.batch.changes) for written in done]
        while self._catalog.is_damaged or self._catalog.tip.length < self._acknowledged:
            following = range(self._catalog.tip.length + 1, self._acknowledged + 1)
            try:
                if not self._catalog.is_damaged and [tip.length for tip, _changes in entries] == list(following):
                    await self._catalog.apply(entries)
                else:
                    await self._replay()
            except (Damaged, Unavailable) as error:
                if isinstance(error, Damaged) and not self._catalog.is_damaged:
                    raise  # our own copy of the journal, not its catalog: the next start heals it from the holders
                log.warning("journal.catalog-not-written", error=str(error))
                await trio.sleep(self._timers.retry_first_s)

    async def _watch_catalog(self) -> None:
        """A reader may be the first to find damage."""
        while True:
            await self._catalog.wait_ready()
            await self._catalog.wait_damaged()
            self._progress.tick()

    async def _read_elsewhere(self, position: int) -> bytes:
        for node, line in self._lines.items():
            try:
                entries = await line.read(position)
                if entries:
                    entry = decode_entry(entries[0])
                    check_entry(self._opening, Tip(position, entry.previous), entry)
                    return entries[0]
            except MaillonError as error:
                note_problem(node, error)
        raise Unavailable("entry-unreadable", namespace=self._opening.namespace, position=position)

    def _check_holders(self) -> None:
        """Refuse before anything is journaled when w holders cannot be reached now."""
        away = self._away_nodes()
        answering = len(self._holders) - len(away) + (self._me in self._opening.holders)
        if answering < self._opening.w:
            raise Unavailable(
                "journal-holders-away",
                namespace=self._opening.namespace,
                needed=self._opening.w,
                answering=answering,
                away=self._names(away),
            )

    def _away(self) -> tuple[str, ...]:
        return self._names(self._away_nodes())

    def _away_nodes(self) -> tuple[NodeId, ...]:
        """Holders that failed us, and those that the members know to be down before we ask."""
        down = self._unreachable()
        return tuple(node for node, holder in self._holders.items() if holder.problem is not None or node in down)

    def _names(self, nodes: Sequence[NodeId]) -> tuple[str, ...]:
        return tuple(self._name_of(node) for node in nodes)

    def _fail_waiting(self, error: MaillonError) -> None:
        waiting = [*self._queue, *(request for written in self._written for request in written.batch.requests)]
        self._queue.clear()
        self._written.clear()
        for request in waiting:
            request.fail(error)
