"""One writer per disk: it gathers whatever waits, makes it durable with one write and one sync, and answers all.

While a batch is on its way to the disk the next one gathers, so the busier the disk, the fewer syncs per share. A
batch costs one hop to a thread. The buffers stay their owners': whoever is cancelled before his batch began is
simply taken out of the queue, and afterwards he waits until the disk is done with his buffers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from node.host.ports import Threads
from node.logs import get_logger
from node.store.layout import RebuildWork, Work
from node.store.volumes import Outcome
from protocol.errors import MaillonError, Unavailable

log = get_logger(__name__)

_ENTRIES_MAX = 256


@dataclass(slots=True, eq=False)
class _Ticket:
    """Somebody waiting for his work."""

    work: Work | RebuildWork
    done: trio.Event = field(default_factory=trio.Event)
    outcome: Outcome = Outcome.FAILING
    error: MaillonError | None = None


class DiskWriter:
    """`append` is called in a thread, one batch at a time, and says what became of each work."""

    def __init__(
        self,
        threads: Threads,
        append: Callable[[Sequence[Work | RebuildWork]], list[Outcome]],
        *,
        batch_bytes_max: int,
    ) -> None:
        self._threads = threads
        self._append = append
        self._batch_bytes_max = batch_bytes_max
        self._queue: deque[_Ticket] = deque()
        self._arrived = trio.Event()
        self._is_open = False

    @property
    def queued_bytes(self) -> int:
        return sum(ticket.work.size_bytes for ticket in self._queue)

    async def submit(self, work: Work | RebuildWork) -> Outcome:
        """What became of `work`, once that is durable.

        Raises:
            Unavailable: `store-closed`. Any error that `append` raised.
        """
        (outcome,) = await self.submit_all([work])
        return outcome

    async def submit_all(self, works: Sequence[Work | RebuildWork]) -> list[Outcome]:
        """The same for several works that arrive together, and so are written together."""
        # Who is told to stop together with the writer hears just that, and not that the store is closed.
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self._is_open:
            raise Unavailable("store-closed")
        tickets = [_Ticket(work) for work in works]
        self._queue.extend(tickets)
        self._arrived.set()
        try:
            for ticket in tickets:
                if not ticket.done.is_set():
                    await ticket.done.wait()
        except trio.Cancelled:
            for ticket in tickets:
                if ticket in self._queue:
                    self._queue.remove(ticket)
                else:
                    with trio.CancelScope(shield=True):
                        await ticket.done.wait()
            raise
        for ticket in tickets:
            if ticket.error is not None:
                raise ticket.error
        return [ticket.outcome for ticket in tickets]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled; then refuse what still waits."""
        self._is_open = True
        task_status.started()
        try:
            while True:
                await self._arrived.wait()
                batch = self._gather()
                await self._write(batch)
        finally:
            self._is_open = False
            _refuse(list(self._queue), Unavailable("store-closed"))
            self._queue.clear()

    def _gather(self) -> list[_Ticket]:
        batch: list[_Ticket] = []
        size_bytes = 0
        while self._queue and len(batch) < _ENTRIES_MAX:
            size_bytes += self._queue[0].work.size_bytes
            if batch and size_bytes > self._batch_bytes_max:
                break
            batch.append(self._queue.popleft())
        if not self._queue:
            self._arrived = trio.Event()
        return batch

    async def _write(self, batch: list[_Ticket]) -> None:
        try:
            outcomes = await self._threads.run_blocking(self._append, [ticket.work for ticket in batch])
        except MaillonError as error:
            _refuse(batch, error)
            return
        except BaseException:
            _refuse(batch, Unavailable("store-closed"))
            raise
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
            ticket.done.set()


def _refuse(tickets: list[_Ticket], error: MaillonError) -> None:
    for ticket in tickets:
        ticket.error = error
        ticket.done.set()
