"""TLS 1.3 over a socket: encryption only. Who is at the other end is proven above, by node keys (decision 15).

Every start makes a fresh self-signed certificate, and the dialling end checks no chain. What makes this safe is
`binding`: both ends sign the hash of the certificate they saw, and a man in the middle has to show another one.
(TLS 1.3 itself proves that whoever showed a certificate holds its key.)

`ssl.SSLObject` is driven here with large buffers, because a record is at most 16 KiB and a system call and a turn of
the scheduler for each would cost more than the cipher. Nothing is awaited between a call into the TLS object and
the use of its outcome, so that one task may send while another receives; each direction has one turn.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import suppress

import trio

from node.host.ports import Buffer
from node.host.sockets import OpenSocket, as_views, reason_of
from node.taking import take_turn
from protocol.errors import Unavailable

RECORD_BYTES = 16 * 1024
# Ciphertext gathered before it goes to the kernel, and taken from it, in one call: a whole frame and its overhead.
SEND_BATCH_BYTES = 288 * 1024
RECEIVE_BATCH_BYTES = 320 * 1024
# A connection that only carries small messages never asks for the whole batch, and so its buffers stay small.
RECEIVE_SPARE_BYTES = 2 * RECORD_BYTES


class TlsStream:
    """See `ports.Stream`. `scratch` may be shared by all streams of one trio run: it is never held across a wait.

    The handshake happens in the first use of the stream, so on the listening end too it runs in the stream's own task
    and under its owner's deadline.
    """

    def __init__(
        self, opened: OpenSocket, context: ssl.SSLContext, scratch: memoryview, binding: bytes | None
    ) -> None:
        self._socket = opened
        self._scratch = scratch
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=binding is not None)
        self._binding = binding or b""
        self._ready = False
        self._is_busy = False
        self._sending = trio.Semaphore(1)
        self._receiving = trio.Semaphore(1)
        self._shaking = trio.Lock()

    @property
    def binding(self) -> bytes:
        return self._binding

    @property
    def peer(self) -> str:
        return self._socket.peer

    async def shake_hands(self) -> None:
        """Complete the handshake, if it was not yet. Raises Unavailable(`stream-broken`)."""
        async with self._shaking:
            if not self._ready:
                await self._shake_hands()
                self._ready = True

    async def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._pull(RECORD_BYTES)
            except ssl.SSLError as error:
                self._send_what_fits()
                raise _broken(error) from error
        await self._flush()
        if not self._binding:
            self._binding = hashlib.sha256(self._tls.getpeercert(binary_form=True) or b"").digest()

    async def send_all(self, parts: list[Buffer]) -> None:
        if not self._ready:
            await self.shake_hands()
        await take_turn(self._sending)
        try:
            for run in _runs(as_views(parts)):
                await self._encrypt(run)
            await self._flush()
        except BaseException:
            self._socket.tear()
            raise
        finally:
            self._sending.release()

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        if not self._ready:
            await self.shake_hands()
        await take_turn(self._receiving)
        try:
            while True:
                filled, ended = self._decrypt_into(buffer)
                if filled or ended:
                    return filled
                # Part of a record may be here already, whose rest is all that is missing.
                await self._pull(len(buffer), least_bytes=least_bytes - RECORD_BYTES)
        finally:
            self._receiving.release()

    async def aclose(self) -> None:
        if self._ready and self._socket.is_sendable and self._sending.value:
            with suppress(ssl.SSLError):  # it puts our goodbye into `outgoing` and waits for the peer's: we do not
                self._tls.unwrap()
            self._send_what_fits()
        self._socket.close()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _encrypt(self, run: memoryview) -> None:
        for start in range(0, len(run), SEND_BATCH_BYTES):
            batch = run[start : start + SEND_BATCH_BYTES]
            self._encrypt_batch(batch)
            if self._outgoing.pending >= SEND_BATCH_BYTES:
                await self._flush()

    def _encrypt_batch(self, batch: memoryview) -> None:
        sent = 0
        try:
            while sent < len(batch):  # one call makes all records; who reads gets one record from each
                sent += self._tls.write(batch[sent:])
        except ssl.SSLError as error:
            raise _broken(error) from error

    def _decrypt_into(self, buffer: memoryview) -> tuple[int, bool]:
        """Fill `buffer` with what has arrived; and whether the peer has said goodbye."""
        read, size = self._tls.read, len(buffer)
        filled = 0
        try:
            while filled < size:
                count: int = read(RECORD_BYTES, buffer[filled:])  # type: ignore[assignment]
                if count == 0:
                    return filled, True
                filled += count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            return filled, True
        except ssl.SSLError as error:
            if not filled:  # what came before is genuine; the next call finds the error again
                raise _broken(error) from error
        return filled, False

    async def _pull(self, wanted_bytes: int, *, least_bytes: int = 1) -> None:
        """Move ciphertext from the socket to the TLS object."""
        room_bytes = RECEIVE_BATCH_BYTES if self._is_busy else wanted_bytes + RECEIVE_SPARE_BYTES
        room = self._scratch[: min(room_bytes, RECEIVE_BATCH_BYTES)]
        await trio.lowlevel.checkpoint_if_cancelled()
        while (count := self._socket.receive_now(room)) is None:
            await self._socket.wait_readable(least_bytes)
        self._is_busy = count >= RECEIVE_SPARE_BYTES
        if count:
            self._incoming.write(room[:count])
        else:
            self._incoming.write_eof()
        await self._socket.yield_if_due()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._socket.send([memoryview(self._outgoing.read())])

    def _send_what_fits(self) -> None:
        """A last alert or goodbye: sent if there is room now, never waited for."""
        with suppress(Unavailable):
            self._socket.send_now([memoryview(self._outgoing.read())])


def _runs(parts: list[memoryview]) -> Iterator[memoryview]:
    """The parts as runs of whole records, with small ones gathered so that a header is not a record of its own."""
    if sum(map(len, parts)) <= RECORD_BYTES:  # most messages
        yield memoryview(b"".join(parts))
        return
    gathered = bytearray()
    for part in parts:
        start = 0
        if gathered or len(part) < RECORD_BYTES:
            start = RECORD_BYTES - len(gathered)
            gathered += part[:start]
            if len(gathered) == RECORD_BYTES:
                yield memoryview(gathered)
                gathered = bytearray()
        end = max(start, len(part) - (len(part) - start) % RECORD_BYTES)
        if end > start:
            yield part[start:end]
        gathered += part[end:]
    if gathered:
        yield memoryview(gathered)


def _broken(error: ssl.SSLError) -> Unavailable:
    return Unavailable("stream-broken", reason=error.reason or reason_of(error))
