"""A connection: many exchanges at once, asked by either end, over one stream to a proven peer.

Four kinds of task live in `run`: one reads frames and hands each to its exchange, one writes (`node.net.sending`),
one notices a peer that has fallen silent, and one serves each exchange that the peer asked. Whatever breaks the
connection, a peer that breaks the protocol included, ends all of them and is heard by everybody who waits on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from node.host.ports import Buffer, Entropy, Stream
from node.logs import get_logger
from node.net.exchange import Answer, Asking, Exchange, Room
from node.net.exchanges import Exchanges
from node.net.failures import RemoteError, error_of, failure_of, find_error
from node.net.identity import Credentials, Gate, Peer, handshake, prove_as_acceptor, prove_as_dialler
from node.net.payload import Budget
from node.net.reading import FrameReader, lost, unexpected
from node.net.sending import Cutter, Frame, Sender, frame_of
from node.net.settings import NetSettings
from node.net.side import Side
from protocol.errors import MaillonError, Malformed, OverLimit, Refused, Unavailable
from protocol.ids import NodeId
from protocol.limits import EXCHANGES_MAX
from protocol.wire import schema
from protocol.wire.envelopes import Carriage, Failure, Role, parse_request
from protocol.wire.frames import PING_BYTES, FrameType, Header

T = TypeVar("T")
Handler = Callable[[Exchange], Awaitable[None]]

_STRANGER_EXCHANGES_MAX = 4
_CLOCK_GRAIN_S = 0.001

log = get_logger(__name__)


async def connect(
    stream: Stream,
    credentials: Credentials,
    *,
    expected: NodeId | None,
    gate: Gate,
    handler: Handler,
    entropy: Entropy,
    settings: NetSettings,
) -> Connection:
    """A connection over a stream that we dialled, both ends proven.

    Raises:
        Refused, Forged, Malformed: see `node.net.identity`; the stream is closed.
        Unavailable: `handshake-timeout`, `stream-broken` or `connection-lost`.
    """
    reader = FrameReader(stream)
    async with handshake(stream, settings):
        peer = await prove_as_dialler(stream, reader, credentials, expected=expected, gate=gate, entropy=entropy)
    return Connection(stream, reader, peer, handler, settings, dialled=True)


async def accept(
    stream: Stream,
    credentials: Credentials,
    *,
    roles: frozenset[Role],
    gate: Gate,
    handler: Handler,
    entropy: Entropy,
    settings: NetSettings,
) -> Connection:
    """A connection over a stream that somebody opened to us. `roles` says who may come in by this door.

    Raises:
        Refused, Forged, Malformed, Unavailable: as `connect`.
    """
    reader = FrameReader(stream)
    async with handshake(stream, settings):
        peer = await prove_as_acceptor(stream, reader, credentials, roles=roles, gate=gate, entropy=entropy)
    return Connection(stream, reader, peer, handler, settings, dialled=False)


def dispatch(table: Mapping[int, Handler]) -> Handler:
    """One handler out of many, by the kind of request."""

    async def handle(exchange: Exchange) -> None:
        handler = table.get(exchange.kind)
        if handler is None:
            raise Refused("kind-unknown", kind=exchange.kind)
        await handler(exchange)

    return handle


class Connection:
    """Made by `connect` and `accept`; lives as long as its `run`."""

    def __init__(
        self,
        stream: Stream,
        reader: FrameReader,
        peer: Peer,
        handler: Handler,
        settings: NetSettings,
        *,
        dialled: bool,
    ) -> None:
        self.peer = peer
        self.budget = Budget(settings.buffered_bytes_max)
        self._stream = stream
        self._reader = reader
        self._handler = handler
        self._settings = settings
        self._sender = Sender(
            stream,
            grace_s=settings.abandon_grace_s,
            stalled_after_s=settings.silent_after_s,
            give_up=self._give_up,
        )
        most = _STRANGER_EXCHANGES_MAX if peer.role is Role.JOINER else EXCHANGES_MAX
        self.exchanges = Exchanges(self, first=1 if dialled else 2, most=most)
        self._side: Side | None = None
        self._nursery: trio.Nursery | None = None
        self._over = trio.Event()
        self._cause: MaillonError | None = None
        self._heard_at_s = trio.current_time()
        self._pong_due = False
        self._scope = trio.CancelScope()

    @property
    def closed(self) -> bool:
        """Nothing can be asked here any more."""
        return self._over.is_set()

    @property
    def cause(self) -> MaillonError | None:
        """Why the connection is over; None when either end closed it, or it is not over."""
        return self._cause

    # -- asking

    async def ask(
        self,
        kind: int,
        message: object,
        reply: type[T],
        *,
        deadline_s: float,
        payload: Sequence[Buffer] = (),
        into: memoryview | Room[T] | None = None,
        over: Carriage = Carriage.SECURE,
    ) -> Answer[T]:
        """Ask, and wait for the whole answer. All buffers are the caller's again when this returns or raises.

        Raises:
            Unavailable: `deadline`, `connection-lost`, `exchanges-busy`.
            OverLimit: `answer-payload` when it does not fit in `into`.
            RemoteError: what the peer raised.
        """
        cutter = Cutter(payload)
        room = into if isinstance(into, Room) else memoryview(b"") if into is None else into.cast("B")
        with trio.CancelScope(deadline=trio.current_time() + deadline_s):
            asking = self._begin(kind, message, cutter, cutter.left_bytes, room, over)
            try:
                return await asking.whole(reply, cutter)
            finally:
                await self.exchanges.leave(asking)
        if asking.uses_sealed and self._side is not None:
            self._side.cancel()  # Perhaps somebody holds it up; the next question goes inside TLS.
        raise Unavailable("deadline", kind=kind, deadline_ms=int(deadline_s * 1000))

    @asynccontextmanager
    async def open(self, kind: int, message: object, *, payload_bytes: int | None = None) -> AsyncIterator[Asking]:
        """Ask with streamed payloads. Leaving the block before the answer is complete cancels the exchange."""
        asking = self._begin(kind, message, Cutter(()), payload_bytes)
        try:
            if payload_bytes != 0:  # what is sent next must not overtake the question
                await asking.begun()
            yield asking
        finally:
            await self.exchanges.leave(asking)

    def _begin(
        self,
        kind: int,
        message: object,
        cutter: Cutter,
        payload_bytes: int | None,
        into: memoryview | Room[Any] | None = None,
        over: Carriage = Carriage.SECURE,
    ) -> Asking:
        if self.closed:
            raise lost()
        return self.exchanges.begin(kind, message, cutter, payload_bytes=payload_bytes, into=into, over=over)

    # -- living and ending

    async def run(self) -> None:
        """Serve until either end closes or something breaks; never raises for what the peer or the network does."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._guard, self._sender.run)
                    nursery.start_soon(self._guard, self._read, nursery)
                    nursery.start_soon(self._guard, self._notice_silence)
        finally:
            self._end(self._cause)
            self._sender.fail(lost())
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._settings.abandon_grace_s):
                await self._stream.aclose()

    def close(self) -> None:
        """Say goodbye and end `run`. What is under way is abandoned."""
        if self.closed:
            return
        self._over.set()
        self._sender.send_soon(frame_of(FrameType.GOODBYE, 0))
        self._end_soon()

    async def _guard(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """One of the connection's own tasks: when it ends, for whatever reason, so does the connection."""
        try:
            await work(*arguments)
        except MaillonError as error:
            self._end(error)
            if isinstance(error, Malformed | OverLimit) and not isinstance(error, RemoteError):
                log.warning("peer-broke-protocol", peer=self.peer.name, error=str(error))
                self._refuse(0, error)
                self._end_soon()
                return
        self._scope.cancel()

    def _end_soon(self) -> None:
        """Let the writer put out its control frames, then end."""
        self._sender.finish()
        self._scope.deadline = trio.current_time() + self._settings.abandon_grace_s

    def _give_up(self, cause: MaillonError) -> None:
        self._end(cause)
        self._scope.cancel()

    def _end(self, cause: MaillonError | None) -> None:
        """Everybody who waits hears that it is over. The first cause stands."""
        if self._cause is None and not self.closed:
            self._cause = cause
        self._over.set()
        self.exchanges.end()
        if self._side is not None:
            self._side.cancel()

    async def _notice_silence(self) -> None:
        settings = self._settings
        while True:
            self._sender.check_stall()
            quiet_s = trio.current_time() - self._heard_at_s
            if quiet_s >= settings.silent_after_s:
                raise Unavailable("peer-silent", silent_ms=int(quiet_s * 1000))
            if quiet_s >= settings.ping_every_s:
                self.send_soon(frame_of(FrameType.PING, 0, bytes(PING_BYTES)))
            until_s = settings.ping_every_s if quiet_s >= settings.ping_every_s else settings.ping_every_s - quiet_s
            # Rounding may leave a wait too short to move the clock, which on virtual time would never end.
            await trio.sleep(max(_CLOCK_GRAIN_S, min(until_s, settings.silent_after_s - quiet_s)))

    # -- what exchanges need (`node.net.exchange.Link`)

    def sender(self, carriage: Carriage) -> Sender:
        """Where frames of this carriage go out."""
        if carriage is Carriage.SECURE:
            return self._sender
        if self._side is None:
            raise Unavailable("bulk-lost")
        return self._side.sender

    def carriage(self, wanted: Carriage) -> Carriage:
        """SEALED only where there is a plain stream."""
        return Carriage.SECURE if self._side is None or self._side.is_over else wanted

    def send_soon(self, frame: Frame) -> None:
        """A control frame, before all else."""
        self._sender.send_soon(frame)

    async def carry(self, stream: Stream, reader: FrameReader) -> None:
        """Let sealed payload travel on a plain stream, until it or the connection ends. Raises Refused(`bulk-busy`).

        The caller closes the stream.
        """
        if self._side is not None or self.closed:
            raise Refused("bulk-busy")
        self._side = Side(stream, reader, self._settings, self.exchanges)
        try:
            await self._side.run()
        finally:
            self._side = None
            self.exchanges.fail_sealed()

    def start_carrying(self, stream: Stream, reader: FrameReader) -> None:
        """`carry` in a task of this connection's own. Raises Refused(`bulk-busy`)."""
        if self._nursery is None or self.closed or self._side is not None:
            raise Refused("bulk-busy")
        self._nursery.start_soon(self._carry_and_close, stream, reader)

    async def _carry_and_close(self, stream: Stream, reader: FrameReader) -> None:
        try:
            await self.carry(stream, reader)
        except Refused as error:
            log.info("bulk-lost", error=str(error))
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._settings.abandon_grace_s):
                await stream.aclose()

    # -- reading

    async def _read(self, nursery: trio.Nursery) -> None:
        while True:
            with self._reader.resumed():
                await self._reader.skip_rest()
                await self._read_frames(nursery)
                return

    async def _read_frames(self, nursery: trio.Nursery) -> None:
        while True:
            if (header := await self._reader.header()) is None:
                raise lost()
            self._heard_at_s = trio.current_time()
            if header.type is FrameType.DATA:
                await self._take_data(header)
                continue
            payload = await self._reader.payload(header.payload_bytes)
            if header.type is FrameType.GOODBYE:
                return
            self._on_frame(header, payload, nursery)

    async def _take_data(self, header: Header) -> None:
        end = self.exchanges.find_open(header, Carriage.SECURE)
        if end is None:
            await self._reader.skip(header.payload_bytes)
        else:
            await end.incoming.take(self._reader, header.payload_bytes)
            end.on_payload()

    def _on_frame(self, header: Header, payload: bytes, nursery: trio.Nursery) -> None:
        match header.type:
            case FrameType.REQUEST:
                self._on_request(header, payload, nursery)
            case FrameType.PING:
                self.send_soon(frame_of(FrameType.PONG, 0, payload))
            case FrameType.PONG:
                pass  # Having been heard is all that it says.
            case FrameType.HELLO | FrameType.PROOF:
                raise unexpected(header)
            case FrameType.FAILURE if header.exchange == 0:
                raise error_of(schema.decode(Failure, payload), self.peer.node)
            case _:
                self.exchanges.on_frame(header, payload)

    # -- serving

    def _on_request(self, header: Header, payload: bytes, nursery: trio.Nursery) -> None:
        request = parse_request(payload)
        try:
            exchange = self.exchanges.admit(header, request)
        except OverLimit as error:
            self._refuse(header.exchange, error)
            return
        nursery.start_soon(self._serve, exchange)

    def _refuse(self, exchange: int, error: MaillonError) -> None:
        self.send_soon(frame_of(FrameType.FAILURE, exchange, schema.encode(failure_of(error))))

    async def _serve(self, exchange: Exchange) -> None:
        try:
            with exchange.scope:
                failure = await self._handle(exchange)
                if failure is not None:
                    frame = frame_of(FrameType.FAILURE, exchange.id, schema.encode(failure_of(failure)))
                    await self._sender.send([frame])
        except Exception as raised:
            # Lost with the connection, or raised while the handler was being cancelled: nobody is left to tell.
            if find_error(raised) is None:
                log.exception("handler-failed", kind=exchange.kind, peer=self.peer.name)
        finally:
            await self.exchanges.dismiss(exchange)

    async def _handle(self, exchange: Exchange) -> MaillonError | None:
        """Run the handler; what it raised, to be told to the asker."""
        try:
            await self._handler(exchange)
        except Exception as raised:
            error = find_error(raised)
            if error is None:
                log.exception("handler-failed", kind=exchange.kind, peer=self.peer.name)
            return error or Unavailable("peer-internal")
        if exchange.complete:
            return None
        log.error("handler-gave-no-answer", kind=exchange.kind)
        return Unavailable("peer-internal")
