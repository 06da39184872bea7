"""Many small objects: how many puts and gets a second, and what a round trip between the members does to them.

`python -m tests.bench.small` measures 4 KiB objects, 16 at a time, each durable at its journal's quorum, through a
six-node devnet; with `--rtt-ms 100` every connection between nodes runs through a delaying proxy, and what is
measured is the median put in round trips, and how many times faster 16 at a time are than one. The client is this
process, over the gateway's admin socket. Beside it stands the CPU that one call takes in all seven processes, which
says more on a machine that others use. Exit code 1 when a floor is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from node.admin.client import AdminClient
from node.admin.lines import ObjectLine
from node.admin.object_calls import ObjectRef
from node.cli.devnet_book import DevNode, load_book, save_book, spawn, stop
from node.cli.devnet_health import status_of, wait_answering, wait_each, wait_healthy
from node.cli.reach import node_at
from tests.bench.cpu import cpu_of
from tests.bench.devnet import maillon
from tests.bench.figures import Figure, show
from tests.support.delaying import Path as Wire
from tests.support.delaying import delaying

SIZE_BYTES = 4 * 1024
AT_A_TIME = 16
PUTS_PER_S = 500.0
GETS_PER_S = 1_500.0
ROUND_TRIPS = 1.3
SPEED_UP = 10.0


@dataclass(slots=True)
class Sink:
    """Counts the bytes that come."""

    size_bytes: int = 0

    async def begin(self, found: ObjectLine) -> None:
        self.size_bytes = 0

    async def write(self, data: memoryview) -> None:
        self.size_bytes += len(data)


@dataclass(slots=True)
class Source:
    """An object's bytes."""

    data: bytes
    sent: int = 0

    async def read_into(self, buffer: memoryview) -> int:
        part = self.data[self.sent : self.sent + len(buffer)]
        buffer[: len(part)] = part
        self.sent += len(part)
        return len(part)


@dataclass(slots=True)
class Pace:
    """How long each call took, and all of them together, in seconds; and the CPU of all processes meanwhile."""

    calls_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def per_s(self) -> float:
        return len(self.calls_s) / self.wall_s

    @property
    def cpu_ms(self) -> float:
        return 1_000 * self.cpu_s / len(self.calls_s)

    @property
    def median_s(self) -> float:
        return statistics.median(self.calls_s)


async def paced(
    call: Callable[[int], Awaitable[None]],
    numbers: Iterator[int],
    *,
    at_a_time: int,
    for_s: float,
    pids: tuple[int, ...] = (),
) -> Pace:
    """Call again and again for so long, so many at a time, with the processes `pids` working for it."""
    pace, cpu_s, began = Pace(), cpu_of(pids), time.monotonic()

    async def worker() -> None:
        while time.monotonic() - began < for_s:
            started = time.monotonic()
            await call(next(numbers))
            pace.calls_s.append(time.monotonic() - started)

    async with trio.open_nursery() as nursery:
        for _ in range(at_a_time):
            nursery.start_soon(worker)
    pace.wall_s, pace.cpu_s = time.monotonic() - began, cpu_of(pids) - cpu_s
    return pace


class Client:
    """4 KiB objects through one gateway."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._data = os.urandom(SIZE_BYTES)

    async def put(self, number: int) -> None:
        data = number.to_bytes(8, "big") + self._data[8:]
        await self._admin.put(_at(number), Source(data), size_bytes=SIZE_BYTES, moved=_unheard)

    async def get(self, number: int) -> None:
        sink = Sink()
        await self._admin.get(_at(number), sink, moved=_unheard)
        assert sink.size_bytes == SIZE_BYTES


async def near(client: Client, seconds: float, pids: tuple[int, ...]) -> list[Figure]:
    """Puts and gets a second, on loopback as it is."""
    written = itertools.count()
    await paced(client.put, written, at_a_time=AT_A_TIME, for_s=min(2.0, seconds))
    puts = await paced(client.put, written, at_a_time=AT_A_TIME, for_s=seconds, pids=pids)
    stored = next(written)
    again = itertools.cycle(range(stored))
    gets = await paced(client.get, again, at_a_time=AT_A_TIME, for_s=seconds, pids=pids)
    return [
        Figure("4 KiB puts a second, 16 at a time", puts.per_s, PUTS_PER_S, cpu_ms=puts.cpu_ms),
        Figure("4 KiB gets a second, 16 at a time", gets.per_s, GETS_PER_S, cpu_ms=gets.cpu_ms),
    ]


async def far(client: Client, seconds: float, rtt_s: float) -> list[Figure]:
    """With a round trip between the nodes."""
    written = itertools.count()
    await paced(client.put, written, at_a_time=1, for_s=2.0)
    one = await paced(client.put, written, at_a_time=1, for_s=seconds)
    many = await paced(client.put, written, at_a_time=AT_A_TIME, for_s=seconds)
    return [
        Figure("4 KiB put at the median, in round trips", one.median_s / rtt_s, most=ROUND_TRIPS),
        Figure("16 at a time over one at a time", many.per_s / one.per_s, least=SPEED_UP),
    ]


@contextmanager
def devnet(rtt_s: float) -> Iterator[Path]:
    """The gateway's folder of a six-node devnet; with a round trip, its nodes meet through delaying proxies."""
    with TemporaryDirectory(prefix="maillon-small-") as temporary:
        folder = Path(temporary, "devnet")
        up = maillon("devnet", "up", "--dir", str(folder), "--nodes", "6")
        gateway = next(node for node in up["nodes"] if node["name"] == up["namespace"]["gateway"])
        try:
            if not rtt_s:
                yield Path(gateway["dir"])
                return
            doors = trio.run(_step_back, folder)
            with delaying(doors, Wire(rtt_s / 2, rtt_s / 10)):
                trio.run(_start_again, folder)
                yield Path(gateway["dir"])
        finally:
            maillon("devnet", "down", "--dir", str(folder))


async def _step_back(folder: Path) -> list[tuple[int, int]]:
    """Stop all nodes and have them listen elsewhere, behind the address that everybody knows: (known, new) ports."""
    doors = []
    for node in load_book(folder).nodes:
        await stop(node, signal.SIGTERM)
        front = int(node.address.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", 0)) as opened:
            back = opened.getsockname()[1]
        _listen_behind(Path(node.dir, "maillon.toml"), node.address, back)
        doors.append((front, back))
    return doors


def _listen_behind(config: Path, known: str, back: int) -> None:
    told = config.read_text().replace(f'listen = "{known}"', f'listen = "127.0.0.1:{back}"')
    config.write_text(told.replace("advertise = []", f'advertise = ["{known}"]'))


async def _start_again(folder: Path) -> None:
    book = load_book(folder)
    for node in book.nodes:
        book = book.replaced(dataclasses.replace(node, pid=spawn(Path(node.dir))))
        save_book(folder, book)
    await wait_answering(book.nodes, timeout_s=60.0)
    await wait_healthy(book.nodes, timeout_s=60.0)
    await wait_each(book.nodes[:1], _serves, timeout_s=60.0)


async def _serves(node: DevNode) -> bool:
    status = await status_of(node)
    return status is not None and all(namespace.writable for namespace in status.namespaces)


async def measured(folder: Path, seconds: float, rtt_s: float) -> list[Figure]:
    async with node_at(folder) as admin:
        client = Client(admin)
        pids = (os.getpid(), *(node.pid for node in load_book(folder.parent).nodes))
        return await (far(client, seconds, rtt_s) if rtt_s else near(client, seconds, pids))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.small")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each measurement takes")
    parser.add_argument("--rtt-ms", type=float, default=0.0, help="round trip between nodes; 0: loopback as it is")
    options = parser.parse_args()
    with devnet(options.rtt_ms / 1000) as gateway:
        figures = trio.run(measured, gateway, options.seconds, options.rtt_ms / 1000)
    show("Small objects, six nodes", figures)
    return 0 if all(figure.held for figure in figures) else 1


def _at(number: int) -> ObjectRef:
    return ObjectRef("", "bench", f"small/{number:08d}")


def _unheard(_count: int) -> None:
    """Nobody watches the progress of 4 KiB."""


if __name__ == "__main__":
    sys.exit(main())
