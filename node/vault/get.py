"""Getting an object: blocks gathered ahead, opened in threads, written in order.

Up to `blocks_in_flight` blocks are gathered at the same time, a few of them together, while the oldest are written to
the sink: for a client that has shown that it is quick. A slow one gets block after block on a single desk, with
nothing read ahead, because what waits for it on desks is kept from everybody else. Nothing reaches the sink before it
is opened: a wrong byte anywhere fails the seal, never the reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from node.first_error import first_error
from node.host.ports import Buffer, Host
from node.stalls import not_stalled
from node.vault.blocks import BlockReader, Page
from node.vault.gather import Gatherer
from node.vault.objects import Sink
from node.vault.pace import Pace
from node.vault.ticker import Ticker
from node.vault.workspaces import BLOCKS_PER_FLIGHT, Desk, Desks, Loan
from protocol.coding.erasure import Engine
from protocol.keys.sealing import open_into, plain_size
from protocol.namespace.changes import BlockRef


@dataclass(frozen=True, slots=True)
class GetTools:
    """What gets work with."""

    host: Host
    engine: Engine
    desks: Desks
    gatherer: Gatherer
    blocks_in_flight: int
    stall_s: float


@dataclass(slots=True)
class _Flight:
    """A few blocks on their way together: when they lie opened on their desks, and when they have been written."""

    pages: tuple[tuple[Page, slice], ...]
    ready: trio.Event = field(default_factory=trio.Event)
    written: trio.Event = field(default_factory=trio.Event)

    @property
    def parts(self) -> list[Buffer]:
        """The plain bytes, in order."""
        return [page.plain[wanted] for page, wanted in self.pages]


# A block, and which of its plain bytes are wanted.
Piece = tuple[BlockRef, slice]


class _Ahead:
    """How far one get reads ahead of its client: `pace` is the client's."""

    def __init__(self, blocks_in_flight: int) -> None:
        self.pace = Pace.of_client(BLOCKS_PER_FLIGHT)
        self._is_quick = False
        self._flights = 0
        self._most = max(1, blocks_in_flight // BLOCKS_PER_FLIGHT)
        self._changed = Ticker()

    async def take_off(self) -> None:
        """Wait until one more flight may be under way."""
        while self._flights >= (self._most if self._is_quick else 1):
            await self._changed.wait_past(self._changed.count)
        self._flights += 1

    def land(self) -> None:
        """One less is under way."""
        self._flights -= 1
        self._changed.tick()

    def note(self, blocks: int, took_s: float) -> None:
        """The client took so long for a flight."""
        self.pace = self.pace.after(blocks, took_s)
        self._is_quick = took_s <= self.pace.slow_s
        self._changed.tick()


async def get_blocks(tools: GetTools, blocks: Sequence[Piece], sink: Sink) -> None:
    """Write the wanted plain bytes of the blocks to the sink, in order.

    Raises:
        Unavailable: `block-unreadable`, `client-stalled`.
        Forged: `seal`, should k good shares ever open to nonsense.
    """
    send, receive = trio.open_memory_channel[_Flight](0)
    ahead = _Ahead(tools.blocks_in_flight)
    with first_error():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read_ahead, tools, blocks, ahead, send, nursery)
            async with receive:
                async for flight in receive:
                    await flight.ready.wait()
                    began_s = trio.current_time()
                    await _write(tools, sink, flight.parts)
                    ahead.note(len(flight.pages), trio.current_time() - began_s)
                    flight.written.set()


def open_inline(key: bytes, sealed: bytes) -> bytes:
    """The plain bytes of an object that the journal carried. Raises Forged(`seal`)."""
    plain = bytearray(plain_size(len(sealed)))
    open_into(key, sealed, memoryview(plain))
    return bytes(plain)


async def _read_ahead(
    tools: GetTools,
    blocks: Sequence[Piece],
    ahead: _Ahead,
    send: trio.MemorySendChannel[_Flight],
    nursery: trio.Nursery,
) -> None:
    waiting = deque(blocks)
    async with send:
        while waiting:
            await ahead.take_off()
            await send.send(await nursery.start(_fly, tools, waiting, ahead))


async def _fly(
    tools: GetTools, waiting: deque[Piece], ahead: _Ahead, *, task_status: trio.TaskStatus[_Flight]
) -> None:
    """Own desks until their blocks are written. Started once the desks are there, so blocks get desks in order."""
    async with tools.desks.loan() as loan:
        flight = _Flight(_board(loan, waiting, ahead.pace.blocks))
        task_status.started(flight)
        await BlockReader(tools.host, tools.engine, tools.gatherer).open_all([page for page, _wanted in flight.pages])
        flight.ready.set()
        await flight.written.wait()
    ahead.land()


def _board(loan: Loan, waiting: deque[Piece], most: int) -> tuple[tuple[Page, slice], ...]:
    """The next blocks up to `most`, as many as there are desks for now."""
    pages = [_page(loan.held[0], waiting.popleft())]
    while waiting and len(pages) < most:
        desk = loan.more()
        if desk is None:
            break
        pages.append(_page(desk, waiting.popleft()))
    return tuple(pages)


def _page(desk: Desk, piece: Piece) -> tuple[Page, slice]:
    reference, wanted = piece
    return Page(desk, reference), wanted


async def _write(tools: GetTools, sink: Sink, parts: list[Buffer]) -> None:
    with not_stalled(tools.stall_s):
        await sink.write(parts)
