"""Reading a packed object: the few leaves that hold it, or its whole pack when that is read often.

An object in a pack is a small part of a block, and read as such (`node.vault.leaves`); when that fails, the whole
pack is gathered from any k shares, as every block is. A pack that is read often in a short while is gathered whole as
well, and the last few of those are kept opened in memory: small objects that were put together are often read
together.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import trio

from node.logs import get_logger
from node.vault.blocks import BlockTools, fetch_block
from node.vault.catalog.catalog import PackedAt
from node.vault.leaves import LeafReader
from node.vault.pins import Pins
from protocol.errors import MaillonError
from protocol.ids import BlockId
from protocol.namespace.changes import BlockRef

log = get_logger(__name__)

OPENED_MAX: Final = 8
# A pack that so many of the last reads were of is worth having whole. Fewer, and packs would push each other out.
RECENT_READS: Final = 16
OFTEN: Final = 4


class PackReader:
    """The packs of one namespace, as they are read."""

    def __init__(self, tools: BlockTools, leaves: LeafReader, pins: Pins) -> None:
        self._tools = tools
        self._leaves = leaves
        self._pins = pins
        self._opened: OrderedDict[BlockId, bytes] = OrderedDict()
        self._recent: deque[BlockId] = deque(maxlen=RECENT_READS)
        self._opening = trio.Lock()

    async def read(self, pack: BlockRef, at: PackedAt) -> bytes:
        """The object's sealed bytes.

        Raises:
            Unavailable: `block-unreadable`. Forged: `seal`.
        """
        with self._pins.hold([pack.block]):
            if pack.block not in self._opened and not self._is_read_often(pack.block):
                try:
                    return bytes(await self._leaves.read(pack, at.offset, at.size_bytes))
                except MaillonError as error:
                    log.info("pack.leaves-failed", block=pack.block.hex()[:16], error=str(error))
            plain = await self._whole(pack)
        return plain[at.offset : at.offset + at.size_bytes]

    def _is_read_often(self, block: BlockId) -> bool:
        """Whether many of the last reads, this one included, were of this pack."""
        self._recent.append(block)
        return self._recent.count(block) >= OFTEN

    async def _whole(self, pack: BlockRef) -> bytes:
        """The pack's plain bytes: kept, or gathered; one at a time, so that nobody gathers what another does."""
        if pack.block not in self._opened:
            async with self._opening:
                if pack.block not in self._opened:
                    self._opened[pack.block] = await fetch_block(self._tools, pack)
        plain = self._opened[pack.block]
        self._opened.move_to_end(pack.block)
        while len(self._opened) > OPENED_MAX:
            self._opened.popitem(last=False)
        return plain
