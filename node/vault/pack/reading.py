"""Reading a packed object: the few leaves that hold it, or its whole pack when that is read often.

An object in a pack is a small part of a block, and read as such (`node.vault.leaves`); when that fails, the whole
pack is gathered from any k shares, as every block is. A pack that is read often in a short while is gathered whole as
well, and kept opened among what was read last.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final

from node.logs import get_logger
from node.vault.blocks import BlockTools, fetch_block
from node.vault.catalog.catalog import PackedAt
from node.vault.leaves import LeafReader
from node.vault.pins import Pins
from node.vault.recent import RecentReads
from protocol.errors import MaillonError
from protocol.ids import BlockId
from protocol.namespace.changes import BlockRef

log = get_logger(__name__)

# A pack that so many of the last reads were of is worth having whole. Fewer, and packs would push each other out.
RECENT_READS: Final = 16
OFTEN: Final = 4


class PackReader:
    """The packs of one namespace, as they are read."""

    def __init__(self, tools: BlockTools, leaves: LeafReader, pins: Pins, opened: RecentReads) -> None:
        self._namespace = tools.namespace
        self._gather = partial(fetch_block, tools)
        self._leaves = leaves
        self._pins = pins
        self._opened = opened
        self._asked_last: deque[BlockId] = deque(maxlen=RECENT_READS)

    async def read(self, pack: BlockRef, at: PackedAt) -> bytes:
        """The object's sealed bytes.

        Raises:
            Unavailable: `block-unreadable`. Forged: `seal`.
        """
        place = self._namespace, pack.block
        with self._pins.hold([pack.block]):
            if place not in self._opened and not self._is_read_often(pack.block):
                try:
                    return bytes(await self._leaves.read(pack, at.offset, at.size_bytes))
                except MaillonError as error:
                    log.info("pack.leaves-failed", block=pack.block.hex()[:16], error=str(error))
            plain = await self._opened.of(place, self._gather, pack)
        return plain[at.offset : at.offset + at.size_bytes]

    def _is_read_often(self, block: BlockId) -> bool:
        """Whether many of the last reads, this one included, were of this pack."""
        self._asked_last.append(block)
        return self._asked_last.count(block) >= OFTEN
