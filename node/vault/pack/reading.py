"""Reading a packed object: the few leaves that hold it, or its whole pack when that is read often.

An object in a pack is a small range of a block: one segment or two, in one share or two. When their holders answer,
just these leaves are fetched, and the pack's seal proves them. When they do not, or lie, the whole pack is gathered
from any k shares, as every block is. A pack that is read often in a short while is gathered whole as well, and the
last few of those are kept opened in memory: small objects that were put together are often read together.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, deque
from typing import Final

import trio

from node.logs import get_logger
from node.vault.blocks import BlockTools, fetch_block
from node.vault.catalog.catalog import PackedAt
from node.vault.gather import reading_order
from node.vault.holders import Holders
from node.vault.pins import Pins
from protocol.coding.ranges import LeafRun, leaf_runs
from protocol.errors import MaillonError, Unavailable
from protocol.ids import BlockId
from protocol.keys.sealing import open_segments_into, sealed_size, segments_covering
from protocol.limits import SEGMENT_BYTES, SEGMENT_PLAIN_BYTES, TAG_BYTES
from protocol.namespace.changes import BlockRef

log = get_logger(__name__)

OPENED_MAX: Final = 8
# A pack that so many of the last reads were of is worth having whole. Fewer, and packs would push each other out.
RECENT_READS: Final = 16
OFTEN: Final = 4


class PackReader:
    """The packs of one namespace, as they are read."""

    def __init__(self, tools: BlockTools, holders: Holders, pins: Pins, *, leaves_deadline_s: float) -> None:
        self._tools = tools
        self._holders = holders
        self._pins = pins
        self._leaves_deadline_s = leaves_deadline_s
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
                    return await self._from_leaves(pack, at)
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

    async def _from_leaves(self, pack: BlockRef, at: PackedAt) -> bytes:
        """From the systematic shares that hold it, and no others."""
        sealed_bytes = sealed_size(pack.size_bytes)
        segments = segments_covering(at.offset, at.size_bytes, pack.size_bytes)
        first_byte = segments.start * SEGMENT_BYTES
        size_bytes = min(segments.stop * SEGMENT_BYTES, sealed_bytes) - first_byte
        sealed = await self._fetch(pack, leaf_runs(pack.k, sealed_bytes, first_byte, size_bytes))
        plain = memoryview(bytearray(size_bytes - TAG_BYTES * len(segments)))
        open_segments_into(pack.key, sealed, plain, first_segment=segments.start, sealed_bytes=sealed_bytes)
        start = at.offset - segments.start * SEGMENT_PLAIN_BYTES
        return bytes(plain[start : start + at.size_bytes])

    async def _fetch(self, pack: BlockRef, runs: tuple[LeafRun, ...]) -> bytes:
        """The wanted parts of the leaves, joined."""
        found = [memoryview(bytearray(run.size_bytes)) for run in runs]
        failed: list[MaillonError] = []

        async def fetch(run: LeafRun, into: memoryview) -> None:
            try:
                index = self._index_of(pack, run)
                node, one = pack.placing[index], dataclasses.replace(run, index=index)
                await self._holders.get_leaves(node, pack.block, one, into)
            except MaillonError as error:
                failed.append(error)

        with trio.move_on_after(self._leaves_deadline_s) as patience:
            async with trio.open_nursery() as nursery:
                for run, into in zip(runs, found, strict=True):
                    nursery.start_soon(fetch, run, into)
        if failed or patience.cancelled_caught:
            raise failed[0] if failed else Unavailable("deadline")
        return b"".join(into[run.wanted] for run, into in zip(runs, found, strict=True))

    def _index_of(self, pack: BlockRef, run: LeafRun) -> int:
        """Whose leaves to ask for: with k = 1 anybody has them. Raises Unavailable when nobody who has answers."""
        away = self._holders.unreachable() | self._holders.accused()
        index = reading_order(pack, self._holders.me, away)[0] if pack.k == 1 else run.index
        if pack.placing[index] in away or pack.missing >> index & 1:
            raise Unavailable("node-unreachable", node=pack.placing[index])
        return index
