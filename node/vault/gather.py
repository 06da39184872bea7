"""Gathering one block: any k good shares, the cheapest first, never waiting long for a slow one.

The own share is read first, as it costs no network; then the systematic ones, which need no arithmetic; then
parity. Holders that do not answer now come last. k fetches run at once; a failed one is replaced at once, and when
the block is not there after `hedge_after`, one more share is asked for, again and again, so that one slow member
costs a share's traffic instead of the reader's time. Shares are received straight into their slots of a workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from node.logs import get_logger
from node.vault.holders import Checking, Holders
from protocol.coding.block import Workspace
from protocol.coding.header import Header
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId
from protocol.keys.sealing import sealed_size
from protocol.namespace.changes import BlockRef

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GatherTimes:
    """When to ask for one share more, and when to give up on the block."""

    hedge_after_s: float
    get_deadline_s: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """k shares, lying in their slots of the workspace."""

    header: Header
    present: tuple[tuple[int, memoryview], ...]


def reading_order(reference: BlockRef, me: NodeId, shunned: frozenset[NodeId]) -> tuple[int, ...]:
    """The shares of a block in the order in which to ask for them. Pure.

    `shunned`: those that do not answer, or answered with wrong bytes a while ago.
    """

    def cost(index: int) -> tuple[bool, bool, bool, bool, int]:
        node = reference.placing[index]
        absent = bool(reference.missing >> index & 1)
        return (absent, node in shunned, node != me, index >= reference.k, index)

    return tuple(sorted(range(reference.n), key=cost))


@dataclass(slots=True)
class _Fetches:
    """The shares still to ask for, and what came of those asked."""

    waiting: list[int]
    needed: int
    checking: Checking
    header: Header | None = None
    present: list[tuple[int, memoryview]] = field(default_factory=list)
    failed: list[tuple[NodeId, MaillonError]] = field(default_factory=list)
    done: trio.Event = field(default_factory=trio.Event)
    running: int = 0


class Gatherer:
    """Fetches blocks for one vault."""

    def __init__(self, holders: Holders, times: GatherTimes) -> None:
        self._holders = holders
        self._times = times

    async def gather(self, reference: BlockRef, workspace: Workspace, checking: Checking = Checking.NOW) -> Gathered:
        """k shares of the block, whose bytes are checked now or left for the seal to check.

        Raises:
            Unavailable: `block-unreadable`, with how many shares were found and who failed.
        """
        slots = workspace.slots(sealed_size(reference.size_bytes))
        shunned = self._holders.unreachable() | self._holders.accused()
        order = reading_order(reference, self._holders.me, shunned)
        fetches = _Fetches(list(order), reference.k, checking)
        with trio.move_on_after(self._times.get_deadline_s):
            async with trio.open_nursery() as nursery:
                for _ in range(reference.k):
                    self._start_next(nursery, fetches, reference, slots)
                await self._hedge_until_done(nursery, fetches, reference, slots)
                nursery.cancel_scope.cancel()
        if fetches.header is None or len(fetches.present) < reference.k:
            raise self._unreadable(reference, fetches)
        return Gathered(fetches.header, tuple(fetches.present[: reference.k]))

    async def _hedge_until_done(
        self, nursery: trio.Nursery, fetches: _Fetches, reference: BlockRef, slots: Sequence[memoryview]
    ) -> None:
        while not fetches.done.is_set():
            with trio.move_on_after(self._times.hedge_after_s if fetches.waiting else self._times.get_deadline_s):
                await fetches.done.wait()
                return
            self._start_next(nursery, fetches, reference, slots)

    def _start_next(
        self, nursery: trio.Nursery, fetches: _Fetches, reference: BlockRef, slots: Sequence[memoryview]
    ) -> None:
        if fetches.waiting:
            fetches.running += 1
            nursery.start_soon(self._fetch, nursery, fetches, reference, slots, fetches.waiting.pop(0))
        elif not fetches.running:
            fetches.done.set()

    async def _fetch(
        self, nursery: trio.Nursery, fetches: _Fetches, reference: BlockRef, slots: Sequence[memoryview], index: int
    ) -> None:
        node = reference.placing[index]
        try:
            header = await self._holders.get(node, reference.block, index, slots[index], fetches.checking)
        except MaillonError as error:
            log.info("gather.share-failed", node=self._holders.name(node), index=index, error=str(error))
            fetches.failed.append((node, error))
            fetches.running -= 1
            self._start_next(nursery, fetches, reference, slots)
            return
        fetches.running -= 1
        fetches.header = header
        fetches.present.append((index, slots[index]))
        if len(fetches.present) >= fetches.needed:
            fetches.done.set()

    def _unreadable(self, reference: BlockRef, fetches: _Fetches) -> Unavailable:
        got = {index for index, _ in fetches.present}
        return Unavailable(
            "block-unreadable",
            block=reference.block,
            found=len(got),
            needed=reference.k,
            missing=tuple(
                self._holders.name(node) for index, node in enumerate(reference.placing) if index not in got
            ),
        )
