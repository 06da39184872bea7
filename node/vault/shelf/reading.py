"""Reading an object at the shelf: found, chosen from, and written to its sink, a bounded number of blocks at a time.

Whoever begins to read an object reads it to the end, even if it is replaced meanwhile: its blocks are pinned. Only of
a very long one not all blocks are held in memory at once: it is read span by span, and if it is deleted in between
the reading fails.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from node.vault.catalog.catalog import Located
from node.vault.catalog.values import StoredObject
from node.vault.objects import ObjectStat, Sink
from node.vault.read import ReadingTools, read_object
from node.vault.serving import Readable
from node.vault.shelf.terms import ByteRange, ObjectRef
from node.vault.shelf.tools import ShelfTools, refuse_marker
from protocol.limits import MIB

# So much of an object is located at once: some 4,000 blocks.
SPAN_BYTES_MAX: Final = 16 * 1024 * MIB

# A part of an object, chosen once it is known what the object is.
ChoosePart = Callable[[ObjectStat], ByteRange | None]


class Reading:
    """One object that is read."""

    def __init__(self, tools: ShelfTools, serving: Readable, reading: ReadingTools, source: ObjectRef) -> None:
        self._tools = tools
        self._serving = serving
        self._reading = reading
        self._source = source
        self._part = ByteRange(0, 0)

    async def to(self, sink: Sink, part: ByteRange | ChoosePart | None) -> ObjectStat:
        """Write the object's bytes to the sink, or those of the part. Raises as `Objects.get`."""

        seen: list[ObjectStat] = []

        def choose(stored: StoredObject) -> tuple[int, int] | None:
            refuse_marker(stored)
            seen.append(self._tools.stat(self._serving, stored))
            wanted = part(seen[-1]) if callable(part) else part
            self._part = wanted or ByteRange(0, stored.size_bytes)
            return None if wanted is None and stored.size_bytes <= SPAN_BYTES_MAX else self._span(self._part.first)

        source = self._source
        located = await self._serving.catalog.located(source.bucket, source.key, source.version, choose)
        stat = seen[-1]
        await sink.begin(stat)
        await self._write(located, sink)
        await self._go_on(located, sink)
        return stat

    async def _go_on(self, located: Located, sink: Sink) -> None:
        """The spans after the first."""
        stored = located.stored
        while located.span is not None and located.span[1] < self._part.end:
            following = partial(_chosen, self._span(located.span[1]))
            located = await self._serving.catalog.located(stored.bucket, stored.key, stored.version, following)
            await self._write(located, sink)

    def _span(self, first: int) -> tuple[int, int]:
        return first, min(first + SPAN_BYTES_MAX, self._part.end)

    async def _write(self, located: Located, sink: Sink) -> None:
        span, before = located.span, located.before
        part = None if span is None else ByteRange(span[0] - before, span[1] - before)
        await read_object(self._reading, located.stored, located.blocks, sink, part)


def _chosen(span: tuple[int, int], _stored: StoredObject) -> tuple[int, int]:
    return span
