"""Whom this node has heard of again: a count for each member of how often it came back from not answering.

Whoever waits before asking a member once more notes the count, and waits for it to be passed: so a member that
answers again is asked at once, however long the pause had become, and one that comes back in the middle of a last try
is not slept through. A count only grows, and says no more than that somebody should look again.
"""

from __future__ import annotations

import trio

from protocol.ids import NodeId


class Returns:
    """Kept by the mesh, or by a guest; read by whoever waits for a member."""

    def __init__(self) -> None:
        self._counts: dict[NodeId, int] = {}
        self._awaited: dict[NodeId, trio.Event] = {}

    def count(self, node: NodeId) -> int:
        """How often the node came back so far."""
        return self._counts.get(node, 0)

    def note(self, node: NodeId) -> None:
        """The node answers, and did not before."""
        self._counts[node] = self.count(node) + 1
        awaited = self._awaited.pop(node, None)
        if awaited is not None:
            awaited.set()

    async def wait_past(self, node: NodeId, count: int) -> None:
        """Return once the node came back more often than that; at once (after a checkpoint) when it did already."""
        await trio.lowlevel.checkpoint()
        while self.count(node) <= count:
            await self._awaited.setdefault(node, trio.Event()).wait()
