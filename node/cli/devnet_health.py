"""When a devnet may be used: every node answers its admin socket, and sees every other node live.

Waiting is polling, bounded by a deadline that names what is still missing; a process that died ends it at once with
the end of its log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import trio

from node.admin.calls import Nothing
from node.admin.status_calls import STATUS, Status
from node.cli.devnet_book import DevNode, check_alive
from node.cli.reach import node_at
from node.first_error import first_error
from protocol.errors import MaillonError, Unavailable

POLL_S = 0.1


async def status_of(node: DevNode) -> Status | None:
    """The node's own status, or None while it does not answer."""
    try:
        with first_error():  # an interrupt or a cancellation goes on: waiting must end when it is told to
            async with node_at(Path(node.dir)) as client:
                return await client.call(STATUS, Nothing())
    except MaillonError:
        return None


async def wait_answering(nodes: Sequence[DevNode], *, timeout_s: float) -> None:
    """Return once each of the nodes answers."""

    async def answers(node: DevNode) -> bool:
        return await status_of(node) is not None

    await wait_each(nodes, answers, timeout_s=timeout_s)


async def wait_healthy(nodes: Sequence[DevNode], *, timeout_s: float) -> None:
    """Return once each of the nodes sees as many live members as there are nodes."""

    async def healthy(node: DevNode) -> bool:
        status = await status_of(node)
        return status is not None and status.members_live >= len(nodes)

    await wait_each(nodes, healthy, timeout_s=timeout_s)


async def wait_each(
    nodes: Sequence[DevNode], ready: Callable[[DevNode], Awaitable[bool]], *, timeout_s: float
) -> None:
    """Return once `ready` holds for each of the nodes.

    Raises:
        Unavailable: `devnet-node-died`, or `devnet-unhealthy` with the names of those that are not ready.
    """
    waiting = {node.name: node for node in nodes}
    with trio.move_on_after(timeout_s):
        while waiting:
            for node in list(waiting.values()):
                check_alive(node)
                if await ready(node):
                    del waiting[node.name]
            if waiting:
                await trio.sleep(POLL_S)
        return
    raise Unavailable("devnet-unhealthy", seconds=round(timeout_s), waiting=tuple(waiting))
