"""Gathering a few blocks: of each any k good shares, the cheapest first, never waiting long for a slow one.

The own share is read first, as it costs no network. Of a lone block the systematic ones come next, which need no
arithmetic, then parity. What one holder is asked for of all the blocks, it is asked for in one go; so several blocks
are read from the same few holders, other ones for each gathering: rebuilding what was parity there costs a tenth of
the questions that are saved. Holders that do not answer now come last. A share that does not come is replaced at
once, and when a block is not there after `hedge_after`, one more of its shares is asked for, again and again, so that
one slow member costs a share's traffic instead of the reader's time. Shares are received straight into their slots of
a workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import trio

from node.logs import get_logger
from node.vault.holders import Checking, Holders, Sought
from protocol.coding.block import Workspace
from protocol.coding.header import Header
from protocol.errors import MaillonError, Unavailable
from protocol.ids import BlockId, NodeId
from protocol.keys.sealing import sealed_size
from protocol.namespace.changes import BlockRef

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GatherTimes:
    """When to ask for one share more, and when to give up."""

    hedge_after_s: float
    get_deadline_s: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """k shares, lying in their slots of the workspace."""

    header: Header
    present: tuple[tuple[int, memoryview], ...]


def reading_order(
    reference: BlockRef, me: NodeId, shunned: frozenset[NodeId], *, together_with: BlockId | None = None
) -> tuple[int, ...]:
    """The shares of a block in the order in which to ask for them. Pure.

    `shunned`: those that do not answer, or answered with wrong bytes a while ago. Blocks that are read together name
    the same block in `together_with`, and so prefer the same holders.
    """

    def rank(index: int) -> int:
        if together_with is None:
            return index
        return int.from_bytes(reference.placing[index]) ^ int.from_bytes(together_with)

    def cost(index: int) -> tuple[bool, bool, bool, int]:
        node = reference.placing[index]
        absent = bool(reference.missing >> index & 1)
        return (absent, node in shunned, node != me, rank(index))

    return tuple(sorted(range(reference.n), key=cost))


class Inbound:
    """One block of those gathered together: the shares still to ask for, and what came of those asked."""

    def __init__(self, reference: BlockRef, slots: Sequence[memoryview], order: Sequence[int]) -> None:
        self.reference = reference
        self.slots = slots
        self.waiting = list(order)
        self.running = 0
        self.header: Header | None = None
        self.present: list[int] = []

    @property
    def is_whole(self) -> bool:
        """Enough shares are there."""
        return len(self.present) >= self.reference.k

    @property
    def is_settled(self) -> bool:
        """Enough shares are there, or no more will come."""
        return self.is_whole or not (self.waiting or self.running)

    def ask_next(self) -> list[tuple[Inbound, int]]:
        """The share to ask for now, if there is one left."""
        if not self.waiting:
            return []
        self.running += 1
        return [(self, self.waiting.pop(0))]

    def gathered(self) -> Gathered | None:
        """k shares, if so many came."""
        if self.header is None or not self.is_whole:
            return None
        chosen = self.present[: self.reference.k]
        return Gathered(self.header, tuple((index, self.slots[index]) for index in chosen))


# A share of a block, by its index.
Item = tuple[Inbound, int]


class Gatherer:
    """Fetches blocks for one vault."""

    def __init__(self, holders: Holders, times: GatherTimes) -> None:
        self._holders = holders
        self._times = times

    async def gather(self, reference: BlockRef, workspace: Workspace, checking: Checking = Checking.NOW) -> Gathered:
        """`gather_all` of one block."""
        (gathered,) = await self.gather_all([(reference, workspace)], checking)
        return gathered

    async def gather_all(
        self, blocks: Sequence[tuple[BlockRef, Workspace]], checking: Checking = Checking.NOW
    ) -> list[Gathered]:
        """k shares of each block, whose bytes are checked now or left for the seal to check.

        Raises:
            Unavailable: `block-unreadable`, with how many shares were found and who failed.
        """
        shunned = self._holders.unreachable() | self._holders.accused()
        leader = blocks[0][0].block if len(blocks) > 1 else None
        inbound = [
            Inbound(
                reference,
                workspace.slots(sealed_size(reference.size_bytes)),
                reading_order(reference, self._holders.me, shunned, together_with=leader),
            )
            for reference, workspace in blocks
        ]
        with trio.move_on_after(self._times.get_deadline_s):
            await _Gathering(self._holders, inbound, checking).run(self._times.hedge_after_s)
        found = []
        for block in inbound:
            gathered = block.gathered()
            if gathered is None:
                raise self._unreadable(block)
            found.append(gathered)
        return found

    def _unreadable(self, block: Inbound) -> Unavailable:
        reference = block.reference
        return Unavailable(
            "block-unreadable",
            block=reference.block,
            found=len(block.present),
            needed=reference.k,
            missing=tuple(
                self._holders.name(node) for index, node in enumerate(reference.placing) if index not in block.present
            ),
        )


class _Gathering:
    """Some blocks on their way."""

    def __init__(self, holders: Holders, blocks: Sequence[Inbound], checking: Checking) -> None:
        self._holders = holders
        self._blocks = blocks
        self._checking = checking
        self._settled = trio.Event()

    async def run(self, hedge_after_s: float) -> None:
        """Return when each block is whole, or no more of it will come."""
        async with trio.open_nursery() as nursery:
            first = [item for block in self._blocks for _ in range(block.reference.k) for item in block.ask_next()]
            self._fetch(first, nursery)
            while not self._settled.is_set():
                with trio.move_on_after(hedge_after_s):
                    await self._settled.wait()
                    break
                self._fetch(self._more(), nursery)
            nursery.cancel_scope.cancel()

    def _more(self) -> list[Item]:
        """One share more of each block that is late."""
        return [item for block in self._blocks if not block.is_whole for item in block.ask_next()]

    def _fetch(self, items: Iterable[Item], nursery: trio.Nursery) -> None:
        by_holder: dict[NodeId, list[Item]] = {}
        for block, index in items:
            by_holder.setdefault(block.reference.placing[index], []).append((block, index))
        for node, its_items in by_holder.items():
            nursery.start_soon(self._fetch_from, node, its_items, nursery)

    async def _fetch_from(self, node: NodeId, items: list[Item], nursery: trio.Nursery) -> None:
        """Ask one holder for these shares, and others for what does not come."""
        more: list[Item] = []
        for (block, index), found in zip(items, await self._outcomes(node, items), strict=True):
            block.running -= 1
            if isinstance(found, Header):
                block.header = found
                block.present.append(index)
                continue
            log.info("gather.share-failed", node=self._holders.name(node), index=index, error=str(found))
            more += [] if block.is_whole else block.ask_next()
        self._fetch(more, nursery)
        if all(block.is_settled for block in self._blocks):
            self._settled.set()

    async def _outcomes(self, node: NodeId, items: Sequence[Item]) -> Sequence[Header | MaillonError]:
        sought = [Sought(block.reference.block, index, block.slots[index]) for block, index in items]
        try:
            return await self._holders.get(node, sought, self._checking)
        except MaillonError as error:
            return [error] * len(items)
