"""Blocks that were written and that nothing refers to: what is left of writes that failed.

A block is spread before it is journaled, so a put that fails in between leaves shares behind. While the gateway
lives it knows of them, and has them released as if they had lost their reference; nothing is journaled about them, as
nothing was journaled before. What a gateway that dies leaves behind is not found this way.

A write notes its blocks before they are spread and strikes them out before their change is journaled: from then on
they may be named, whatever the writer hears of it. Only when the journal says that nothing was journaled are they
noted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from node.vault.journal.writer import JournalWriter
from protocol.errors import MaillonError
from protocol.ids import BlockId, NodeId
from protocol.namespace.changes import Change

UNNAMED_MAX: Final = 65_536
_NOTHING_WAS_JOURNALED: Final = frozenset({"journal-holders-away", "journal-not-ready"})


@dataclass(slots=True)
class Writing:
    """One write under way: the blocks that it spread, or is about to, and who may have shares of them."""

    blocks: dict[BlockId, tuple[NodeId, ...]] = field(default_factory=dict)

    def spreads(self, blocks: Iterable[BlockId], nodes: Iterable[NodeId]) -> None:
        """Shares of these are about to be sent to some of `nodes`."""
        might = tuple(nodes)
        self.blocks.update((block, might) for block in blocks)

    async def journal(
        self, journal: JournalWriter, change: Change, names: Iterable[BlockId], inline: Sequence[bytes] = ()
    ) -> None:
        """Append the change, which names these blocks. Raises what the journal raises."""
        named = {block: self.blocks.pop(block) for block in names if block in self.blocks}
        try:
            await journal.append([change], inline)
        except MaillonError as error:
            if error.identifier in _NOTHING_WAS_JOURNALED:
                self.blocks.update(named)
            raise


class Unnamed:
    """What failed writes left, until the releaser takes care of it."""

    def __init__(self) -> None:
        self.blocks: dict[BlockId, tuple[NodeId, ...]] = {}

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """A write for the length of the block; what it leaves unnamed when it fails is to be released."""
        writing = Writing()
        try:
            yield writing
        except BaseException:
            if len(self.blocks) < UNNAMED_MAX:
                self.blocks.update(writing.blocks)
            raise
