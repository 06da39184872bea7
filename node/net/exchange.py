"""One exchange: a question, its answer, and a payload each way, seen from either end.

`Asking` is the end that asked, `Exchange` the end that serves. Both send their payload as fast as the other end's
credit allows and receive the other's into buffers of their own. An exchange ends when its answer is complete, with
a failure from the serving end (also in the middle of a streamed answer), or with a cancellation from the asking
end; what still arrives for it afterwards is read and forgotten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import trio

from node.host.ports import Buffer, Stream
from node.net.identity import Peer
from node.net.payload import Budget, Incoming, Outgoing, Stopped
from node.net.reading import FrameReader
from node.net.sending import Cutter, Frame, Job, Run, Sender, frame_of
from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.limits import EXCHANGE_WINDOW_BYTES
from protocol.wire import schema
from protocol.wire.envelopes import Carriage, Reply, Request, encode_call, pack_reply, pack_request
from protocol.wire.frames import FrameType, pack_window

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Room(Generic[T]):
    """Room for a payload whose layout the answer's message, a `kind`, tells: `places` says where its parts go, the
    first part first, and raises what is wrong with the message. They have `size_bytes` at most."""

    kind: type[T]
    size_bytes: int
    places: Callable[[T], Sequence[memoryview]]


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What `ask` returns; `payload_bytes` bytes were written to the buffer it was given."""

    message: T
    payload_bytes: int


class Link(Protocol):
    """What an exchange needs of its connection."""

    peer: Peer
    budget: Budget

    def sender(self, carriage: Carriage) -> Sender:
        """Raises Unavailable(`bulk-lost`)."""

    def carriage(self, wanted: Carriage) -> Carriage:
        """SECURE unless SEALED is wanted and there is a plain stream."""

    def send_soon(self, frame: Frame) -> None: ...

    async def carry(self, stream: Stream, reader: FrameReader) -> None:
        """Let sealed payload travel on a plain stream, until it ends."""


class _End:
    """What both ends have in common: an id, a payload out and a payload in."""

    def __init__(self, link: Link, identity: int, *, send_bytes: int, receive_bytes: int) -> None:
        self._link = link
        self.id = identity
        # How our payload travels, and how the other end's does.
        self.over = Carriage.SECURE
        self.carried = Carriage.SECURE
        self.outgoing = Outgoing(send_bytes)
        self.incoming = Incoming(receive_bytes, link.budget, self._grant)
        self._unsent_bytes: int | None = None
        self._finished = False

    @property
    def link(self) -> Link:
        """The connection it is part of."""
        return self._link

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._link.peer

    async def send(self, parts: Sequence[Buffer]) -> None:
        """Send payload; the parts are free again on return. Waits for the other end to make room."""
        await self._send_rest(Cutter(parts))

    async def finish(self) -> None:
        """The payload is complete."""
        if self._finished:
            return
        if self._unsent_bytes:
            raise ValueError(f"{self._unsent_bytes} declared bytes were never sent")
        self._finished = True
        if self._unsent_bytes is None:
            await self._link.sender(self.over).send([frame_of(FrameType.END, self.id)])

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the whole buffer; less only at the end of the payload."""
        return await self.incoming.receive(buffer, whole=True)

    async def receive_each(self, buffers: Sequence[memoryview]) -> int:
        """Fill the buffers (none is empty), one after the other; less only at the end of the payload."""
        self.incoming.expect(buffers)
        return await self.incoming.filled()

    async def receive_some(self, buffer: memoryview) -> int:
        """Fill some of the buffer as soon as anything came; 0 only at the end of the payload."""
        return await self.incoming.receive(buffer, whole=False)

    @property
    def uses_sealed(self) -> bool:
        """Payload of either direction travels on the plain stream, and may still be on its way."""
        out = self.over is Carriage.SEALED
        return out or (self.carried is Carriage.SEALED and not self.incoming.complete)

    def on_payload(self) -> None:
        """Some of the other end's payload came."""

    def fail(self, error: MaillonError) -> None:
        """The exchange is over for a reason; whoever waits in it hears it."""
        self.outgoing.stop(error)
        self.incoming.fail(error)

    def _first_run(self, cutter: Cutter) -> Run | None:
        """As much payload as may go at once with the first frame, on the same stream."""
        if cutter.left_bytes and self.over is Carriage.SECURE:
            return self._cut(cutter, self.outgoing.take_now(cutter.left_bytes))
        return None

    async def _send_rest(self, cutter: Cutter) -> None:
        while cutter.left_bytes:
            size_bytes = await self.outgoing.take(cutter.left_bytes)
            await self._link.sender(self.over).send((), self._cut(cutter, size_bytes))

    def _cut(self, cutter: Cutter, size_bytes: int) -> Run:
        if self._finished:
            raise ValueError("the payload was finished")
        if self._unsent_bytes is not None:
            if size_bytes > self._unsent_bytes:
                raise ValueError("more payload than was declared")
            self._unsent_bytes -= size_bytes
        return cutter.run(self.id, size_bytes)

    def _grant(self, credit_bytes: int) -> None:
        self._link.send_soon(frame_of(FrameType.WINDOW, self.id, pack_window(credit_bytes)))


class Asking(_End):
    """The asking end. `into` is where the answer's payload goes when the whole exchange is one call."""

    def __init__(
        self,
        link: Link,
        identity: int,
        *,
        payload_bytes: int | None,
        into: memoryview | Room[Any] | None = None,
        over: Carriage = Carriage.SECURE,
    ) -> None:
        room_bytes = into.size_bytes if isinstance(into, Room) else 0 if into is None else len(into)
        window_bytes = max(EXCHANGE_WINDOW_BYTES, room_bytes)
        super().__init__(link, identity, send_bytes=EXCHANGE_WINDOW_BYTES, receive_bytes=window_bytes)
        self.over = link.carriage(over)
        self.payload_bytes: int | None = None
        self._unsent_bytes = payload_bytes
        self._window_bytes = window_bytes
        self._into = into
        self._room_bytes = room_bytes
        self._message: object = None
        self._job: Job | None = None
        self._answered = trio.Event()
        self._reply: Reply | None = None
        self._error: MaillonError | None = None
        self._ended_there = False

    # -- what the asker's task calls

    async def send(self, parts: Sequence[Buffer]) -> None:
        """Send payload; the parts are free again on return. Does nothing more once the whole answer is there."""
        with contextlib.suppress(Stopped):
            await super().send(parts)

    def begin(self, kind: int, message: object, cutter: Cutter) -> None:
        """Queue the question, and what may go with it of the payload."""
        request = Request(kind, self._unsent_bytes, self._window_bytes, self.over, encode_call(message))
        opening = frame_of(FrameType.REQUEST, self.id, pack_request(request))
        self._job = self._link.sender(Carriage.SECURE).submit([opening], self._first_run(cutter))

    async def begun(self) -> None:
        """Wait until what `begin` queued is out."""
        if self._job is not None:
            await self._job.done.wait()
            if self._job.error is not None:
                raise self._job.error

    async def reply(self, kind: type[T]) -> T:
        """The answer's message, as soon as it is there."""
        if not self._answered.is_set():
            await self._answered.wait()
        if self._reply is None:
            raise self._error or Malformed("answer-missing")
        if isinstance(self._message, kind):
            return self._message
        return schema.decode(kind, self._reply.message)

    async def whole(self, kind: type[T], cutter: Cutter) -> Answer[T]:
        """Send the rest of the payload, and take the answer with its payload into `into`."""
        if cutter.left_bytes:
            # Jobs take turns: the rest may only be queued once what went with the question is out.
            await self.begun()
            with contextlib.suppress(Stopped):  # The answer came first: the other end needs no more.
                await self._send_rest(cutter)
        message = await self.reply(kind)
        if self._error is not None:
            raise self._error
        received = await self.incoming.filled() if self.payload_bytes else 0
        return Answer(message, received)

    async def close(self) -> None:
        """Leave the exchange: free every buffer, and tell the other end if it is still at work."""
        self.incoming.close()
        if self._job is not None:
            await self._link.sender(Carriage.SECURE).retire(self._job)
        await self.incoming.released()
        complete = self._ended_there or (self._reply is not None and self.incoming.complete)
        if not complete and self._job is not None and self._job.begun:
            self._link.send_soon(frame_of(FrameType.CANCEL, self.id))
        self._into = self._job = None

    # -- what the connection's reader calls

    def on_reply(self, reply: Reply) -> None:
        """The answer came. Its payload goes straight to `into` where there is one."""
        if self._answered.is_set() or (reply.carriage is Carriage.SEALED and self.over is not Carriage.SEALED):
            raise Malformed("frame-unexpected", type="REPLY", exchange=self.id)
        self._reply = reply
        self.carried = reply.carriage
        self.payload_bytes = reply.payload_bytes
        if self._into is not None:
            self.outgoing.stop(Stopped())
            try:
                self._make_room(reply, self._into)
            except MaillonError as error:
                self._error = error
        self.incoming.open(reply.payload_bytes)
        self._answered.set()
        self.on_payload()

    def on_payload(self) -> None:
        """Some of the answer's payload came. Once all of it did, the other end reads no more of ours."""
        if self.incoming.complete:
            self.outgoing.stop(Stopped())

    def on_failure(self, error: MaillonError) -> None:
        """The other end gave up, before its answer or in the middle of it."""
        self._ended_there = True
        self.fail(error)

    def fail(self, error: MaillonError) -> None:
        """Also wakes whoever waits for the answer."""
        super().fail(error)
        if self._reply is None:
            self._error = error
        self._answered.set()

    def _make_room(self, reply: Reply, into: memoryview | Room[Any]) -> None:
        payload_bytes = reply.payload_bytes
        if payload_bytes is None:
            raise Malformed("answer-undeclared")
        if payload_bytes > self._room_bytes:
            raise OverLimit("answer-payload", size_bytes=payload_bytes, limit_bytes=self._room_bytes)
        if isinstance(into, Room):
            self._message = schema.decode(into.kind, reply.message)
            places = into.places(self._message)
            if sum(map(len, places)) != payload_bytes:
                raise Malformed("answer-items", expected=sum(map(len, places)), found=payload_bytes)
        else:
            places = [into[:payload_bytes]]
        if payload_bytes:
            self.incoming.expect(places)


class Exchange(_End):
    """The serving end: what a handler gets."""

    def __init__(self, link: Link, identity: int, request: Request) -> None:
        super().__init__(link, identity, send_bytes=request.answer_window_bytes, receive_bytes=EXCHANGE_WINDOW_BYTES)
        self.kind = request.kind
        self.payload_bytes = request.payload_bytes
        self.carried = request.carriage
        self.scope = trio.CancelScope()
        self.answered = False
        self._message = request.message
        self.incoming.open(request.payload_bytes)

    def decode(self, kind: type[T]) -> T:
        """The question. Raises Malformed or OverLimit, which the asker then hears."""
        return schema.decode(kind, self._message)

    async def answer(self, message: object, payload: Sequence[Buffer] = ()) -> None:
        """The whole answer, its size declared; the payload's parts are free again on return."""
        cutter = Cutter(payload)
        await self._begin(message, cutter.left_bytes, cutter)
        await self._send_rest(cutter)
        await self.finish()

    async def begin_answer(
        self, message: object, *, payload_bytes: int | None = None, first: Sequence[Buffer] = ()
    ) -> None:
        """The answer's message with the `first` of a payload, the rest of which `send` and `finish` stream."""
        cutter = Cutter(first)
        await self._begin(message, payload_bytes, cutter)
        await self._send_rest(cutter)

    @property
    def complete(self) -> bool:
        """The answer was given, all of it."""
        return self.answered and (self._finished or self._unsent_bytes == 0)

    async def close(self) -> None:
        """The handler is gone: free every buffer."""
        self.incoming.close()
        await self.incoming.released()

    async def _begin(self, message: object, payload_bytes: int | None, cutter: Cutter) -> None:
        if self.answered:
            raise ValueError("the exchange was answered already")
        self.answered = True
        self.over = self._link.carriage(self.carried) if payload_bytes else Carriage.SECURE
        self._unsent_bytes = payload_bytes
        reply = pack_reply(Reply(payload_bytes, self.over, encode_call(message)))
        opening = frame_of(FrameType.REPLY, self.id, reply)
        sender = self._link.sender(Carriage.SECURE)
        run = self._first_run(cutter)
        is_whole = payload_bytes is not None and not cutter.left_bytes and cutter.is_lasting
        if sender.has_room and (run is None or is_whole):
            # Nobody wants a buffer back, and no END follows that could overtake a payload: nobody needs to wait.
            sender.submit([opening], run)
        else:
            await sender.send([opening], run)
