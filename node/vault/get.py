"""Getting an object: blocks gathered ahead, opened in threads, written in order.

Up to `blocks_in_flight` blocks are gathered at the same time while the oldest one is written to the sink; a slow
client therefore slows the reading down and costs a bounded number of desks. Nothing reaches the sink before it is
opened: a wrong byte anywhere fails the seal, never the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from node.first_error import first_error
from node.host.ports import Buffer, Host
from node.logs import get_logger
from node.vault.gather import Gathered, Gatherer
from node.vault.holders import Checking
from node.vault.objects import Sink
from node.vault.workspaces import Desk, Desks
from protocol.coding.block import decode_block, open_block
from protocol.coding.erasure import Engine
from protocol.errors import Forged, Unavailable
from protocol.keys.sealing import open_into, plain_size
from protocol.namespace.changes import BlockRef

log = get_logger(__name__)


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
class _Page:
    """One block on its way: when it lies opened on its desk, and when it has been written."""

    desk: Desk
    reference: BlockRef
    ready: trio.Event = field(default_factory=trio.Event)
    written: trio.Event = field(default_factory=trio.Event)


async def get_blocks(tools: GetTools, blocks: Sequence[BlockRef], sink: Sink) -> None:
    """Write the plain bytes of the blocks to the sink, in order.

    Raises:
        Unavailable: `block-unreadable`, `client-stalled`.
        Forged: `seal`, should k good shares ever open to nonsense.
    """
    send, receive = trio.open_memory_channel[_Page](0)
    with first_error():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read_ahead, tools, blocks, send, nursery)
            async with receive:
                async for page in receive:
                    await page.ready.wait()
                    await _write(tools, sink, [page.desk.plain[: page.reference.size_bytes]])
                    page.written.set()


def open_inline(key: bytes, sealed: bytes) -> bytes:
    """The plain bytes of an object that the journal carried. Raises Forged(`seal`)."""
    plain = bytearray(plain_size(len(sealed)))
    open_into(key, sealed, memoryview(plain))
    return bytes(plain)


async def open_gathered(tools: GetTools, gathered: Gathered, reference: BlockRef, desk: Desk) -> None:
    """Decode where needed and open the block onto the desk's plain buffer."""

    def work() -> None:
        workspace = desk.workspace(reference.k, reference.n)
        sealed = decode_block(tools.engine, gathered.header, gathered.present, workspace)
        open_block(reference.key, gathered.header, sealed, desk.plain)

    await tools.host.threads.run_blocking(work)


async def _read_ahead(
    tools: GetTools, blocks: Sequence[BlockRef], send: trio.MemorySendChannel[_Page], nursery: trio.Nursery
) -> None:
    window = trio.Semaphore(tools.blocks_in_flight)
    async with send:
        for reference in blocks:
            await window.acquire()
            await send.send(await nursery.start(_read, tools, reference, window))


async def _read(
    tools: GetTools, reference: BlockRef, window: trio.Semaphore, *, task_status: trio.TaskStatus[_Page]
) -> None:
    """Own a desk until its block is written. Started once the desk is there, so blocks get desks in order."""
    async with tools.desks.desk() as desk:
        page = _Page(desk, reference)
        task_status.started(page)
        await _fill(tools, reference, desk)
        page.ready.set()
        await page.written.wait()
    window.release()


async def _fill(tools: GetTools, reference: BlockRef, desk: Desk) -> None:
    """Gather and open the block. The seal proves every byte, so shares are checked one by one only if it breaks."""
    workspace = desk.workspace(reference.k, reference.n)
    gathered = await tools.gatherer.gather(reference, workspace, Checking.BY_SEAL)
    try:
        await open_gathered(tools, gathered, reference, desk)
    except Forged as error:
        log.warning("get.seal-broken", block=reference.block.hex(), error=str(error))
        gathered = await tools.gatherer.gather(reference, workspace, Checking.NOW)
        await open_gathered(tools, gathered, reference, desk)


async def _write(tools: GetTools, sink: Sink, parts: list[Buffer]) -> None:
    with trio.move_on_after(tools.stall_s) as stall:
        await sink.write(parts)
    if stall.cancelled_caught:
        raise Unavailable("client-stalled", after_s=int(tools.stall_s))
