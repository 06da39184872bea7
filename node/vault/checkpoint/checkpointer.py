"""When to make a checkpoint, and in what order.

A checkpoint is due when many rows are dirty, when some have been for long, and soon after every succession that was
not its own: only then are tables, rather than the entries of epochs whose holders may be gone, what the namespace
rests on (it is *settled*).

The order: small objects are packed; what is dirty is frozen with the tip; tables and manifest are durable by the rule
of a put; a succession to oneself opens a new epoch with the checkpoint as its first entry; then, and not before,
holders may delete the epochs that nothing refers to any more. A crash in between leaves blocks that nobody refers to,
and nothing else, which an inventory frees: the next checkpoint begins afresh.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.catalog import Catalog
from node.vault.checkpoint.blocks import TableBlocks
from node.vault.checkpoint.times import CheckpointTimes
from node.vault.checkpoint.writing import TableWriter
from node.vault.release.unnamed import Unnamed
from protocol.coding.label import Stamp
from protocol.errors import MaillonError
from protocol.namespace.changes import BlockRef, BlocksReplaced, Change

PAUSES_MOST: Final = 64
# An entry has room for this many with any placing, and for the checkpoint.
REPLACED_PER_CHANGE: Final = 512

log = get_logger(__name__)


class EpochKeeper(Protocol):
    """What the checkpointer needs of the journal's writer (`Tenancy`)."""

    async def roll_over(self, first: Sequence[Change] = ()) -> None:
        """Go on in a new epoch whose first entry says `first`; return when it is acknowledged and in the catalog."""

    async def append(self, changes: Sequence[Change]) -> None:
        """Journal more changes."""

    async def release_journals(self, below: int) -> None:
        """Let holders delete the epochs before `below`."""


@dataclass(frozen=True, slots=True)
class CheckpointTools:
    """What making checkpoints works with.

    `pack_all` moves small objects out of the journal first; `position` is the journal's next.
    """

    host: Host
    catalog: Catalog
    blocks: TableBlocks
    epochs: EpochKeeper
    unnamed: Unnamed
    position: Callable[[], Stamp]
    pack_all: Callable[[], Awaitable[object]]
    times: CheckpointTimes


class Checkpointer:
    """Makes the checkpoints of one namespace."""

    def __init__(self, tools: CheckpointTools) -> None:
        self._tools = tools
        self._writer = TableWriter(tools.host, tools.catalog, tools.blocks)
        self._dirty_since: float | None = None
        self._epoch_since: tuple[int, float] = (0, 0.0)
        self._pauses = 1

    async def run(self) -> None:
        """Work until cancelled. What does not work now is tried again, less and less often."""
        while True:
            await trio.sleep(self._pauses * self._tools.times.look_s)
            try:
                if await self.is_due():
                    await self.make()
            except MaillonError as error:
                log.warning("checkpoint.not-now", error=str(error))
                self._pauses = min(2 * self._pauses, PAUSES_MOST)
            else:
                self._pauses = 1

    async def is_due(self) -> bool:
        """Whether a checkpoint is to be made now."""
        times, now, catalog = self._tools.times, trio.current_time(), self._tools.catalog
        dirty = await catalog.ask(lambda database: database.dirty_count())
        if not dirty:
            self._dirty_since = None
        elif self._dirty_since is None:
            self._dirty_since = now
        if catalog.tip.epoch != self._epoch_since[0]:
            self._epoch_since = (catalog.tip.epoch, now)
        is_old = self._dirty_since is not None and now - self._dirty_since >= times.after_s
        is_unsettled = not catalog.is_settled and now - self._epoch_since[1] >= times.settle_s
        return dirty >= times.rows_most or is_old or is_unsettled

    async def make(self) -> None:
        """Make one.

        Raises:
            MaillonError: why it could not be made; the namespace is what it was.
        """
        tools, faults = self._tools, self._tools.host.faults
        await tools.pack_all()
        await faults.reach("checkpoint.before-freeze")
        before = tools.catalog.checkpoint
        frozen = await tools.catalog.change(lambda database: database.freeze())
        await faults.reach("checkpoint.after-freeze")
        with tools.unnamed.writing(tools.position()) as writing:
            written = await self._writer.write(frozen, before, writing)
            await faults.reach("checkpoint.before-succession")
            writing.blocks.clear()  # from here on they may be named, whatever is heard of it
            replaced = [BlocksReplaced(blocks) for blocks in _in_changes(written.replaced)]
            with writing.naming(tools.position, ()):
                await tools.epochs.roll_over([written.checkpoint, *replaced[:1]])
        for change in replaced[1:]:
            await tools.epochs.append([change])
        self._dirty_since = trio.current_time() if self._dirty_since is not None else None
        log.info("checkpoint.made", rows=frozen.rows, epoch=frozen.tip.epoch, length=frozen.tip.length)
        await faults.reach("checkpoint.after-succession")
        await tools.catalog.change(lambda database: database.frozen.thaw())
        await tools.epochs.release_journals(await self._needed_from(frozen.tip.epoch))
        await faults.reach("checkpoint.after-release")

    async def _needed_from(self, covered_epoch: int) -> int:
        """The first epoch whose entries are still needed: for replay, or for what is inline in them."""
        oldest = await self._tools.catalog.ask(lambda database: database.oldest_inline())
        return covered_epoch if oldest is None else min(covered_epoch, oldest.epoch)


def _in_changes(blocks: Sequence[BlockRef]) -> list[tuple[BlockRef, ...]]:
    return [tuple(blocks[at : at + REPLACED_PER_CHANGE]) for at in range(0, len(blocks), REPLACED_PER_CHANGE)]
