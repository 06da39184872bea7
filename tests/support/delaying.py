"""A wire with a round trip: a proxy before each node's door that passes every byte on, in order, but later.

Run as `python -m tests.support.delaying --one-way-ms 50 --jitter-ms 10 FRONT:BACK ...`, a process of its own so that
it is nobody's scheduler that is slow. Each direction delays each piece by the one-way time plus or minus the jitter;
a piece never overtakes the one before it, as on a real path. Nodes keep their known addresses (the fronts) and
listen behind them, so nobody has to be told anything.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from node.first_error import first_error

PIECE_BYTES = 256 * 1024
PIECES_ON_THE_WAY = 4_096


@dataclass(frozen=True, slots=True)
class Path:
    """How long a piece is on its way, in one direction."""

    one_way_s: float
    jitter_s: float

    def time_s(self, numbers: random.Random) -> float:
        return max(0.0, self.one_way_s + numbers.uniform(-self.jitter_s, self.jitter_s))


@contextmanager
def delaying(doors: Sequence[tuple[int, int]], path: Path) -> Iterator[None]:
    """Proxies from front to back ports on loopback, for the length of the block."""
    pairs = [f"{front}:{back}" for front, back in doors]
    times = ["--one-way-ms", str(path.one_way_s * 1000), "--jitter-ms", str(path.jitter_s * 1000)]
    proxy = subprocess.Popen([sys.executable, "-m", __name__, *times, *pairs], stdout=subprocess.PIPE, text=True)
    try:
        assert proxy.stdout is not None
        assert proxy.stdout.readline() == "listening\n"
        yield
    finally:
        proxy.terminate()
        proxy.wait()


async def _pump(source: trio.SocketStream, target: trio.SocketStream, path: Path, numbers: random.Random) -> None:
    """One direction of one connection, until its end has been passed on."""
    send, receive = trio.open_memory_channel[tuple[float, bytes]](PIECES_ON_THE_WAY)

    async def take() -> None:
        due = trio.current_time()
        async with send:
            while piece := await source.receive_some(PIECE_BYTES):
                due = max(due, trio.current_time() + path.time_s(numbers))
                await send.send((due, piece))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        async for due, piece in receive:
            await trio.sleep_until(due)
            await target.send_all(piece)
        await target.send_eof()


async def _carry(path: Path, back: int, front: trio.SocketStream) -> None:
    numbers = random.Random(back)
    try:
        behind = await trio.open_tcp_stream("127.0.0.1", back)
    except OSError:
        return  # the node is down: its door closes in the dialler's face
    async with behind:
        # Either end may go at any time; then the other goes too, and that is all there is to say.
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError), first_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pump, front, behind, path, numbers)
                nursery.start_soon(_pump, behind, front, path, numbers)


async def _serve(doors: Sequence[tuple[int, int]], path: Path) -> None:
    async with trio.open_nursery() as nursery:
        for front, back in doors:
            carry = functools.partial(_carry, path, back)
            await nursery.start(functools.partial(trio.serve_tcp, carry, front, host="127.0.0.1"))
        print("listening", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--one-way-ms", type=float, default=50.0)
    parser.add_argument("--jitter-ms", type=float, default=10.0)
    parser.add_argument("doors", nargs="+", help="FRONT:BACK ports on 127.0.0.1")
    options = parser.parse_args()
    doors = [(int(front), int(back)) for front, _, back in (door.partition(":") for door in options.doors)]
    trio.run(_serve, doors, Path(options.one_way_ms / 1000, options.jitter_ms / 1000))


if __name__ == "__main__":
    main()
