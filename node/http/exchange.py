"""One request and its response, as an ASGI application sees them.

The head of a response waits for the first of its body, so that a small answer leaves in one call. `100 Continue` is
sent when the application first asks for the body: one that refuses a request by its head never lets the body come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from node.host.ports import Buffer, Stream
from node.http.answer import CONTINUE, LAST_CHUNK, Beginning, Framing, begin
from node.http.asgi import Headers, Message
from node.http.body import body_of
from node.http.clock import DateHeader
from node.http.head import Head
from node.http.patience import Patience
from node.http.reading import Reader
from node.http.settings import HttpSettings
from protocol.errors import Unavailable
from protocol.limits import KIB

MESSAGE_BYTES = 64 * KIB
SEND_BYTES = 512 * KIB


class Exchange:
    """`may_go_on` says, when the response begins, whether the server wants another request after it; `keeps_alive`
    is what the response then told the client."""

    def __init__(
        self,
        head: Head,
        reader: Reader,
        stream: Stream,
        settings: HttpSettings,
        date: DateHeader,
        patience: Patience,
        may_go_on: Callable[[], bool],
    ) -> None:
        self.head = head
        self.body = body_of(reader, head.body_bytes, settings.body_bytes_max)
        self.keeps_alive = False
        self.status = 0
        self.sent_bytes = 0
        self.is_complete = False
        self._reader = reader
        self._stream = stream
        self._settings = settings
        self._date = date
        self._patience = patience
        self._may_go_on = may_go_on
        self._told_all = False
        self._is_body_lost = False
        self._awaits_continue = head.expects_continue
        self._headers: Headers = []
        self._beginning: Beginning | None = None

    @property
    def has_begun(self) -> bool:
        """Whether any of the response is on its way."""
        return self._beginning is not None

    @property
    def is_continuable(self) -> bool:
        """Whether the rest of the body will surely come: the client does not wait to be told, and was not lost."""
        return not (self._awaits_continue or self._is_body_lost)

    async def receive_into(self, buffer: memoryview) -> int:
        """The extension `maillon.body`; see `node.http.body.Body.receive_into`."""
        try:
            if self._awaits_continue:
                await self._let_it_come()
            return await self.body.receive_into(buffer)
        except BaseException:
            self._is_body_lost = True  # nobody knows where the next request would begin
            raise

    async def receive(self) -> Message:
        """ASGI's `receive`: the body in parts, then the client's leaving."""
        if self._told_all:
            await self._wait_gone()
            return {"type": "http.disconnect"}
        left_bytes = self.body.left_bytes
        buffer = bytearray(MESSAGE_BYTES if left_bytes is None else min(left_bytes, MESSAGE_BYTES))
        try:
            count = await self.receive_into(memoryview(buffer))
        except Unavailable:
            return {"type": "http.disconnect"}
        self._told_all = self.body.left_bytes == 0
        return {"type": "http.request", "body": bytes(buffer[:count]), "more_body": not self._told_all}

    async def _let_it_come(self) -> None:
        if not self.has_begun and not self._reader.held_bytes:
            await self._stream.send_all([CONTINUE])
        self._awaits_continue = False

    async def _wait_gone(self) -> None:
        """Until the client has left. What it sends meanwhile is kept for the next exchange, while there is room."""
        while not self.is_complete:
            if self._reader.is_full:
                await trio.sleep_forever()
            try:
                if not await self._reader.more():
                    return
            except Unavailable:
                return

    async def send(self, message: Message) -> None:
        """ASGI's `send`, with the extension `maillon.parts`.

        Raises:
            Unavailable: `stream-broken`. ValueError: the application breaks ASGI or HTTP.
        """
        kind = message["type"]
        if kind == "http.response.start":
            if self.status:
                raise ValueError("the response has started already")
            self.status, self._headers = message["status"], list(message.get("headers", ()))
            return
        if not self.status or self.is_complete:
            raise ValueError(f"{kind} out of its turn")
        more = message.get("more_body", False)
        if kind == "http.response.body":
            body = message.get("body", b"")
            await self._send([body] if len(body) else [], more=more)
        elif kind == "maillon.parts":
            await self._send([part for part in message["parts"] if len(part)], more=more)
        else:
            raise ValueError(f"unknown message {kind}")

    async def _send(self, parts: list[Buffer], *, more: Any) -> None:
        size_bytes = sum(map(len, parts))
        whole: list[Buffer] = []
        beginning = self._beginning
        if beginning is None:
            beginning = begin(
                self.head,
                self.status,
                self._headers,
                whole_bytes=None if more else size_bytes,
                keeps_alive=self._may_go_on() and self._leftover_is_small(),
                date=self._date.now(),
            )
            whole.append(beginning.data)
        self._frame(whole, beginning, parts, size_bytes, more=more)
        self._beginning, self.keeps_alive = beginning, beginning.keeps_alive
        if whole:
            await self._send_out(whole)
        self.is_complete = not more

    def _frame(
        self, whole: list[Buffer], beginning: Beginning, parts: list[Buffer], size_bytes: int, *, more: Any
    ) -> None:
        framing = beginning.framing
        if framing is Framing.NONE:
            return
        self.sent_bytes += size_bytes
        if framing is Framing.LENGTH:
            told_bytes = beginning.length_bytes
            if self.sent_bytes > told_bytes or (not more and self.sent_bytes < told_bytes):
                raise ValueError(f"a body of {self.sent_bytes} bytes where {told_bytes} were announced")
        if framing is not Framing.CHUNKED:
            whole += parts
            return
        if size_bytes:
            whole += [b"%x\r\n" % size_bytes, *parts, b"\r\n"]
        if not more:
            whole.append(LAST_CHUNK)

    def _leftover_is_small(self) -> bool:
        """Whether what nobody read of the body can be read away to keep the connection.

        Where the client waits for a word that never came, the connection ends, though its body be empty: botocore
        takes the next answer on such a connection for the end of this one, and waits for a minute.
        """
        left_bytes = self.body.left_bytes
        if left_bytes == 0:
            return not self._awaits_continue
        return self.is_continuable and left_bytes is not None and left_bytes <= self._settings.leftover_bytes_max

    async def _send_out(self, parts: list[Buffer]) -> None:
        """In runs, each of which a client has to take in its time."""
        for run in _runs(parts):
            self._patience.begin(self._settings.stall_s)
            await self._stream.send_all(run)
        self._patience.end()


def _runs(parts: list[Buffer]) -> list[list[Buffer]]:
    """The parts, gathered and cut to at most `SEND_BYTES` together."""
    if sum(map(len, parts)) <= SEND_BYTES:
        return [parts]
    runs: list[list[Buffer]] = [[]]
    room = SEND_BYTES
    for part in parts:
        view = memoryview(part).cast("B")
        while len(view):
            if not room:
                runs.append([])
                room = SEND_BYTES
            runs[-1].append(view[:room])
            taken = min(room, len(view))
            view, room = view[taken:], room - taken
    return runs
