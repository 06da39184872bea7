"""Sealed bytes travel on a plain stream where both nodes have one, and inside TLS where not or no longer."""

from __future__ import annotations

import pytest
import trio

from protocol.ids import BlockId
from protocol.requests import HasShares, HasSharesReply, Kind
from protocol.wire.envelopes import Carriage
from tests.support.meshes import PAYLOAD
from tests.support.village import Village, in_a_village

QUESTION = HasShares((BlockId(bytes(32)),))


async def fetched_over(village: Village, asker: int, asked: int) -> Carriage:
    """Fetch a payload, check it, and say how it came."""
    into = memoryview(bytearray(len(PAYLOAD)))
    answer = await village.meshes[asker].ask(
        village.node(asked),
        Kind.GET_LABEL,
        QUESTION,
        HasSharesReply,
        deadline_s=10,
        into=into,
        over=Carriage.SEALED,
    )
    assert answer.payload_bytes == len(PAYLOAD)
    assert into == PAYLOAD
    return Carriage(answer.message.held[0])


async def grow(village: Village, plain_doors: list[int], size: int) -> None:
    await village.grow(size)
    for number in range(1, size + 1):
        village.kill(number)
    for number in range(1, size + 1):
        changes = {"listen_bulk": f"n{number}:7001"} if number in plain_doors else {}
        await village.start(number, **changes)
    await village.until(village.agree)
    await trio.sleep(5)


def test_payload_travels_on_the_plain_stream_whoever_dialled() -> None:
    async def main(village: Village) -> None:
        await grow(village, [1, 2, 3], 3)
        pairs = [(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b]
        assert {await fetched_over(village, a, b) for a, b in pairs} == {Carriage.SEALED}

    in_a_village(main)


@pytest.mark.parametrize("plain_doors", [[], [1], [2]])
def test_payload_stays_inside_tls_where_one_end_has_no_plain_door(plain_doors: list[int]) -> None:
    async def main(village: Village) -> None:
        await grow(village, plain_doors, 2)
        assert await fetched_over(village, 1, 2) is Carriage.SECURE
        assert await fetched_over(village, 2, 1) is Carriage.SECURE

    in_a_village(main)


def test_the_card_says_where_the_plain_door_is() -> None:
    async def main(village: Village) -> None:
        await grow(village, [1, 2], 2)
        await village.until(lambda: village.meshes[1].view.ids() == village.meshes[2].view.ids())
        facts = village.meshes[1].view.node(village.node(2))
        assert facts is not None
        assert facts.bulk_address == "n2:7001"

    in_a_village(main)


def test_after_a_restart_the_plain_stream_comes_back_by_itself() -> None:
    async def main(village: Village) -> None:
        await grow(village, [1, 2], 2)
        village.kill(2)
        await village.start(2)
        await village.until(village.agree)
        await trio.sleep(30)
        assert await fetched_over(village, 1, 2) is Carriage.SEALED

    in_a_village(main)
