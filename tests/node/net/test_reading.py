"""How much is taken off a stream at a time, which is never more than is moved cheaply twice."""

from __future__ import annotations

from node.net.reading import FrameReader
from protocol.limits import KIB
from protocol.wire.frames import PING_BYTES, FrameType, pack_header
from tests.support.streams import MemoryStream, stream_pair

PING = pack_header(FrameType.PING, 0, PING_BYTES) + b"12345678"


class Counted(MemoryStream):
    """A stream that notes how much it was asked for each time."""

    def __init__(self, end: MemoryStream) -> None:
        super().__init__(end.outgoing, end.incoming, b"")
        self.asked_bytes: list[int] = []

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        self.asked_bytes.append(len(buffer))
        return await super().receive_into(buffer, least_bytes=least_bytes)


async def test_many_small_frames_are_taken_together() -> None:
    ours, theirs = stream_pair()
    stream = Counted(theirs)
    reader = FrameReader(stream)
    await ours.send_all([PING * 3_000])
    for _ in range(3_000):
        header = await reader.header()
        assert header is not None
        assert await reader.payload(header.payload_bytes) == b"12345678"
    assert len(stream.asked_bytes) <= 5


async def test_little_is_read_ahead_of_a_large_frame() -> None:
    ours, theirs = stream_pair()
    stream = Counted(theirs)
    reader = FrameReader(stream)
    data = pack_header(FrameType.DATA, 1, 100_000) + bytes(100_000)
    await ours.send_all([PING * 3_000, data, data])
    for _ in range(3_000):
        header = await reader.header()
        assert header is not None
        await reader.payload(header.payload_bytes)
    header = await reader.header()
    assert header is not None
    await reader.skip(header.payload_bytes)
    stream.asked_bytes.clear()
    assert await reader.header() is not None
    assert stream.asked_bytes == [4 * KIB]
