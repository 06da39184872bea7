"""The bytes that a command sends: as many as it said, and in time."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.admin.objects import CheckedSource
from protocol.errors import Malformed, Unavailable
from tests.support.clients import BytesSource


class Stuck:
    async def receive_into(self, _buffer: memoryview) -> int:
        await trio.sleep_forever()
        raise AssertionError


async def test_a_command_that_sends_nothing_is_given_up(autojump_clock: MockClock) -> None:
    began_s = trio.current_time()
    with pytest.raises(Unavailable, match="client-stalled"):
        await CheckedSource(Stuck(), 10, 120.0).receive_into(memoryview(bytearray(10)))
    assert trio.current_time() - began_s == 120.0


@pytest.mark.parametrize("said_bytes", [4, 6])
async def test_a_file_that_changes_while_it_is_read_is_refused(said_bytes: int) -> None:
    with pytest.raises(Malformed, match="object-size-changed"):
        await CheckedSource(BytesSource(b"hello"), said_bytes, 120.0).receive_into(memoryview(bytearray(10)))


@pytest.mark.parametrize("said_bytes", [None, 5])
async def test_what_is_as_long_as_was_said_goes_through(said_bytes: int | None) -> None:
    buffer = bytearray(10)
    source = CheckedSource(BytesSource(b"hello"), said_bytes, 120.0)
    assert await source.receive_into(memoryview(buffer)) == 5
    assert buffer[:5] == b"hello"
