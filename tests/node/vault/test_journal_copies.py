"""Entries that holders passed on are read where the copies are, once no holder can show them."""

from __future__ import annotations

import dataclasses

import pytest
import trio

from node.vault.journal.reader import EpochReader
from node.vault.journal.tools import ReadTools
from protocol.errors import Unavailable
from protocol.ids import NodeId
from protocol.namespace.journal import decode_entry, encode_opening, start_of
from tests.support.gateways import BUCKET, Scene, scene
from tests.support.journals import node

COPY = 6


async def copied(stage: Scene) -> tuple[EpochReader, tuple[bytes, ...]]:
    """Six hold an epoch with entries, a seventh has a copy; and somebody with an empty disk reads."""
    async with stage.running() as (writer, _):
        await writer.append([BUCKET])
        await writer.append([dataclasses.replace(BUCKET, bucket="other")])
        await stage.until_agreed()
    entries = await stage.entries(1)
    assert stage.first is not None
    await stage.members.start(COPY)
    await stage.members[COPY].store.copy(encode_opening(stage.first), b"", 0, entries)
    await stage.members.start(COPY + 1)
    return EpochReader(_reading(stage, {node(number) for number in range(COPY + 1)}), stage.first, None), entries


def _reading(stage: Scene, live: set[NodeId]) -> ReadTools:
    return dataclasses.replace(stage.tools(COPY + 1), live=lambda: live)


async def test_the_holders_are_asked_first(autojump_clock: trio.testing.MockClock) -> None:
    async with scene() as stage:
        reader, entries = await copied(stage)
        assert await reader.window(start_of(reader.opening), 10) == entries
        assert stage.members[COPY].asked == []


async def test_a_copy_is_read_when_no_holder_can_show_the_entries(autojump_clock: trio.testing.MockClock) -> None:
    async with scene() as stage:
        reader, entries = await copied(stage)
        stage.set_mood("away", *range(6))
        assert await reader.window(start_of(reader.opening), 10) == entries
        assert await reader.entry(1) == decode_entry(entries[1])


async def test_a_copy_that_lies_is_not_believed(autojump_clock: trio.testing.MockClock) -> None:
    async with scene() as stage:
        reader, _ = await copied(stage)
        stage.set_mood("away", *range(6))
        stage.set_mood("garbles", COPY)
        with pytest.raises(Unavailable, match="entry-unreadable"):
            await reader.window(start_of(reader.opening), 10)
