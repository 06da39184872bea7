"""What only the deterministic host can be asked for: crashes, partitions, bytes kept and bytes lost."""

from __future__ import annotations

import random
from pathlib import PurePath

import pytest
import trio
import trio.testing

from node.host.ports import Host, Stream
from protocol.errors import Unavailable
from sim.host.disk import SECTOR_BYTES
from sim.host.network import Conditions
from sim.host.world import World

FILE = PurePath("volumes/v1")


async def echo(stream: Stream) -> None:
    buffer = memoryview(bytearray(1000))
    while count := await stream.receive_into(buffer):
        await stream.send_all([buffer[:count]])


async def serve_echo(host: Host) -> None:
    listener = await host.network.listen("b:7000")
    await listener.serve(echo)


async def exchange(stream: Stream) -> None:
    await stream.send_all([b"hello"])
    assert await stream.receive_into(memoryview(bytearray(10))) == 5


def contents(world: World, name: str = "a") -> bytes:
    return world.host(name).disk.read(FILE, size_bytes_max=1 << 20)


async def test_a_power_cut_keeps_what_was_synced_and_anything_of_the_rest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    endings = set()
    for seed in range(40):
        world = World(seed)
        file = world.host("a").disk.open(FILE)
        file.write(0, [b"synced"])
        file.sync()
        file.write(6, [b"A"])
        file.write(7, [b"B"])
        world.cut_power("a")
        data = contents(world)
        assert data.startswith(b"synced")
        endings.add(data[6:])
    assert {b"", b"A", b"AB", b"\0B"} <= endings


async def test_a_power_cut_may_tear_a_write_at_a_sector(autojump_clock: trio.testing.MockClock) -> None:
    sizes = set()
    for seed in range(60):
        world = World(seed)
        world.host("a").disk.open(FILE).write(0, [b"x" * (4 * SECTOR_BYTES)])
        world.cut_power("a")
        sizes.add(len(contents(world)))
    assert sizes == {sectors * SECTOR_BYTES for sectors in range(5)}


async def test_a_killed_process_loses_nothing_that_it_wrote(autojump_clock: trio.testing.MockClock) -> None:
    world = World(1)
    world.host("a").disk.open(FILE).write(0, [b"written, not synced"])
    world.kill("a")
    assert contents(world) == b"written, not synced"


async def test_the_dead_cannot_write(autojump_clock: trio.testing.MockClock) -> None:
    for end in (World.kill, World.cut_power):
        world = World(1)
        disk = world.host("a").disk
        file = disk.open(FILE)
        end(world, "a")
        for act in (lambda: file.write(0, [b"x"]), file.sync, lambda: disk.replace(FILE, b"x")):  # noqa: B023
            with pytest.raises(OSError, match="error"):
                act()
        assert contents(world) == b""


async def test_rot_is_read_and_a_full_disk_is_full(autojump_clock: trio.testing.MockClock) -> None:
    world = World(1)
    platter = world.platter("a", "disk1", capacity_bytes=100)
    file = world.host("a").open_disk("disk1").open(FILE)
    file.write(0, [bytes(100)])
    with pytest.raises(OSError, match="No space"):
        file.write(100, [b"x"])
    file.write(0, [b"in place there is room"])
    platter.flip_bit(FILE, 8 * 99)
    buffer = bytearray(1)
    file.read_into(99, memoryview(buffer))
    assert buffer == b"\x01"


async def test_a_node_dies_at_a_named_point_and_lives_again(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    world = World(1)
    reached: list[str] = []

    async def main(host: Host) -> None:
        async with host.lock():
            reached.append("before")
            await host.faults.reach("vault.before-journal")
            reached.append("after")

    world.faults("a").on("vault.before-journal", lambda: world.cut_power("a"))
    await world.run_node("a", main)
    assert reached == ["before"]
    await world.run_node("a", main)
    assert reached == ["before", "before", "after"]
    assert world.faults("a").times_reached("vault.before-journal") == 1


async def test_a_fault_in_blocking_code_is_what_the_test_says(autojump_clock: trio.testing.MockClock) -> None:
    world = World(1)

    def fail() -> None:
        raise OSError(5, "an error of the disk")

    host = world.host("a")
    file = host.disk.open(FILE)
    world.faults("a").on("disk.sync", fail)
    with pytest.raises(OSError, match="of the disk"):
        await host.threads.run_blocking(file.sync)
    world.faults("a").clear("disk.sync")
    await host.threads.run_blocking(file.sync)


async def test_a_partition_holds_bytes_back_until_it_heals(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    world = World(1)
    nursery.start_soon(world.run_node, "b", serve_echo)
    await trio.sleep(1)
    stream = await world.host("a").network.dial("b:7000")
    await exchange(stream)
    world.wires.partition(["a"], ["b"])
    await stream.send_all([b"hello"])
    with trio.move_on_after(3600) as scope:
        await stream.receive_into(memoryview(bytearray(10)))
    assert scope.cancelled_caught
    with trio.move_on_after(3600) as scope:
        await world.host("a").network.dial("b:7000")
    assert scope.cancelled_caught
    world.wires.heal()
    with trio.fail_after(1):
        assert await stream.receive_into(memoryview(bytearray(10))) == 5
        await exchange(await world.host("a").network.dial("b:7000"))
    nursery.cancel_scope.cancel()


async def test_a_partition_may_be_one_way(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    world = World(1)
    nursery.start_soon(world.run_node, "b", serve_echo)
    await trio.sleep(1)
    stream = await world.host("a").network.dial("b:7000")
    world.wires.block("b", "a")
    await stream.send_all([b"arrives, but its echo does not"])
    with trio.move_on_after(60) as scope:
        await stream.receive_into(memoryview(bytearray(10)))
    assert scope.cancelled_caught
    nursery.cancel_scope.cancel()


async def test_a_killed_peer_breaks_its_streams_and_a_silent_one_says_nothing(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    world = World(1)
    nursery.start_soon(world.run_node, "b", serve_echo)
    await trio.sleep(1)
    stream = await world.host("a").network.dial("b:7000")
    world.wires.silence("b")
    with trio.move_on_after(3600) as scope:
        await stream.receive_into(memoryview(bytearray(10)))
    assert scope.cancelled_caught
    world.kill("b")
    with pytest.raises(Unavailable) as caught:
        await stream.receive_into(memoryview(bytearray(10)))
    assert caught.value.identifier == "stream-broken"
    with pytest.raises(Unavailable) as caught:
        await world.host("a").network.dial("b:7000")
    assert caught.value.identifier == "dial-failed"


async def test_latency_and_loss_are_as_asked(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    world = World(1, Conditions(0.5, 0.5))
    nursery.start_soon(world.run_node, "b", serve_echo)
    await trio.sleep(1)
    stream = await world.host("a").network.dial("b:7000")
    began_s = trio.current_time()
    await exchange(stream)
    assert trio.current_time() - began_s == pytest.approx(1.0)
    world.wires.conditions = Conditions(send_loss=1.0)
    with pytest.raises(Unavailable):
        await stream.send_all([b"x"])
    world.wires.conditions = Conditions(dial_loss=1.0)
    with pytest.raises(Unavailable):
        await world.host("a").network.dial("b:7000")
    nursery.cancel_scope.cancel()


async def test_the_wall_clock_follows_virtual_time_and_may_be_wrong(autojump_clock: trio.testing.MockClock) -> None:
    world = World(1)
    wall = world.host("a").wall
    began_s = wall.now_s()
    await trio.sleep(1000)
    assert wall.now_s() == began_s + 1000
    world.wall("a").skew_s = -500
    assert wall.now_s() == began_s + 500


def test_entropy_is_each_nodes_own_and_each_lifes_own() -> None:
    first = World(1).host("a").entropy.random_bytes(32)
    assert World(1).host("a").entropy.random_bytes(32) == first
    assert World(1).host("b").entropy.random_bytes(32) != first
    assert World(2).host("a").entropy.random_bytes(32) != first


@pytest.mark.parametrize("seed", range(3))
async def test_a_synced_log_survives_any_sequence_of_crashes(
    autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    """The smallest store there is, on this disk: what it acknowledged is always there."""
    world, numbers = World(seed), random.Random(seed)
    acknowledged = b""
    for _ in range(20):
        file = world.host("a").disk.open(FILE)
        file.truncate(len(acknowledged))
        for _ in range(numbers.randint(1, 5)):
            entry = numbers.randbytes(numbers.randint(1, 2000))
            file.write(len(acknowledged), [entry])
            if numbers.random() < 0.5:
                break
            file.sync()
            acknowledged += entry
        world.cut_power("a")
        assert contents(world)[: len(acknowledged)] == acknowledged
