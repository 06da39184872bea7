"""A few nodes that call each other under loss and crashes, for tests of the world itself."""

from __future__ import annotations

from pathlib import PurePath

import trio

from node.host.ports import Host, Stream
from protocol.errors import Unavailable
from sim.host.network import Conditions
from sim.host.scheduling import run_deterministically
from sim.host.world import World

NODES = ("n1", "n2", "n3", "n4")


def run_small_world(seed: int) -> str:
    """The hash of what happened."""
    return run_deterministically(seed, _play, seed)


async def _play(seed: int) -> str:
    world = World(seed, Conditions(0.01, 0.2, dial_loss=0.1, send_loss=0.05))
    with trio.move_on_after(120):
        async with trio.open_nursery() as nursery:
            for name in NODES:
                nursery.start_soon(_run_and_restart, world, name)
            await trio.sleep(30)
            world.cut_power("n2")
            await trio.sleep(30)
            world.kill("n3")
    return f"{world.trace.events} {world.trace.digest()}"


async def _run_and_restart(world: World, name: str) -> None:
    while True:
        await world.run_node(name, lambda host: _node(host, name))


async def _node(host: Host, name: str) -> None:
    async def answer(stream: Stream) -> None:
        buffer = memoryview(bytearray(100))
        while count := await stream.receive_into(buffer):
            await stream.send_all([buffer[:count]])

    async with trio.open_nursery() as nursery:
        listener = await host.network.listen(f"{name}:7000")
        await nursery.start(listener.serve, answer)
        while True:
            await trio.sleep(host.entropy.random_bytes(1)[0] / 100)
            peer = NODES[host.entropy.random_bytes(1)[0] % len(NODES)]
            nursery.start_soon(_call, host, peer)


async def _call(host: Host, peer: str) -> None:
    file = host.disk.open(PurePath("calls"))
    try:
        with trio.move_on_after(5):
            stream = await host.network.dial(f"{peer}:7000")
            await stream.send_all([host.entropy.random_bytes(50)])
            await stream.receive_into(memoryview(bytearray(50)))
            await stream.aclose()
        file.write(file.size(), [b"answered"])
        file.sync()
    except Unavailable:
        file.write(file.size(), [b"in vain"])
