"""A proven member that breaks the protocol: its connection ends with a name for what it did; nothing else suffers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.net.connection import Connection, Handler, accept
from node.net.exchange import Exchange
from node.net.identity import prove_as_dialler
from node.net.reading import FrameReader
from node.net.settings import NetSettings
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId
from protocol.limits import DATA_BYTES_MAX, EXCHANGE_WINDOW_BYTES, EXCHANGES_MAX, FRAME_PAYLOAD_BYTES_MAX, KIB, MIB
from protocol.requests import Done
from protocol.wire import schema
from protocol.wire.envelopes import Carriage, Failure, Reply, Request, Role, pack_reply, pack_request
from protocol.wire.frames import FrameType, pack_header, pack_window
from tests.support.connections import ALICE, BOB, DOOR, SETTINGS, Numbers, credentials, let_in
from tests.support.streams import MemoryStream, stream_pair


class Rogue:
    """A member that proved itself, and now sends whatever it likes."""

    def __init__(self, stream: MemoryStream, reader: FrameReader) -> None:
        self.stream = stream
        self.reader = reader

    async def send(self, frame_type: FrameType, exchange: int, payload: bytes = b"") -> None:
        await self.stream.send_all([pack_header(frame_type, exchange, len(payload)), payload])

    async def flood(self, frame_type: FrameType, exchange: int, payload: bytes) -> None:
        for _ in range(100_000):
            await self.send(frame_type, exchange, payload)

    async def request(self, exchange: int, *, kind: int = 1, payload_bytes: int | None = 0) -> None:
        request = Request(kind, payload_bytes, EXCHANGE_WINDOW_BYTES, Carriage.SECURE, schema.encode(Done()))
        await self.send(FrameType.REQUEST, exchange, pack_request(request))

    async def hear(self) -> tuple[FrameType, int, bytes]:
        header = await self.reader.header()
        assert header is not None
        return header.type, header.exchange, await self.reader.payload(header.payload_bytes)

    async def hear_failure(self) -> Failure:
        frame_type, _, payload = await self.hear()
        assert frame_type is FrameType.FAILURE
        return schema.decode(Failure, payload)


async def answer_nothing(exchange: Exchange) -> None:
    await trio.sleep_forever()


@asynccontextmanager
async def rogue(
    handler: Handler = answer_nothing, *, settings: NetSettings = SETTINGS, role: Role = Role.NODE
) -> AsyncIterator[tuple[Rogue, Connection]]:
    """A rogue that dialled us, and our end."""
    ours, theirs = stream_pair(capacity_bytes=512 * KIB)
    reader = FrameReader(ours)
    accepted: list[Connection] = []

    async def answer() -> None:
        accepted.append(
            await accept(
                theirs,
                credentials(BOB),
                roles=DOOR,
                gate=let_in,
                handler=handler,
                entropy=Numbers(b"a"),
                settings=settings,
            )
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await prove_as_dialler(
            ours,
            reader,
            credentials(ALICE, role),
            expected=NodeId(BOB.public),
            gate=let_in,
            entropy=Numbers(b"d"),
        )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accepted[0].run)
        yield Rogue(ours, reader), accepted[0]
        accepted[0].close()


def raw(*, version: int = 1, frame_type: int = 6, exchange: int = 1, size_bytes: int = 1) -> bytes:
    return bytes([0x4D, version, frame_type, 0]) + exchange.to_bytes(8, "big") + size_bytes.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("sent", "identifier"),
    [
        (raw(version=2), "frame-version"),
        (raw(frame_type=99), "frame-type"),
        (raw(size_bytes=DATA_BYTES_MAX + 1), "frame-size"),
        (raw(size_bytes=2**32 - 1), "frame-size"),
        (b"garbage that is no header at all", "frame-magic"),
        (pack_header(FrameType.HELLO, 0, 1) + b"x", "frame-unexpected"),
        (pack_header(FrameType.PROOF, 0, 1) + b"x", "frame-unexpected"),
        (pack_header(FrameType.DATA, 1, 1) + b"x", "frame-unexpected"),
        (pack_header(FrameType.DATA, 2, 1) + b"x", "frame-unexpected"),
        (pack_header(FrameType.REPLY, 2, 11) + bytes(11), "frame-unexpected"),
        (pack_header(FrameType.CANCEL, 7, 0), "frame-unexpected"),
        (pack_header(FrameType.REQUEST, 2, 20) + bytes(20), "request-head"),
        (pack_header(FrameType.REQUEST, 1, 20) + b"\x91" * 20, "request-head"),
    ],
    ids=[
        "unknown version",
        "unknown type",
        "oversized",
        "grossly oversized",
        "garbage",
        "a second hello",
        "a second proof",
        "data nobody asked for",
        "data for a question never asked",
        "an answer to no question",
        "a cancellation of nothing",
        "a broken head",
        "a nested head",
    ],
)
async def test_a_frame_that_breaks_the_rules_ends_the_connection_by_name(sent: bytes, identifier: str) -> None:
    async with rogue() as (peer, connection):
        await peer.stream.send_all([sent])
        assert (await peer.hear_failure()).identifier == identifier
        await wait_all_tasks_blocked()
        assert connection.closed
        assert connection.cause is not None
        assert connection.cause.identifier == identifier


async def test_a_truncated_frame_is_told_from_a_clean_end() -> None:
    async with rogue() as (peer, connection):
        await peer.stream.send_all([raw(size_bytes=10)[:7]])
        await peer.stream.aclose()
        await wait_all_tasks_blocked()
        assert connection.cause is not None
        assert connection.cause.identifier == "frame-truncated"


async def test_numbers_of_exchanges_only_rise() -> None:
    async with rogue() as (peer, _connection):
        await peer.request(5)
        await peer.request(5)
        assert (await peer.hear_failure()).identifier == "frame-unexpected"


async def test_a_question_with_our_own_number_is_refused() -> None:
    async with rogue() as (peer, _connection):
        await peer.request(2)
        assert (await peer.hear_failure()).identifier == "frame-unexpected"


async def test_more_payload_than_the_credit_ends_the_connection() -> None:
    async with rogue() as (peer, connection):
        await peer.request(1, payload_bytes=None)
        with pytest.raises(Unavailable, match="stream-broken"):
            await peer.flood(FrameType.DATA, 1, bytes(FRAME_PAYLOAD_BYTES_MAX))
        assert connection.cause is not None
        assert connection.cause.identifier == "frame-credit"


async def test_more_payload_than_was_declared_ends_the_connection() -> None:
    async with rogue() as (peer, _connection):
        await peer.request(1, payload_bytes=10)
        await peer.send(FrameType.DATA, 1, bytes(11))
        assert (await peer.hear_failure()).identifier == "frame-payload"


async def test_an_end_where_a_size_was_declared_ends_the_connection() -> None:
    async with rogue() as (peer, _connection):
        await peer.request(1, payload_bytes=10)
        await peer.send(FrameType.END, 1)
        assert (await peer.hear_failure()).identifier == "frame-payload"


async def test_a_flood_of_exchanges_is_refused_one_by_one() -> None:
    served = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal served
        served += 1
        await trio.sleep_forever()

    async with rogue(handler) as (peer, connection):
        for number in range(EXCHANGES_MAX + 10):
            await peer.request(2 * number + 1)
        for _ in range(10):
            failure = await peer.hear_failure()
            assert (failure.family, failure.identifier) == ("over-limit", "exchanges")
        assert served == EXCHANGES_MAX
        assert not connection.closed


async def test_a_stranger_may_open_few_exchanges() -> None:
    async with rogue(role=Role.JOINER) as (peer, connection):
        for number in range(6):
            await peer.request(2 * number + 1)
        for _ in range(2):
            assert (await peer.hear_failure()).identifier == "exchanges"
        assert not connection.closed


async def test_payload_that_nobody_takes_is_bounded_for_the_whole_connection() -> None:
    release = trio.Event()
    failures: list[str] = []

    async def handler(exchange: Exchange) -> None:
        await release.wait()
        try:
            await exchange.receive_into(memoryview(bytearray(MIB)))
        except MaillonError as error:
            failures.append(error.identifier)
            raise
        await exchange.answer(Done())

    async with rogue(handler, settings=NetSettings(buffered_bytes_max=2 * MIB)) as (peer, connection):
        for number in range(4):
            await peer.request(2 * number + 1, payload_bytes=MIB)
            for _ in range(4):
                await peer.send(FrameType.DATA, 2 * number + 1, bytes(256 * KIB))
        await wait_all_tasks_blocked()
        assert connection.budget.left_bytes == 0
        release.set()
        await wait_all_tasks_blocked()
        assert failures == ["receive-buffers-full"] * 2
        assert connection.budget.left_bytes == 2 * MIB
        assert not connection.closed


async def test_pings_without_end_that_are_never_heard_cost_the_connection() -> None:
    async with rogue() as (peer, connection):
        with pytest.raises(Unavailable, match="stream-broken"):
            await peer.flood(FrameType.PING, 0, bytes(8))
        assert connection.cause is not None
        assert connection.cause.identifier == "control-frames"


async def test_questions_without_end_whose_answers_are_never_read_wait() -> None:
    answered = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal answered
        answered += 1
        await exchange.answer(Done())

    async with rogue(handler) as (peer, connection):
        number = 0
        while not connection.closed and number < 100_000:
            await peer.request(number * 2 + 1)
            number += 1
        assert answered < 25_000  # what the stream itself holds, and a bounded number that wait
        assert connection.cause is not None
        assert connection.cause.identifier == "control-frames"


async def test_a_window_without_end_is_refused() -> None:
    async with rogue() as (peer, _connection):
        await peer.request(1)
        await peer.send(FrameType.WINDOW, 1, bytes(4))
        assert (await peer.hear_failure()).identifier == "frame-window"


async def test_two_answers_to_one_question_end_the_connection() -> None:
    async with rogue() as (peer, connection):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                async with connection.open(1, Done(), payload_bytes=0) as asking:
                    await asking.reply(Done)
                    with pytest.raises(Unavailable, match="connection-lost"):
                        await asking.receive_into(memoryview(bytearray(10)))

            nursery.start_soon(ask)
            await peer.hear()
            reply = pack_reply(Reply(10, Carriage.SECURE, schema.encode(Done())))
            await peer.send(FrameType.REPLY, 2, reply)
            await wait_all_tasks_blocked()
            await peer.send(FrameType.REPLY, 2, reply)
        assert connection.cause is not None
        assert connection.cause.identifier == "frame-unexpected"


async def test_an_answer_of_the_wrong_shape_fails_its_question_alone() -> None:
    async with rogue() as (peer, connection):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(MaillonError, match="message-form"):
                    await connection.ask(1, Done(), Done, deadline_s=5)

            nursery.start_soon(ask)
            await peer.hear()
            await peer.send(FrameType.REPLY, 2, pack_reply(Reply(0, Carriage.SECURE, b"\xc1")))
        assert not connection.closed


async def test_a_peer_that_takes_nothing_does_not_hold_a_cancelled_sender(autojump_clock: MockClock) -> None:
    async with rogue() as (_, connection):
        start_s = trio.current_time()
        with pytest.raises(Unavailable, match="deadline"):
            await connection.ask(1, Done(), Done, deadline_s=3, payload=[bytes(MIB)])
        assert trio.current_time() - start_s <= 3 + SETTINGS.abandon_grace_s
        assert connection.closed
        assert connection.cause is not None
        assert connection.cause.identifier == "peer-stalled"


async def test_a_peer_that_reads_nothing_is_given_up_however_much_it_sends(autojump_clock: MockClock) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(Done(), [bytes(MIB)])

    async with rogue(handler) as (peer, connection):
        await peer.request(1)
        while not connection.closed and trio.current_time() < 10 * SETTINGS.silent_after_s:
            await trio.sleep(SETTINGS.ping_every_s / 3)
            if not connection.closed:
                await peer.send(FrameType.PING, 0, bytes(8))
        assert connection.cause is not None
        assert connection.cause.identifier == "peer-stalled"


async def test_credit_lets_a_sender_go_on() -> None:
    sent = trio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin_answer(Done(), payload_bytes=EXCHANGE_WINDOW_BYTES + 1)
        await exchange.send([bytes(EXCHANGE_WINDOW_BYTES + 1)])
        sent.set()

    async with rogue(handler) as (peer, _):
        await peer.request(1)
        received = 0
        while received < EXCHANGE_WINDOW_BYTES:
            frame_type, _, payload = await peer.hear()
            received += len(payload) if frame_type is FrameType.DATA else 0
        await wait_all_tasks_blocked()
        assert not sent.is_set()
        await peer.send(FrameType.WINDOW, 1, pack_window(1))
        await sent.wait()
