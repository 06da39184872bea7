"""Reading an object in order to write it anew: what flows out of one is poured into the other, a buffer at a time.

Who reads and who writes wait for each other, so they must not wait for the same desks: with all of them on one side
nobody would ever go on. Whoever pours therefore reads onto desks of his own, of which there are a few sets for the
whole node; who finds none waits before anything of his holds a desk of those that all share.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from node.first_error import first_error
from node.host.ports import Buffer
from node.vault.objects import ObjectStat, Sink, Source
from node.vault.read import ReadingTools

DESKS_PER_POURING: Final = 1


@asynccontextmanager
async def pouring(
    reading: ReadingTools, pour: Callable[[ReadingTools, Sink], Awaitable[None]]
) -> AsyncIterator[Source]:
    """A source of what `pour` writes to the sink that it is given, with the tools to read with.

    Raises:
        MaillonError: what `pour` raises, in the place of what whoever reads from the source makes of it.
    """
    async with reading.pouring_desks.lent() as desks:
        get, pipe = replace(reading.get, desks=desks, blocks_in_flight=DESKS_PER_POURING), Pipe()

        async def to_the_end() -> None:
            await pour(replace(reading, get=get), pipe)
            pipe.end()

        with first_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(to_the_end)
                yield pipe
                nursery.cancel_scope.cancel()


class Pipe:
    """What is written to it as a sink is read from it as a source: nothing is kept in between."""

    def __init__(self) -> None:
        self._parts: list[memoryview] = []
        self._is_over = False
        self._changed = trio.Event()

    async def begin(self, stat: ObjectStat) -> None:
        """Nothing is to be done: whoever reads knows what it is."""

    async def write(self, parts: list[Buffer]) -> None:
        self._parts = [memoryview(part) for part in parts if len(part)]
        self._tell()
        while self._parts:
            await self._changed.wait()

    def end(self) -> None:
        """All was written."""
        self._is_over = True
        self._tell()

    async def receive_into(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            if self._parts:
                part = self._parts[0]
                count = min(len(part), len(buffer) - filled)
                buffer[filled : filled + count] = part[:count]
                filled += count
                self._parts[:1] = [part[count:]] if count < len(part) else []
                if not self._parts:
                    self._tell()
            elif self._is_over:
                break
            else:
                await self._changed.wait()
        return filled

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
