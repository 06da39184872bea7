"""Credit and buffers of one direction of one exchange."""

from __future__ import annotations

import pytest
import trio

from node.net.payload import Budget, Incoming, Outgoing, Stopped
from node.net.reading import FrameReader
from protocol.errors import Malformed, Unavailable
from protocol.limits import EXCHANGE_WINDOW_BYTES, MIB
from protocol.wire.frames import FrameType, pack_header
from tests.support.streams import MemoryStream, stream_pair


class Leaving(MemoryStream):
    """A stream whose receiver gives up at the very moment when the last bytes arrive."""

    leave: Incoming | None = None

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        received = await super().receive_into(buffer, least_bytes=least_bytes)
        if self.leave is not None:
            self.leave.close()
        return received


async def test_a_receiver_that_leaves_with_the_last_byte_stops_the_reader_between_two_frames() -> None:
    ours, theirs = stream_pair()
    stream = Leaving(theirs.outgoing, theirs.incoming, b"")
    reader = FrameReader(stream)
    incoming = Incoming(EXCHANGE_WINDOW_BYTES, Budget(0), lambda _credit: None)
    incoming.open(None)
    incoming.expect([memoryview(bytearray(100_000))])
    await ours.send_all([pack_header(FrameType.DATA, 1, 50_000), bytes(50_000)])
    went_on = False
    with reader.resumed() as scope:
        header = await reader.header()
        assert header is not None
        stream.leave = incoming
        await incoming.take(reader, header.payload_bytes)
        went_on = True
    # Had it gone on, the interruption would have met it in the middle of some other frame.
    assert scope.cancelled_caught
    assert not went_on
    stream.leave = None
    await ours.send_all([pack_header(FrameType.PING, 0, 8), b"12345678"])
    with reader.resumed():
        await reader.skip_rest()
        header = await reader.header()
        assert header is not None
        assert await reader.payload(header.payload_bytes) == b"12345678"


async def test_a_stream_that_dies_in_the_middle_of_a_frame_gives_its_budget_back() -> None:
    ours, theirs = stream_pair()
    budget = Budget(MIB)
    incoming = Incoming(EXCHANGE_WINDOW_BYTES, budget, lambda _credit: None)
    incoming.open(None)
    await ours.send_all([bytes(1_000)])
    await ours.aclose()
    with pytest.raises(Malformed, match="frame-truncated"):
        await incoming.take(FrameReader(theirs), 50_000)
    assert budget.left_bytes == MIB


async def test_credit_is_spent_and_granted() -> None:
    outgoing = Outgoing(10)
    assert outgoing.take_now(7) == 7
    assert await outgoing.take(7) == 3
    assert outgoing.take_now(1) == 0
    async with trio.open_nursery() as nursery:

        async def take() -> None:
            assert await outgoing.take(100) == 5

        nursery.start_soon(take)
        await trio.lowlevel.checkpoint()
        outgoing.grant(5)


async def test_a_stopped_sender_hears_the_first_reason() -> None:
    outgoing = Outgoing(10)
    outgoing.stop(Stopped())
    outgoing.stop(Unavailable("connection-lost"))
    with pytest.raises(Stopped):
        await outgoing.take(1)


def test_endless_credit_is_refused() -> None:
    outgoing = Outgoing(2**62)
    with pytest.raises(Malformed, match="frame-window"):
        outgoing.grant(1)


def test_room_is_granted_for_the_buffer_that_waits_and_a_window_beyond() -> None:
    granted: list[int] = []
    incoming = Incoming(EXCHANGE_WINDOW_BYTES, Budget(MIB), granted.append)
    incoming.open(None)
    incoming.expect([memoryview(bytearray(4 * MIB))])
    assert sum(granted) == 4 * MIB


async def test_buffers_are_filled_one_after_the_other_also_with_what_was_kept_aside() -> None:
    ours, theirs = stream_pair()
    incoming = Incoming(EXCHANGE_WINDOW_BYTES, Budget(MIB), lambda _credit: None)
    incoming.open(1_000)
    await ours.send_all([bytes(range(250)) * 4])
    reader = FrameReader(theirs)
    await incoming.take(reader, 300)
    rooms = [bytearray(100), bytearray(0), bytearray(500), bytearray(400)]
    incoming.expect([memoryview(room) for room in rooms])
    await incoming.take(reader, 700)
    assert await incoming.filled() == 1_000
    assert b"".join(rooms) == bytes(range(250)) * 4


def test_no_more_is_granted_than_was_declared() -> None:
    granted: list[int] = []
    incoming = Incoming(EXCHANGE_WINDOW_BYTES, Budget(MIB), granted.append)
    incoming.open(EXCHANGE_WINDOW_BYTES + 10)
    incoming.expect([memoryview(bytearray(4 * MIB))])
    assert granted == [10]
