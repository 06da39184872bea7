"""How long to wait before a journal's holder that failed is asked again.

Ever longer, so that one that is away for days costs nothing; and no longer at all once the members hear of it again,
so that a journal can be written in the moment in which enough of its holders are back.
"""

from __future__ import annotations

import trio

from node.mesh.returns import Returns
from node.vault.journal.tools import JournalTimers
from protocol.ids import NodeId


class Patience:
    """The pauses between the tries with one holder."""

    def __init__(self, node: NodeId, returns: Returns, timers: JournalTimers) -> None:
        self._node = node
        self._returns = returns
        self._timers = timers
        self._pause_s = timers.retry_first_s
        self._seen = returns.count(node)

    def start_over(self) -> None:
        """The holder did something for us: the next pause is short again."""
        self._pause_s = self._timers.retry_first_s

    async def pause(self) -> None:
        """Wait until the holder is to be asked again: not at all if it came back since the last pause."""
        next_s = min(2 * self._pause_s, self._timers.retry_most_s)
        with trio.move_on_after(self._pause_s):
            await self._returns.wait_past(self._node, self._seen)
            next_s = self._timers.retry_first_s
        self._pause_s = next_s
        self._seen = self._returns.count(self._node)
