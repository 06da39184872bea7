"""Whoever is inside while something is open: closing it waits for them, and lets nobody else in.

Work in a thread goes on after its caller was cancelled; without this, a node that is told to stop would close a file
under a thread that still reads it.
"""

from __future__ import annotations

import trio

from protocol.errors import Unavailable


class Visitors:
    """Closed until `open`."""

    def __init__(self) -> None:
        self._count = 0
        self._is_open = False
        self._gone = trio.Event()

    def open(self) -> None:
        self._is_open = True

    def visit(self) -> Visit:
        """Be inside until the end of the block. Raises Unavailable(`store-closed`)."""
        return Visit(self)

    def enter(self) -> None:
        """Raises Unavailable(`store-closed`)."""
        if not self._is_open:
            raise Unavailable("store-closed")
        self._count += 1

    def leave(self) -> None:
        """Whoever entered is gone."""
        self._count -= 1
        if not self._count:
            self._gone.set()

    async def close(self) -> None:
        """Let nobody in any more, and return when all are gone."""
        self._is_open = False
        while self._count:
            self._gone = trio.Event()
            await self._gone.wait()


class Visit:
    """A block inside. No generator, as everything that is asked of a store is one."""

    __slots__ = ("_visitors",)

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    async def __aenter__(self) -> None:
        # Whoever was cancelled along with the store should hear just that.
        await trio.lowlevel.checkpoint_if_cancelled()
        self._visitors.enter()

    async def __aexit__(self, *_error: object) -> None:
        self._visitors.leave()
