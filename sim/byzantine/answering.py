"""Members whose answers are no answers: a few bytes at a time, and what was not asked for.

Whoever asks has a deadline, and others to ask: a reader asks one more holder when an answer takes long, a writer goes
on when enough have answered. An answer of another shape is an error of that one exchange, and names its sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from node.host.ports import Buffer
from node.net.connection import Handler
from node.net.exchange import Exchange
from protocol.requests import Kind, PingViaReply
from sim.byzantine.liar import OF_DISKS, Liar, Lie, as_exchange

_PAUSE_S: Final = 3.0
_DROP_EVERY_S: Final = 0.5
_DROP_BYTES: Final = 16


def drips(liar: Liar) -> Lie:
    """Answers probes at once, and what is asked of its disks late, a few bytes at a time."""

    async def serve(exchange: Exchange, honest: Handler) -> None:
        liar.tells("a little at a time", kind=Kind(exchange.kind).name)
        await honest(as_exchange(_Dripping(exchange)))

    return Lie(dict.fromkeys(OF_DISKS, serve))


def answers_rubbish(liar: Liar) -> Lie:
    """Answers whatever is asked of its disks with a message that belongs to another question."""

    async def serve(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("something else", kind=Kind(exchange.kind).name)
        await exchange.answer(PingViaReply(answered=True))

    return Lie(dict.fromkeys(OF_DISKS, serve))


class _Dripping:
    """An exchange whose answer takes its time."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __getattr__(self, name: str) -> object:
        return getattr(self._exchange, name)

    async def answer(self, message: object, payload: Sequence[Buffer] = ()) -> None:
        data = b"".join(bytes(part) for part in payload)
        await trio.sleep(_PAUSE_S)
        await self._exchange.begin_answer(message, payload_bytes=len(data) or None)
        for start in range(0, len(data), _DROP_BYTES):
            await self._exchange.send([data[start : start + _DROP_BYTES]])
            await trio.sleep(_DROP_EVERY_S)
        await self._exchange.finish()
