"""The plain stream beside a connection, for bytes that are sealed already.

Everything that is said stays inside TLS: questions, answers, windows. Only DATA frames of exchanges that asked for
it travel here, so whoever tampers with this stream can spoil or stop a share, which its reader notices by the
header's root, and nothing else. When the stream breaks, or carries anything else, it alone is dropped; the exchanges
that used it fail with `bulk-lost` and are asked again inside TLS.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from node.host.ports import Stream
from node.logs import get_logger
from node.net.exchanges import Exchanges
from node.net.reading import FrameReader, unexpected
from node.net.sending import Sender
from node.net.settings import NetSettings
from protocol.errors import MaillonError, Unavailable
from protocol.limits import DATA_BYTES_MAX
from protocol.wire.envelopes import Carriage
from protocol.wire.frames import FrameType, Header

log = get_logger(__name__)


class Side:
    """`exchanges` know whose a frame is, once TLS has said so."""

    def __init__(self, stream: Stream, reader: FrameReader, settings: NetSettings, exchanges: Exchanges) -> None:
        self.is_over = False
        self.sender = Sender(
            stream,
            grace_s=settings.abandon_grace_s,
            stalled_after_s=settings.silent_after_s,
            give_up=self._give_up,
            lost=bulk_lost,
            write_bytes_max=DATA_BYTES_MAX,  # nothing but bulk waits behind them
        )
        self._reader = reader
        self._settings = settings
        self._exchanges = exchanges
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Carry payload until the stream ends or `cancel`; never raises for what comes on it."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._guard, self.sender.run)
                    nursery.start_soon(self._guard, self.sender.notice_stall)
                    nursery.start_soon(self._guard, self._read)
        finally:
            self.is_over = True
            self.sender.fail(bulk_lost())

    def cancel(self) -> None:
        """End `run`; nothing new travels here from now on."""
        self.is_over = True
        self._scope.cancel()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except MaillonError as error:
            log.info("bulk-lost", error=str(error))
        self.cancel()

    async def _read(self) -> None:
        while True:
            with self._reader.resumed():
                await self._reader.skip_rest()
                await self._read_frames()
                return

    async def _read_frames(self) -> None:
        while (header := await self._reader.header()) is not None:
            if header.type is not FrameType.DATA:
                raise unexpected(header)
            if not self._exchanges.is_announced(header):
                await self._wait_for_news(header)
            end = self._exchanges.find_open(header, Carriage.SEALED)
            if end is None:
                await self._reader.skip(header.payload_bytes)
                continue
            await end.incoming.take(self._reader, header.payload_bytes)
            end.on_payload()

    async def _wait_for_news(self, header: Header) -> None:
        with trio.move_on_after(self._settings.handshake_s) as waiting:
            await self._exchanges.announced(header)
        if waiting.cancelled_caught:
            raise unexpected(header)

    def _give_up(self, _cause: MaillonError) -> None:
        self.cancel()


def bulk_lost() -> Unavailable:
    """The error of those who used the plain stream when it ended."""
    return Unavailable("bulk-lost")
