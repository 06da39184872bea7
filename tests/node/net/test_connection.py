"""Questions and answers over one connection: messages, payloads both ways, failures, cancellation."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.net.connection import dispatch
from node.net.exchange import Asking, Exchange, Room
from node.net.failures import RemoteError
from node.net.settings import NetSettings
from protocol.errors import Malformed, Missing, OverLimit, Refused, Unavailable
from protocol.limits import EXCHANGE_WINDOW_BYTES, EXCHANGES_MAX, KIB, MIB
from protocol.requests import Done
from tests.support.connections import BOB, Say, connected
from tests.support.streams import stream_pair

KIND = 17


def pattern(size_bytes: int) -> bytes:
    return bytes(range(251)) * (size_bytes // 251) + bytes(range(size_bytes % 251))


async def echo(exchange: Exchange) -> None:
    """Answers with the question and the payload that came with it."""
    room = bytearray(exchange.payload_bytes or 0)
    assert await exchange.receive_into(memoryview(room)) == len(room)
    await exchange.answer(exchange.decode(Say), [room])


async def test_an_answer_comes_back_to_its_question() -> None:
    async with connected(echo) as (alice, _):
        answer = await alice.ask(KIND, Say("bonjour"), Say, deadline_s=5)
    assert answer.message == Say("bonjour")
    assert answer.payload_bytes == 0


async def test_either_end_may_ask_on_one_connection() -> None:
    async with connected(echo, asked_back=echo) as (alice, bob):
        there = await alice.ask(KIND, Say("a"), Say, deadline_s=5)
        back = await bob.ask(KIND, Say("b"), Say, deadline_s=5)
    assert (there.message, back.message) == (Say("a"), Say("b"))


@pytest.mark.parametrize(
    "size_bytes", [1, 4 * KIB, 256 * KIB, 256 * KIB + 1, MIB, MIB + 1, 4 * MIB, 3 * MIB + 12_345]
)
async def test_payloads_of_every_size_pass_both_ways(size_bytes: int) -> None:
    sent = pattern(size_bytes)
    room = bytearray(size_bytes)
    async with connected(echo) as (alice, _):
        answer = await alice.ask(KIND, Say(""), Say, deadline_s=5, payload=[sent], into=memoryview(room))
    assert answer.payload_bytes == size_bytes
    assert bytes(room) == sent


async def test_payload_parts_are_sent_one_after_the_other() -> None:
    parts = [pattern(100), b"", pattern(300 * KIB), memoryview(pattern(5))]
    whole = b"".join(bytes(part) for part in parts)
    room = bytearray(len(whole))
    async with connected(echo) as (alice, _):
        await alice.ask(KIND, Say(""), Say, deadline_s=5, payload=parts, into=memoryview(room))
    assert bytes(room) == whole


async def test_what_a_handler_raises_is_raised_where_it_was_asked() -> None:
    async def handler(_exchange: Exchange) -> None:
        raise Refused("invitation-used", organisation="Café", at=7, ids=("a", "b"), raw=b"\x01")

    async with connected(handler) as (alice, _):
        with pytest.raises(Refused) as caught:
            await alice.ask(KIND, Say(""), Done, deadline_s=5)
    assert isinstance(caught.value, RemoteError)
    assert caught.value.node == BOB.public
    assert caught.value.identifier == "invitation-used"
    assert caught.value.parameters == {"organisation": "Café", "at": 7, "ids": ("a", "b"), "raw": b"\x01"}


async def test_an_error_out_of_a_nursery_keeps_its_name() -> None:
    async def fail() -> None:
        raise Missing("share-missing")

    async def handler(_exchange: Exchange) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)

    async with connected(handler) as (alice, _):
        with pytest.raises(Missing, match="share-missing"):
            await alice.ask(KIND, Say(""), Done, deadline_s=5)


async def test_a_broken_handler_hurts_only_its_own_exchange() -> None:
    async def broken(_exchange: Exchange) -> None:
        raise ZeroDivisionError

    async def silent(_exchange: Exchange) -> None:
        return

    async with connected(dispatch({1: broken, 2: silent, 3: echo})) as (alice, _):
        for kind in (1, 2):
            with pytest.raises(Unavailable, match="peer-internal"):
                await alice.ask(kind, Say(""), Done, deadline_s=5)
        with pytest.raises(Refused, match="kind-unknown"):
            await alice.ask(4, Say(""), Done, deadline_s=5)
        assert (await alice.ask(3, Say("still here"), Say, deadline_s=5)).message == Say("still here")


async def test_a_question_of_the_wrong_shape_is_refused_by_name() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.decode(Done)

    async with connected(handler) as (alice, _):
        with pytest.raises(Malformed, match="message-field"):
            await alice.ask(KIND, Say("not a Done"), Done, deadline_s=5)


async def test_a_message_too_large_for_a_call_is_refused_before_it_is_sent() -> None:
    async with connected(echo) as (alice, _):
        with pytest.raises(OverLimit, match="message-size"):
            await alice.ask(KIND, Say("x" * 300_000), Say, deadline_s=5)
        assert (await alice.ask(KIND, Say("y"), Say, deadline_s=5)).message == Say("y")


async def test_an_answer_may_come_before_the_payload_is_read() -> None:
    async def have_it(exchange: Exchange) -> None:
        await exchange.answer(Done())

    async with connected(have_it) as (alice, _):
        for _ in range(3):
            await alice.ask(KIND, Say(""), Done, deadline_s=5, payload=[pattern(3 * MIB)])


async def test_an_answer_larger_than_its_room_is_refused() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(Done(), [pattern(2 * MIB)])

    async with connected(handler) as (alice, _):
        with pytest.raises(OverLimit, match="answer-payload"):
            await alice.ask(KIND, Say(""), Done, deadline_s=5, into=memoryview(bytearray(MIB)))


def places_in(rooms: list[bytearray]) -> Room[Say]:
    """Rooms that are filled in the order that the answer names them in."""

    def places(answer: Say) -> list[memoryview]:
        return [memoryview(rooms[int(number)]) for number in answer.text.split()]

    return Room(Say, sum(map(len, rooms)), places)


async def test_the_answer_says_where_the_parts_of_its_payload_go() -> None:
    first, second = pattern(300 * KIB), pattern(700 * KIB + 1)

    async def handler(exchange: Exchange) -> None:
        await exchange.answer(Say("2 0"), [second, first])

    rooms = [bytearray(len(first)), bytearray(5), bytearray(len(second))]
    async with connected(handler) as (alice, _):
        answer = await alice.ask(KIND, Say(""), Say, deadline_s=5, into=places_in(rooms))
    assert answer.payload_bytes == len(first) + len(second)
    assert [bytes(room) for room in rooms] == [first, bytes(5), second]


async def test_an_answer_whose_payload_is_not_as_long_as_it_says_is_refused() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(Say("0"), [pattern(99)])

    rooms = [bytearray(100)]
    async with connected(handler) as (alice, _):
        with pytest.raises(Malformed, match="answer-items"):
            await alice.ask(KIND, Say(""), Say, deadline_s=5, into=places_in(rooms))
        assert rooms == [bytearray(100)]
        await alice.ask(KIND, Say(""), Say, deadline_s=5, into=memoryview(bytearray(99)))


async def test_a_deadline_ends_the_wait_and_the_handler(autojump_clock: MockClock) -> None:
    cancelled = trio.Event()

    async def handler(_exchange: Exchange) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    async with connected(handler) as (alice, _):
        with pytest.raises(Unavailable, match="deadline") as caught:
            await alice.ask(KIND, Say(""), Done, deadline_s=2)
        assert caught.value.parameters == {"kind": KIND, "deadline_ms": 2000}
        await cancelled.wait()


async def test_streams_of_unknown_length_pass_both_ways() -> None:
    blocks = 24
    block = pattern(300 * KIB)

    async def handler(exchange: Exchange) -> None:
        assert exchange.payload_bytes is None
        room = memoryview(bytearray(MIB))
        await exchange.begin_answer(Say("ready"))
        while received := await exchange.receive_into(room):
            await exchange.send([room[:received]])
        await exchange.finish()

    async def feed(asking: Asking) -> None:
        for _ in range(blocks):
            await asking.send([block])
        await asking.finish()

    got = bytearray()
    async with (
        connected(handler) as (alice, _),
        alice.open(KIND, Say("")) as asking,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(feed, asking)
        assert await asking.reply(Say) == Say("ready")
        room = memoryview(bytearray(MIB))
        while received := await asking.receive_into(room):
            got += room[:received]
    assert bytes(got) == block * blocks


async def test_a_stream_that_begins_with_its_answer_arrives_before_it_ends() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin_answer(Done(), first=[bytes(5_000)])
        await exchange.finish()

    async with connected(handler) as (alice, _bob), alice.open(1, Done(), payload_bytes=0) as asking:
        await asking.reply(Done)
        buffer = memoryview(bytearray(10_000))
        assert await asking.receive_into(buffer) == 5_000


async def test_small_parts_of_a_stream_arrive_as_they_are_sent() -> None:
    go_on = trio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin_answer(Done())
        await exchange.send([b"first line\n"])
        await go_on.wait()
        await exchange.send([b"second line\n"])
        await exchange.finish()

    async with connected(handler) as (alice, _), alice.open(KIND, Say("")) as asking:
        await asking.finish()
        await asking.reply(Done)
        room = memoryview(bytearray(100))
        assert bytes(room[: await asking.receive_some(room)]) == b"first line\n"
        go_on.set()
        assert bytes(room[: await asking.receive_some(room)]) == b"second line\n"
        assert await asking.receive_some(room) == 0


async def test_a_failure_in_the_middle_of_a_streamed_answer_is_heard() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin_answer(Done())
        await exchange.send([b"some"])
        raise Missing("block-missing")

    async with connected(handler) as (alice, _), alice.open(KIND, Say("")) as asking:
        await asking.reply(Done)
        with pytest.raises(Missing, match="block-missing"):
            await asking.receive_into(memoryview(bytearray(10)))


async def test_a_failure_stops_whoever_still_sends() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.receive_into(memoryview(bytearray(10)))
        raise Unavailable("store-full")

    async def feed(asking: Asking) -> None:
        while True:
            await asking.send([pattern(MIB)])

    async with connected(handler) as (alice, _), alice.open(KIND, Say("")) as asking:
        with pytest.raises(Unavailable, match="store-full"):
            await feed(asking)


async def test_leaving_a_stream_early_cancels_its_handler() -> None:
    cancelled = trio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.begin_answer(Done())
            while True:
                await exchange.send([pattern(MIB)])
        finally:
            cancelled.set()

    async with connected(handler) as (alice, _):
        async with alice.open(KIND, Say("")) as asking:
            await asking.reply(Done)
            await asking.receive_into(memoryview(bytearray(10)))
        await cancelled.wait()


async def test_a_slow_receiver_holds_the_sender_back() -> None:
    sent_bytes = 0
    read_on = trio.Event()

    async def handler(exchange: Exchange) -> None:
        await read_on.wait()
        room = memoryview(bytearray(64 * KIB))
        while await exchange.receive_into(room):
            pass
        await exchange.answer(Done())

    async with connected(handler) as (alice, _), alice.open(KIND, Say("")) as asking:
        async with trio.open_nursery() as nursery:

            async def feed() -> None:
                nonlocal sent_bytes
                for _ in range(100):
                    await asking.send([pattern(64 * KIB)])
                    sent_bytes += 64 * KIB
                await asking.finish()

            nursery.start_soon(feed)
            await wait_all_tasks_blocked()
            assert sent_bytes == EXCHANGE_WINDOW_BYTES
            read_on.set()
        await asking.reply(Done)


async def test_more_exchanges_than_the_bound_are_refused() -> None:
    release = trio.Event()

    async def handler(exchange: Exchange) -> None:
        await release.wait()
        await exchange.answer(Done())

    async with connected(handler) as (alice, _), trio.open_nursery() as nursery:
        for _ in range(EXCHANGES_MAX):
            nursery.start_soon(lambda: alice.ask(KIND, Say(""), Done, deadline_s=5))
        await wait_all_tasks_blocked()
        with pytest.raises(Unavailable, match="exchanges-busy"):
            await alice.ask(KIND, Say(""), Done, deadline_s=5)
        release.set()


async def test_losing_the_stream_fails_everybody_who_waits() -> None:
    pair = stream_pair()
    stopped = trio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await trio.sleep_forever()
        finally:
            stopped.set()

    async with connected(handler, streams=pair) as (alice, bob):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(Unavailable, match="connection-lost"):
                    await alice.ask(KIND, Say(""), Done, deadline_s=50)

            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            pair[0].cut()
        await stopped.wait()
        assert alice.closed
        with pytest.raises(Unavailable, match="connection-lost"):
            await alice.ask(KIND, Say(""), Done, deadline_s=1)
        assert bob.closed


async def test_closing_says_goodbye() -> None:
    async with connected(echo) as (alice, bob):
        alice.close()
        await wait_all_tasks_blocked()
        assert bob.closed
        assert bob.cause is None


async def test_a_peer_that_falls_silent_is_given_up(autojump_clock: MockClock) -> None:
    pair = stream_pair()
    settings = NetSettings(ping_every_s=10, silent_after_s=30)
    async with connected(echo, streams=pair, settings=settings) as (alice, _):
        await trio.sleep(1_000)
        assert not alice.closed  # pings keep it alive
        for stream in pair:
            stream.incoming.tap = stream.outgoing.tap = lambda _data: b""
        start_s = trio.current_time()
        with pytest.raises(Unavailable, match="connection-lost"):
            await alice.ask(KIND, Say(""), Say, deadline_s=500)
        assert trio.current_time() - start_s <= 41
        assert alice.cause is not None
        assert alice.cause.identifier == "peer-silent"
