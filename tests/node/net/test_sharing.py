"""Many exchanges on one stream: who waits for whom, and whose buffers are whose."""

from __future__ import annotations

import gc

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.net.connection import Connection
from node.net.exchange import Exchange
from node.net.sending import WRITE_BYTES_MAX, Cutter, Sender, frame_of
from protocol.errors import Unavailable
from protocol.limits import EXCHANGE_WINDOW_BYTES, KIB, MIB
from protocol.requests import Done
from protocol.wire import schema
from protocol.wire.envelopes import Carriage, Reply, pack_reply
from protocol.wire.frames import HEADER_BYTES, FrameType, Header, pack_header, parse_header
from tests.node.net.test_hostile_peers import Rogue, rogue
from tests.support.connections import Say, connected
from tests.support.streams import MemoryStream, stream_pair


def frames_in(raw: bytes) -> list[Header]:
    headers = []
    while raw:
        headers.append(parse_header(raw[:HEADER_BYTES]))
        raw = raw[HEADER_BYTES + headers[-1].payload_bytes :]
    return headers


class Slow:
    """A stream that keeps what it is given, and takes no more than one call before `go_on`."""

    binding = b""

    def __init__(self) -> None:
        self.written = bytearray()
        self.calls = 0
        self.gate = trio.Event()

    async def send_all(self, parts: list[bytes | bytearray | memoryview]) -> None:
        self.calls += 1
        if self.calls > 1:
            await self.gate.wait()
        await trio.lowlevel.checkpoint()
        for part in parts:
            self.written += part

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


async def test_frames_of_several_exchanges_alternate_and_control_frames_go_first() -> None:
    stream = Slow()
    sender = Sender(stream, grace_s=1, stalled_after_s=10, give_up=lambda _error: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        for exchange in (1, 3, 5):
            sender.submit((), Cutter([bytes(4 * MIB)]).run(exchange, 4 * MIB))
        await wait_all_tasks_blocked()  # the first frame is out, the second waits
        small = sender.submit([frame_of(FrameType.END, 7)])
        sender.send_soon(frame_of(FrameType.PING, 0, bytes(8)))
        stream.gate.set()
        await small.done.wait()
        await wait_all_tasks_blocked()
        sender.finish()
    order = [(header.type, header.exchange) for header in frames_in(bytes(stream.written))]
    data = FrameType.DATA
    assert order[:3] == [(data, 1), (data, 3), (FrameType.PING, 0)]
    assert order.index((FrameType.END, 7)) < 8
    assert [exchange for frame_type, exchange in order if frame_type is data][:12] == [1, 3, 5] * 4


class Paced(Slow):
    """A stream that takes `pace_s` for each call."""

    pace_s = 0.0

    async def send_all(self, parts: list[bytes | bytearray | memoryview]) -> None:
        await trio.sleep(self.pace_s)
        self.written += b"".join(parts)


async def test_frames_are_large_only_where_they_leave_at_once(autojump_clock: MockClock) -> None:
    stream = Paced()
    sender = Sender(stream, grace_s=1, stalled_after_s=10, give_up=lambda _error: None)

    async def sizes_sent() -> list[int]:
        stream.written.clear()
        await sender.send((), Cutter([bytes(4 * MIB)]).run(1, 4 * MIB))
        return [header.payload_bytes for header in frames_in(bytes(stream.written))]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        quick = await sizes_sent()
        stream.pace_s = 1.0
        slow = await sizes_sent()
        sender.finish()
    assert quick[:3] == [256 * KIB, 512 * KIB, MIB]
    assert max(quick) == WRITE_BYTES_MAX
    assert slow[1:] == [256 * KIB] * (len(slow) - 1)


async def test_a_small_question_overtakes_a_large_payload() -> None:
    order: list[str] = []

    async def handler(exchange: Exchange) -> None:
        room = memoryview(bytearray(exchange.payload_bytes or 0))
        await exchange.receive_into(room)
        await exchange.answer(Done())
        order.append("large" if len(room) else "small")

    pair = stream_pair(capacity_bytes=64 * KIB)
    async with connected(handler, streams=pair) as (alice, _), trio.open_nursery() as nursery:
        payload = [bytes(4 * MIB)]
        nursery.start_soon(lambda: alice.ask(1, Say(""), Done, deadline_s=30, payload=payload))
        nursery.start_soon(lambda: alice.ask(1, Say(""), Done, deadline_s=30, payload=payload))
        await trio.lowlevel.checkpoint()
        await alice.ask(1, Say(""), Done, deadline_s=30)
    assert order[0] == "small"


async def test_one_slow_handler_does_not_hold_up_the_others() -> None:
    release = trio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.payload_bytes:
            await release.wait()
            await exchange.receive_into(memoryview(bytearray(exchange.payload_bytes)))
        await exchange.answer(Done())

    async with connected(handler) as (alice, _), trio.open_nursery() as nursery:
        nursery.start_soon(lambda: alice.ask(1, Say(""), Done, deadline_s=30, payload=[bytes(3 * MIB)]))
        await wait_all_tasks_blocked()
        for _ in range(3):
            await alice.ask(1, Say(""), Done, deadline_s=30)
        release.set()


async def reply_with_half(peer: Rogue, exchange: int, half: bytes) -> None:
    await peer.send(
        FrameType.REPLY, exchange, pack_reply(Reply(2 * len(half), Carriage.SECURE, schema.encode(Done())))
    )
    await peer.stream.send_all([pack_header(FrameType.DATA, exchange, 2 * len(half)), half])


@pytest.mark.parametrize("half_bytes", [50, 100 * KIB])
async def test_a_buffer_is_untouched_once_its_question_was_given_up(
    half_bytes: int, autojump_clock: MockClock
) -> None:
    half = b"x" * half_bytes
    room = bytearray(2 * half_bytes)
    async with rogue() as (peer, connection):
        async with trio.open_nursery() as nursery:

            async def give_up() -> None:
                with pytest.raises(Unavailable, match="deadline"):
                    await connection.ask(1, Done(), Done, deadline_s=2, into=memoryview(room))
                room[:] = b"mine again" * (len(room) // 10)

            nursery.start_soon(give_up)
            await peer.hear()
            await reply_with_half(peer, 2, half)
        await peer.stream.send_all([half])
        await wait_all_tasks_blocked()
        assert bytes(room) == b"mine again" * (len(room) // 10)
        assert (await peer.hear())[0] is FrameType.CANCEL
        await answers_still(peer, connection)


async def answers_still(peer: Rogue, connection: Connection) -> None:
    """The connection is where it should be between two frames."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: connection.ask(1, Done(), Done, deadline_s=2))
        _, exchange, _ = await peer.hear()
        await peer.send(FrameType.REPLY, exchange, pack_reply(Reply(0, Carriage.SECURE, schema.encode(Done()))))


async def test_a_handler_cancelled_in_the_middle_of_a_frame_leaves_the_connection_whole() -> None:
    stopped = trio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.receive_into(memoryview(bytearray(MIB)))
        finally:
            stopped.set()

    async with rogue(handler) as (peer, connection):
        await peer.request(1, payload_bytes=MIB)
        await peer.send(FrameType.DATA, 1, bytes(1_000))
        await peer.send(FrameType.CANCEL, 1)
        await stopped.wait()
        await peer.send(FrameType.DATA, 1, bytes(1_000))  # late, and forgotten
        await answers_still(peer, connection)


async def test_a_cancelled_question_that_never_left_is_never_heard_of() -> None:
    seen: list[Header] = []
    pair = stream_pair(capacity_bytes=4 * KIB)

    async def handler(exchange: Exchange) -> None:
        await exchange.answer(Done())

    async with connected(handler, streams=pair) as (alice, _):
        pair[0].outgoing.tap = lambda data: (
            seen.append(parse_header(data)) or data if len(data) == HEADER_BYTES and data[0] == 0x4D else data
        )
        with trio.move_on_after(0):
            await alice.ask(1, Say(""), Done, deadline_s=5)
        await alice.ask(1, Say(""), Done, deadline_s=5)
        assert [(header.type, header.exchange) for header in seen] == [(FrameType.REQUEST, 3)]


async def test_a_receiver_with_room_is_granted_it_in_large_steps() -> None:
    windows: list[int] = []
    size_bytes = 16 * MIB

    async def handler(exchange: Exchange) -> None:
        room = memoryview(bytearray(MIB))
        while await exchange.receive_into(room):
            pass
        await exchange.answer(Done())

    pair = stream_pair(capacity_bytes=512 * KIB)

    def watch(stream: MemoryStream) -> None:
        def tap(data: bytes) -> bytes:
            if len(data) == HEADER_BYTES and data[2] == FrameType.WINDOW:
                windows.append(1)
            return data

        stream.outgoing.tap = tap

    async with connected(handler, streams=pair) as (alice, _):
        watch(pair[1])
        async with alice.open(1, Say("")) as asking:
            for _ in range(size_bytes // MIB):
                await asking.send([bytes(MIB)])
            await asking.finish()
            await asking.reply(Done)
    assert 1 <= len(windows) <= 2 * size_bytes // EXCHANGE_WINDOW_BYTES + 1


async def test_buffers_are_let_go_at_once_not_by_the_garbage_collector() -> None:
    free: list[str] = []

    async def handler(exchange: Exchange) -> None:
        kept = bytearray(exchange.payload_bytes or 0)
        await exchange.receive_into(memoryview(kept))
        await exchange.answer(Done(), [kept])
        kept.append(0)  # refused while anybody still looks at it
        free.append("the handler's")

    async def ask(connection: Connection, payload: bytearray, room: bytearray) -> None:
        await connection.ask(1, Say(""), Done, deadline_s=5, payload=[payload], into=memoryview(room))

    payload, room = bytearray(MIB), bytearray(MIB)
    async with connected(handler) as (alice, _):
        gc.disable()
        try:
            await ask(alice, payload, room)
            await wait_all_tasks_blocked()
            payload.append(0)
            room.append(0)
            assert free == ["the handler's"]
        finally:
            gc.enable()


async def test_a_share_in_one_window_needs_no_window_frame() -> None:
    windows = 0

    async def handler(exchange: Exchange) -> None:
        room = memoryview(bytearray(MIB))
        await exchange.receive_into(room)
        await exchange.answer(Done(), [room])

    def tap(data: bytes) -> bytes:
        nonlocal windows
        windows += len(data) == HEADER_BYTES and data[2] == FrameType.WINDOW
        return data

    pair = stream_pair()
    async with connected(handler, streams=pair) as (alice, _):
        pair[0].outgoing.tap = pair[1].outgoing.tap = tap
        room = memoryview(bytearray(MIB))
        await alice.ask(1, Say(""), Done, deadline_s=5, payload=[bytes(MIB)], into=room)
    assert windows == 0
