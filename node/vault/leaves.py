"""Reading a small part of a block: just the leaves that hold it, from just the holders that have those.

A few plain bytes of a block are in one segment or two, in one share or two. When their holders answer, only these
leaves are fetched, and the block's seal proves them. When they do not, or lie, whoever asked gathers the whole block
from any k shares, as every block is.
"""

from __future__ import annotations

import dataclasses

import trio

from node.vault.gather import reading_order
from node.vault.holders import Holders
from protocol.coding.ranges import LeafRun, leaf_runs
from protocol.errors import MaillonError, Unavailable
from protocol.keys.sealing import open_segments_into, sealed_size, segments_covering
from protocol.limits import SEGMENT_BYTES, SEGMENT_PLAIN_BYTES, TAG_BYTES
from protocol.namespace.changes import BlockRef


class LeafReader:
    """Reads parts of blocks from the systematic shares that hold them, each within `deadline_s`."""

    def __init__(self, holders: Holders, deadline_s: float) -> None:
        self._holders = holders
        self._deadline_s = deadline_s

    async def read(self, block: BlockRef, first: int, size_bytes: int) -> memoryview:
        """The plain bytes [first, first + size_bytes) of a block.

        Raises:
            MaillonError: it takes more than these leaves, or more time.
        """
        sealed_bytes = sealed_size(block.size_bytes)
        segments = segments_covering(first, size_bytes, block.size_bytes)
        first_byte = segments.start * SEGMENT_BYTES
        segment_bytes = min(segments.stop * SEGMENT_BYTES, sealed_bytes) - first_byte
        sealed = await self._fetch(block, leaf_runs(block.k, sealed_bytes, first_byte, segment_bytes))
        plain = memoryview(bytearray(segment_bytes - TAG_BYTES * len(segments)))
        open_segments_into(block.key, sealed, plain, first_segment=segments.start, sealed_bytes=sealed_bytes)
        start = first - segments.start * SEGMENT_PLAIN_BYTES
        return plain[start : start + size_bytes]

    async def _fetch(self, block: BlockRef, runs: tuple[LeafRun, ...]) -> bytes:
        """The wanted parts of the leaves, joined."""
        found = [memoryview(bytearray(run.size_bytes)) for run in runs]
        failed: list[MaillonError] = []

        async def fetch(run: LeafRun, into: memoryview) -> None:
            try:
                index = self._index_of(block, run)
                node, one = block.placing[index], dataclasses.replace(run, index=index)
                await self._holders.get_leaves(node, block.block, one, into)
            except MaillonError as error:
                failed.append(error)

        with trio.move_on_after(self._deadline_s) as patience:
            async with trio.open_nursery() as nursery:
                for run, into in zip(runs, found, strict=True):
                    nursery.start_soon(fetch, run, into)
        if failed or patience.cancelled_caught:
            raise failed[0] if failed else Unavailable("deadline")
        return b"".join(into[run.wanted] for run, into in zip(runs, found, strict=True))

    def _index_of(self, block: BlockRef, run: LeafRun) -> int:
        """Whose leaves to ask for: with k = 1 anybody has them. Raises Unavailable when nobody who has answers."""
        away = self._holders.unreachable() | self._holders.accused()
        index = reading_order(block, self._holders.me, away)[0] if block.k == 1 else run.index
        if block.placing[index] in away or block.missing >> index & 1:
            raise Unavailable("node-unreachable", node=block.placing[index])
        return index
