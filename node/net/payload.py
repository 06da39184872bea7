"""The two halves of an exchange's payload: what may be sent, and what arrives.

Each direction of each exchange has a credit in bytes, opened by EXCHANGE_WINDOW_BYTES and renewed by WINDOW frames
as the receiver makes room. Whoever waits with buffers has its bytes received straight into them; only what arrives
before anybody asked is kept aside, at most a window an exchange and a budget a connection. A receiver that stops
waiting gets its buffer back before its call returns: nothing is written into it afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from node.net.reading import FrameReader
from protocol.errors import MaillonError, Malformed, Unavailable
from protocol.limits import EXCHANGE_WINDOW_BYTES, KIB

_GRANT_STEP_BYTES = EXCHANGE_WINDOW_BYTES // 2
_CREDIT_MAX = 2**62
# Steps that the reader leaves to a handler that was only just started, or a receiver that comes back for more.
_YIELDS = 8
# So little is kept aside at once: to move it twice costs less than a step.
_KEPT_AT_ONCE_BYTES = 128 * KIB


@dataclass(slots=True)
class Budget:
    """Bytes that one connection may keep aside."""

    left_bytes: int

    def take(self, size_bytes: int) -> bool:
        if size_bytes > self.left_bytes:
            return False
        self.left_bytes -= size_bytes
        return True

    def give(self, size_bytes: int) -> None:
        self.left_bytes += size_bytes


class Stopped(Exception):
    """The other end wants no more payload: it has answered already."""


class Outgoing:
    """Credit for sending."""

    def __init__(self, credit_bytes: int) -> None:
        self._credit_bytes = credit_bytes
        self._changed: trio.Event | None = None
        self._stopped: MaillonError | Stopped | None = None

    def take_now(self, wanted_bytes: int) -> int:
        """As much of `wanted_bytes` as the credit allows, perhaps none."""
        taken = min(wanted_bytes, self._credit_bytes)
        self._credit_bytes -= taken
        return taken

    async def take(self, wanted_bytes: int) -> int:
        """Some of `wanted_bytes`, when there is credit. Raises what `stop` was given."""
        while True:
            if self._stopped is not None:
                raise self._stopped
            taken = self.take_now(wanted_bytes)
            if taken:
                return taken
            self._changed = trio.Event()
            await self._changed.wait()

    def grant(self, credit_bytes: int) -> None:
        """The other end made room."""
        self._credit_bytes += credit_bytes
        if self._credit_bytes > _CREDIT_MAX:
            raise Malformed("frame-window", credit_bytes=credit_bytes)
        self._wake()

    def stop(self, reason: MaillonError | Stopped) -> None:
        """No more will be taken; the first reason stands."""
        if self._stopped is None:
            self._stopped = reason
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()


class Incoming:
    """Payload that arrives. `grant` sends a WINDOW frame."""

    def __init__(self, credit_bytes: int, budget: Budget, grant: Callable[[int], None]) -> None:
        self._outstanding_bytes = credit_bytes
        self._budget = budget
        self._grant = grant
        self._opened = trio.Event()
        self._left_bytes: int | None = None
        self._ended = False
        self._closed = False
        self._error: MaillonError | None = None
        self._kept: deque[memoryview] = deque()
        self._kept_bytes = 0
        self._buffer: memoryview | None = None
        self._later: deque[memoryview] = deque()
        self._whole = True
        self._filled_bytes = 0
        self._settled = trio.Event()
        self._filling: FrameReader | None = None
        self._released: trio.Event | None = None

    @property
    def complete(self) -> bool:
        """All of the payload arrived."""
        return self._ended

    @property
    def kept_bytes(self) -> int:
        """What arrived before anybody asked for it."""
        return self._kept_bytes

    def open(self, payload_bytes: int | None) -> None:
        """The other end declared how much will come; None: until it says END."""
        self._left_bytes = payload_bytes
        self._ended = payload_bytes == 0
        self._opened.set()
        if self._buffer is not None:
            self._settle()
            self._regrant()

    @property
    def is_open(self) -> bool:
        """`open` was called, or nobody waits for it any more."""
        return self._opened.is_set()

    async def opened(self) -> None:
        """Wait for `open`, or the end of the exchange."""
        await self._opened.wait()

    # -- the receiver's side

    def expect(self, buffers: Sequence[memoryview], *, whole: bool = True) -> None:
        """Fill the buffers from now on, one after the other: all, or (not `whole`) until the end of a frame."""
        self._later = deque(buffers)
        self._buffer, self._whole, self._filled_bytes = self._later.popleft(), whole, 0
        self._settled = trio.Event()
        self._settle()
        self._regrant()

    async def filled(self) -> int:
        """Wait for what `expect` asked; less than all of it only at the end of the payload."""
        try:
            if not self._settled.is_set():
                await self._settled.wait()
        except trio.Cancelled:
            self.close()
            await self.released()
            raise
        if self._error is not None and self._wants_more():
            self.close()
            await self.released()
            raise self._error
        return self._filled_bytes

    async def receive(self, buffer: memoryview, *, whole: bool) -> int:
        """`expect` and `filled`."""
        if not len(buffer):
            return 0
        self.expect([buffer.cast("B")], whole=whole)
        return await self.filled()

    def close(self) -> None:
        """Nobody will receive any more; `released` must be awaited before the buffer is used again."""
        self._closed = True
        self._buffer = None
        self._later.clear()
        self._grant = _no_grant  # and with it the exchange's reference to itself, so that its memory is free at once
        self._opened.set()
        self._budget.give(self._kept_bytes)
        self._kept.clear()
        self._kept_bytes = 0
        if self._filling is not None:
            self._filling.interrupt()

    async def released(self) -> None:
        """Wait until the reader has let go of the last receiver's buffer; immediate but for a step or two."""
        if self._filling is not None:
            self._released = trio.Event()
            with trio.CancelScope(shield=True):
                await self._released.wait()

    # -- the reader's side

    async def take(self, reader: FrameReader, size_bytes: int) -> None:
        """Receive the payload of one DATA frame to where it belongs.

        Raises:
            Malformed: `frame-credit` or `frame-payload` when the peer sends more than it may or declared.
        """
        self._admit(size_bytes)
        left_bytes = size_bytes
        while left_bytes:
            if self._buffer is None and not self._closed and size_bytes > _KEPT_AT_ONCE_BYTES:
                await self._await_receiver()
            if self._closed or self._error is not None:
                await reader.skip(left_bytes)
                return
            if self._buffer is not None and not self._kept:
                left_bytes -= await self._receive(reader, left_bytes)
            else:
                await self._keep(reader, left_bytes)
                left_bytes = 0
        if self._left_bytes == 0:
            self._ended = True
        self._settle()
        self._regrant()

    def end(self) -> None:
        """END came. Raises Malformed(`frame-payload`) unless it was to be expected."""
        if self._closed:
            return
        if self._ended or self._left_bytes is not None or not self._opened.is_set():
            raise Malformed("frame-payload")
        self._ended = True
        self._settle()

    def fail(self, error: MaillonError) -> None:
        """No more will come, and not because the payload is complete."""
        if not self._ended and self._error is None:
            self._error = error
            self._opened.set()
            self._settled.set()

    def _admit(self, size_bytes: int) -> None:
        if self._closed:
            return
        if self._ended or (self._left_bytes is not None and size_bytes > self._left_bytes):
            raise Malformed("frame-payload")
        if size_bytes > self._outstanding_bytes:
            raise Malformed("frame-credit", size_bytes=size_bytes, credit_bytes=self._outstanding_bytes)
        self._outstanding_bytes -= size_bytes
        if self._left_bytes is not None:
            self._left_bytes -= size_bytes

    async def _await_receiver(self) -> None:
        for _ in range(_YIELDS):
            await trio.lowlevel.checkpoint()
            if self._buffer is not None or self._closed:
                return

    async def _receive(self, reader: FrameReader, size_bytes: int) -> int:
        """Receive up to `size_bytes` into the waiting buffer; fewer when it is full, or its owner left."""
        left_bytes = size_bytes
        self._filling = reader
        try:
            while left_bytes and self._buffer is not None:
                received = await reader.some_into(self._buffer[:left_bytes])
                left_bytes -= received
                self._advance(received)
        finally:
            self._filling = None
            if self._released is not None:
                self._released.set()
        if self._closed:
            # The owner left and interrupted the reader, which had its bytes already: it is here that it stops.
            await trio.lowlevel.checkpoint()
        return size_bytes - left_bytes

    def _advance(self, received: int) -> None:
        if self._buffer is not None:
            self._buffer = self._buffer[received:]
            self._filled_bytes += received
            if not len(self._buffer):
                self._turn_to_next()
                self._settle()

    def _turn_to_next(self) -> None:
        """Where a buffer is full, the next one is filled."""
        while self._later and not self._buffer:
            self._buffer = self._later.popleft()

    async def _keep(self, reader: FrameReader, size_bytes: int) -> None:
        if not self._budget.take(size_bytes):
            self.fail(Unavailable("receive-buffers-full"))
            await reader.skip(size_bytes)
            return
        try:
            aside = memoryview(bytearray(size_bytes))
            rest = aside
            while len(rest):
                rest = rest[await reader.some_into(rest) :]
        except BaseException:
            self._budget.give(size_bytes)  # the plain stream may die in mid-frame while its connection goes on
            raise
        if self._closed:
            self._budget.give(size_bytes)
            return
        self._kept.append(aside)
        self._kept_bytes += size_bytes

    # -- between the two

    def _wants_more(self) -> bool:
        return self._buffer is not None and len(self._buffer) > 0

    def _settle(self) -> None:
        """Move what was kept into the receiver's buffer, and let it go on if it has what it asked for."""
        if self._buffer is None:
            return
        while self._kept and len(self._buffer):
            part = self._kept.popleft()
            moved = min(len(part), len(self._buffer))
            self._buffer[:moved] = part[:moved]
            self._buffer = self._buffer[moved:]
            self._filled_bytes += moved
            self._kept_bytes -= moved
            self._budget.give(moved)
            if moved < len(part):
                self._kept.appendleft(part[moved:])
            self._turn_to_next()
        full = not len(self._buffer)
        if full or self._ended or (self._filled_bytes and not self._whole):
            self._buffer = None
            self._settled.set()
        elif self._error is not None:
            self._settled.set()

    def _regrant(self) -> None:
        """Make room in large steps: for the buffer that waits, and for a window beyond it."""
        if self._closed or self._ended or self._error is not None or not self._opened.is_set():
            return
        waiting = 0 if self._buffer is None else len(self._buffer) + sum(map(len, self._later))
        room = waiting + max(0, EXCHANGE_WINDOW_BYTES - self._kept_bytes)
        last = self._left_bytes is not None and room >= self._left_bytes
        if self._left_bytes is not None and last:
            room = self._left_bytes
        short = room - self._outstanding_bytes
        if short >= _GRANT_STEP_BYTES or (last and short > 0):
            self._outstanding_bytes += short
            self._grant(short)


def _no_grant(_credit_bytes: int) -> None:
    """Nobody receives any more."""
