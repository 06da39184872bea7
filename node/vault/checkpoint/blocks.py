"""Where tables are kept: blocks like any other, made by the gateway for itself.

They are coded for the organisations that answer now. A block of an object waits for members that are down, because
it is to survive the losses that its class promises; a checkpoint must not wait: while members are down it is what
brings the namespace to those that live, and tables are written again anyway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from node.vault.blocks import BlockTools, fetch_block, store_block
from node.vault.release.unnamed import Writing
from protocol.coding.label import Stamp
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockRef

# Reads a block's plain bytes.
FetchBlock = Callable[[BlockRef], Awaitable[bytes]]


class TableBlocks(Protocol):
    """Blocks that the gateway makes for itself."""

    async def store(self, plain: bytes, writing: Writing) -> BlockRef:
        """Durable on return, by the rule of a put, for the organisations that answer now. `writing` notes it before.

        Raises:
            Unavailable, Refused: as a put.
        """

    async def fetch(self, reference: BlockRef) -> bytes:
        """The block's plain bytes. Raises Unavailable(`block-unreadable`), Forged(`seal`)."""


class OwnBlocks:
    """`TableBlocks` at other members, by the rules and the stamp of the moment."""

    def __init__(self, tools: BlockTools, rules: Callable[[], Rules], stamp: Callable[[], Stamp]) -> None:
        self._tools = tools
        self._rules = rules
        self._stamp = stamp

    async def store(self, plain: bytes, writing: Writing) -> BlockRef:
        return await store_block(self._tools, plain, self._rules(), self._stamp(), writing=writing)

    async def fetch(self, reference: BlockRef) -> bytes:
        return await fetch_block(self._tools, reference)
