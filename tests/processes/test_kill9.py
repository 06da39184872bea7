"""kill -9 of any process at any moment of a put: what was acknowledged is there, all else is absent or whole."""

from __future__ import annotations

import subprocess
import sys
from enum import Enum, auto

import pytest
import trio

from protocol.errors import MaillonError
from tests.support.processes import BUCKET, GATEWAY, BytesSource, Town, some_bytes

pytestmark = pytest.mark.processes

SIZE_BYTES = 600_000
LONG_BYTES = 12_000_000
PUTS_MOST = 6
HOLDERS = ("n5", "n6")


class After(Enum):
    """What must be found of a put that was cut off."""

    ABSENT = auto()
    WHOLE = auto()
    EITHER = auto()


# Where the gateway dies, and what is left of the put of that moment. Before the journal's entry is written nothing
# may be; once it is acknowledged by its holders everything must be; between, nobody knows.
GATEWAY_POINTS = [
    ("vault.before-spread", After.ABSENT),
    ("vault.after-spread", After.ABSENT),
    ("store.after-sync", After.ABSENT),
    ("vault.before-journal", After.ABSENT),
    ("journal.before-sync", After.EITHER),
    ("journal.after-sync", After.EITHER),
    ("journal.after-own-copy", After.EITHER),
    ("vault.after-journal", After.WHOLE),
]

# Two holders die in the same put; the code and the journal bear exactly that.
HOLDER_POINTS = [
    ("store.before-sync", "store.after-sync"),
    ("serve.before-put-answer", "journal.before-sync"),
    ("journal.after-sync", "serve.before-append-answer"),
]


async def put_until_it_dies(six: Town, prefix: str) -> tuple[dict[str, bytes], str, bytes]:
    """Put until the gateway is dead: what was acknowledged, and the put that was not."""
    kept: dict[str, bytes] = {}
    for number in range(PUTS_MOST):
        key, data = f"{prefix}/{number}", some_bytes(number, SIZE_BYTES)
        try:
            await six.put(key, data)
        except MaillonError:
            await six.wait_dead(GATEWAY)
            return kept, key, data
        kept[key] = data
    raise AssertionError(f"{prefix}: the gateway still lives")


async def test_the_gateway_dies_at_each_point_of_a_put(six_nodes: Town) -> None:
    """Each new life of the gateway answers for what the last one acknowledged, and has its own end planned."""
    await six_nodes.kill(GATEWAY)
    kept: dict[str, bytes] = {}
    lost, data, after = "nothing", b"", After.ABSENT
    for point, following in [*GATEWAY_POINTS, ("", After.ABSENT)]:
        await six_nodes.start(GATEWAY, faults=f"{point}=kill9@2" if point else "")
        await six_nodes.see(6, by=(GATEWAY,))
        await six_nodes.writable()
        for key, expected in kept.items():
            assert await six_nodes.get(key) == expected, key
        check(lost, await six_nodes.get_if_there(lost), data, after)
        if point:
            acknowledged, lost, data = await put_until_it_dies(six_nodes, point)
            kept |= acknowledged
            after = following
    await six_nodes.put(lost, data)
    assert await six_nodes.get(lost) == data


def check(key: str, found: bytes | None, data: bytes, after: After) -> None:
    match after:
        case After.ABSENT:
            assert found is None, key
        case After.WHOLE:
            assert found == data, key
        case After.EITHER:
            assert found in (None, data), key


async def test_holders_die_at_each_point_of_a_put_two_at_a_time(six_nodes: Town) -> None:
    await six_nodes.kill(*HOLDERS)
    kept: dict[str, bytes] = {}
    for number, points in enumerate(HOLDER_POINTS):
        for name, point in zip(HOLDERS, points, strict=True):
            six_nodes.spawn(name, faults=f"{point}=kill9@1")
        # What a holder missed while it was dead is sent to it at once: that append may be the one that it dies of.
        await six_nodes.see_or_end(5, *HOLDERS)
        key, data = f"holders/{number}", some_bytes(number, SIZE_BYTES)
        await six_nodes.put(key, data)
        for name in HOLDERS:
            await six_nodes.wait_dead(name)
        kept[key] = data
        for key, data in kept.items():
            assert await six_nodes.get(key) == data, points
    await six_nodes.kill(GATEWAY)
    await six_nodes.heal()
    for key, data in kept.items():
        assert await six_nodes.get(key) == data, key


async def test_everybody_dies_in_the_middle_of_a_put(six_nodes: Town) -> None:
    before, during = some_bytes(1, SIZE_BYTES), some_bytes(2, LONG_BYTES)
    await six_nodes.put("everybody/before", before)
    source = BytesSource(during, paused_at=LONG_BYTES // 2)

    async def put() -> None:
        with pytest.raises(MaillonError):
            await six_nodes.put("everybody/during", source)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put)
        await source.reached.wait()
        await six_nodes.kill(*six_nodes.names)
        source.go_on.set()
    await six_nodes.heal()
    assert await six_nodes.get("everybody/before") == before
    assert await six_nodes.get_if_there("everybody/during") is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
async def test_the_gateway_dies_when_so_much_was_sent(six_nodes: Town, share: float) -> None:
    data = some_bytes(3, LONG_BYTES)
    source = BytesSource(data, paused_at=int(share * LONG_BYTES))
    acknowledged = trio.Event()

    async def put() -> None:
        try:
            await six_nodes.put(f"sent/{share}", source)
        except MaillonError:
            return
        acknowledged.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put)
        await source.reached.wait()
        source.go_on.set()
        await six_nodes.kill(GATEWAY)
    await six_nodes.heal()
    found = await six_nodes.get_if_there(f"sent/{share}")
    assert found == data if acknowledged.is_set() else found in (None, data)


async def test_the_client_dies_in_the_middle_of_a_put(six_nodes: Town) -> None:
    """Half an object is none, and the gateway is as free as before."""
    pid = six_nodes.node(GATEWAY).pid
    client = await trio.lowlevel.open_process(
        [sys.executable, "-m", "node", "--dir", six_nodes.dir(GATEWAY), "put", "-", f"{BUCKET}/half"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert client.stdin is not None
    await client.stdin.send_all(some_bytes(4, LONG_BYTES))
    client.kill()
    await client.wait()
    await client.stdin.aclose()
    assert await six_nodes.get_if_there("half") is None
    await six_nodes.put("half", b"whole")
    assert await six_nodes.get("half") == b"whole"
    assert six_nodes.node(GATEWAY).pid == pid
