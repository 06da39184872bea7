"""Blocks that were written and that nothing refers to: what is left of writes that failed.

A block is spread before it is journaled, so a put that fails in between leaves shares behind. While the gateway
lives it knows of them, and has them released as if they had lost their reference; nothing is journaled about them, as
nothing was journaled before. What a gateway that dies leaves behind is found by its inventories.

A write notes its blocks before they are spread and strikes them out before their change is journaled: from then on
they may be named, whatever the writer hears of it. Only when the journal says that nothing was journaled are they
noted again.

The same count of what is under way says how far an inventory may reach (`horizon`). A write is under way from before
its first share is stamped until its change is in the catalog, or is known not to be in the journal. One that ended
with neither is in doubt, for as long as its change may still be acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from node.vault.journal.writer import JournalWriter
from protocol.coding.label import Stamp
from protocol.errors import MaillonError
from protocol.ids import BlockId, NodeId
from protocol.namespace.changes import Change

UNNAMED_MAX: Final = 65_536
_NOTHING_WAS_JOURNALED: Final = frozenset({"journal-holders-away", "journal-not-ready"})


@dataclass(slots=True, eq=False)
class Writing:
    """One write under way: the blocks that it spread, or is about to, and who may have shares of them.

    No share of it is stamped before `since`. A change of which it is not known whether it was journaled stands at
    `doubtful` or before, if anywhere.
    """

    since: Stamp
    blocks: dict[BlockId, tuple[NodeId, ...]] = field(default_factory=dict)
    doubtful: Stamp | None = None

    def spreads(self, blocks: Iterable[BlockId], nodes: Iterable[NodeId]) -> None:
        """Shares of these are about to be sent to some of `nodes`."""
        might = tuple(nodes)
        self.blocks.update((block, might) for block in blocks)

    def naming(self, position: Callable[[], Stamp], names: Iterable[BlockId]) -> AbstractContextManager[None]:
        """Inside, a change that names these blocks is journaled. `position`: the journal's next."""
        return _Naming(self, position, {block: self.blocks.pop(block) for block in names if block in self.blocks})

    async def journal(
        self, journal: JournalWriter, change: Change, names: Iterable[BlockId], inline: Sequence[bytes] = ()
    ) -> None:
        """Append the change, which names these blocks. Raises what the journal raises."""
        with self.naming(lambda: journal.next_position, names):
            await journal.append([change], inline)


@dataclass(slots=True)
class _Naming(AbstractContextManager[None]):
    """Blocks that were struck out, until it is known whether the change may be in the journal. Every put has one, so
    it is no generator, which would cost more.
    """

    writing: Writing
    position: Callable[[], Stamp]
    named: dict[BlockId, tuple[NodeId, ...]]

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, MaillonError) and error.identifier in _NOTHING_WAS_JOURNALED:
            self.writing.blocks.update(self.named)
        elif error is not None:
            self.writing.doubtful = self.position()


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Writes that began at `since` or later ended, and their changes may yet turn up, at `until` or before."""

    since: Stamp
    until: Stamp


class Unnamed:
    """What failed writes left, until the releaser takes care of it, and what is under way."""

    def __init__(self) -> None:
        self.blocks: dict[BlockId, tuple[NodeId, ...]] = {}
        self._under_way: set[Writing] = set()
        self._doubt: _Doubt | None = None

    def writing(self, since: Stamp) -> AbstractContextManager[Writing]:
        """A write for the length of the block, none of whose shares will be stamped before `since`; what it leaves
        unnamed when it fails is to be released."""
        return _UnderWay(self, Writing(since))

    def begin(self, writing: Writing) -> None:
        """It is under way."""
        self._under_way.add(writing)

    def end(self, writing: Writing, *, has_failed: bool) -> None:
        """It no longer is."""
        self._under_way.discard(writing)
        if has_failed and len(self.blocks) < UNNAMED_MAX:
            self.blocks.update(writing.blocks)
        if writing.doubtful is not None:
            self._doubt_until(writing.since, writing.doubtful)

    def knows(self, block: BlockId) -> bool:
        """Whether a write of this gateway spreads the block now, or failed and has it released."""
        return block in self.blocks or any(block in writing.blocks for writing in self._under_way)

    def horizon(self, applied: Stamp, following: Stamp) -> Stamp:
        """Of every write with a share stamped before this it is known how it ended, and what it journaled is applied.

        `applied`: the position before which every entry is in the catalog. `following`: the journal's next one.
        """
        if self._doubt is not None and self._doubt.until < applied:
            self._doubt = None
        doubts = [] if self._doubt is None else [self._doubt.since]
        return min([following, *doubts, *(writing.since for writing in self._under_way)])

    def _doubt_until(self, since: Stamp, until: Stamp) -> None:
        known = self._doubt or _Doubt(since, until)
        self._doubt = _Doubt(min(known.since, since), max(known.until, until))


@dataclass(slots=True)
class _UnderWay(AbstractContextManager[Writing]):
    """A write for the length of a block. Every put has one, too."""

    unnamed: Unnamed
    writing: Writing

    def __enter__(self) -> Writing:
        self.unnamed.begin(self.writing)
        return self.writing

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.unnamed.end(self.writing, has_failed=error is not None)
