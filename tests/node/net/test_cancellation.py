"""Questions given up at any moment: no buffer is touched afterwards, and the others never notice."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock

from node.net.connection import Connection, Handler
from node.net.exchange import Exchange
from node.net.settings import NetSettings
from protocol.errors import Unavailable
from protocol.limits import KIB
from protocol.wire.envelopes import Carriage
from tests.support.connections import Say, connected
from tests.support.streams import MemoryStream, stream_pair


class Jittery(MemoryStream):
    """Delays every call a little, and receives odd amounts."""

    def __init__(self, inner: MemoryStream, numbers: random.Random) -> None:
        super().__init__(inner.outgoing, inner.incoming, inner.binding)
        self.numbers = numbers

    async def send_all(self, parts: list[bytes | bytearray | memoryview]) -> None:
        await trio.sleep(self.numbers.random() / 100)
        with trio.CancelScope(shield=True):  # half a frame on the wire would be the stream's fault, not the test's
            await super().send_all(parts)

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        if self.numbers.random() < 0.5:
            await trio.sleep(self.numbers.random() / 100)
        return await super().receive_into(buffer[: self.numbers.choice([16, 17, 500, 5_000, 300_000])])


def pattern(seed: int, size_bytes: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def dawdling_echo(numbers: random.Random) -> Handler:
    """Sends everything back, sometimes after a while."""

    async def handler(exchange: Exchange) -> None:
        room = bytearray(exchange.payload_bytes or 0)
        if numbers.random() < 0.3:
            await trio.sleep(numbers.random() / 50)
        await exchange.receive_into(memoryview(room))
        await exchange.answer(exchange.decode(Say), [room])

    return handler


@pytest.mark.parametrize("seed", range(8))
async def test_giving_up_at_any_moment_hurts_nobody_else(seed: int, autojump_clock: MockClock) -> None:
    numbers = random.Random(seed)
    done = given_up = 0

    async def ask(connection: Connection, number: int) -> None:
        nonlocal done, given_up
        size_bytes = numbers.choice([0, 1, 3_000, 40 * KIB, 300 * KIB, 1_500 * KIB])
        sent = bytearray(pattern(number, size_bytes))
        room = bytearray(size_bytes)
        patience_s = numbers.choice([0.005, 0.02, 0.05, 0.1, 60])
        try:
            answer = await connection.ask(
                1,
                Say(str(number)),
                Say,
                deadline_s=patience_s,
                payload=[sent],
                into=memoryview(room),
                over=Carriage.SECURE,
            )
        except Unavailable as error:
            assert error.identifier == "deadline"
            given_up += 1
            mine = pattern(-number - 1, size_bytes)
            room[:] = mine
            sent[:] = bytes(size_bytes)
            await trio.sleep(5)
            assert bytes(room) == mine
        else:
            assert answer.message == Say(str(number))
            assert bytes(room) == pattern(number, size_bytes)
            done += 1

    pair = stream_pair(capacity_bytes=100_000)
    streams = (Jittery(pair[0], numbers), Jittery(pair[1], numbers))
    settings = NetSettings(abandon_grace_s=10)
    async with connected(dawdling_echo(numbers), streams=streams, settings=settings) as (alice, bob):
        async with trio.open_nursery() as nursery:
            for number in range(60):
                nursery.start_soon(ask, alice, number)
                await trio.sleep(numbers.random() / 30)
        assert not alice.closed
        assert not bob.closed
        assert alice.budget.left_bytes == bob.budget.left_bytes == settings.buffered_bytes_max
    assert done > 5
    assert given_up > 5
