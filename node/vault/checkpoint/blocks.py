"""What checkpoints need of the place where tables are kept."""

from __future__ import annotations

from typing import Protocol

from protocol.namespace.changes import BlockRef


class TableBlocks(Protocol):
    """Blocks that the gateway makes for itself."""

    async def store(self, plain: bytes) -> BlockRef:
        """Durable on return, by the rule of a put, for the organisations that answer now.

        Raises:
            Unavailable, Refused: as a put.
        """

    async def fetch(self, reference: BlockRef) -> bytes:
        """The block's plain bytes. Raises Unavailable(`block-unreadable`), Forged(`seal`)."""
