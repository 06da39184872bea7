"""The S3 door: large objects in units, small ones a second, and what a range moves: `python -m tests.bench.s3`.

A six-node devnet at 4-of-6; the client is this process, and not counted. Large objects: the CPU of all nodes in
BLAKE2b of the same bytes, through TLS and with `bulk = "sealed"`. Small requests come over sixteen connections; a
rate is for a second of all nodes' CPU, so that neither a slow client nor a busy machine is in it. Exit code 1 when a
floor of docs/performance.md is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import socket
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from tests.bench.cpu import Measured, measure
from tests.bench.devnet import CODE, MIB, NODES, maillon
from tests.bench.figures import Figure, show
from tests.bench.small import AT_A_TIME, SIZE_BYTES, paced
from tests.support.s3_client import Account, Answer, S3Connection, account_of, connect

PART_BYTES = 16 * MIB
PARTS_AT_A_TIME = 4
RANGE_BYTES = 64 * 1024
LISTED = 1_000
# The most units of a put and a get, by how share bytes travel.
UNITS = {"tls": (6.5, 3.6), "sealed": (5.0, 2.8)}
PUTS_PER_CPU_S = 600.0
GETS_PER_CPU_S = 1_500.0
SLOWEST_OVER_MEDIAN = 10.0
RANGE_MOVES_BYTES = 1 * MIB


@dataclass(frozen=True, slots=True)
class Net:
    """A running devnet with a bucket."""

    account: Account
    pids: tuple[int, ...]


@contextmanager
def devnet(bulk: str) -> Iterator[Net]:
    with TemporaryDirectory(prefix="maillon-s3-") as temporary:
        folder = str(Path(temporary, "devnet"))
        with socket.create_server(("127.0.0.1", 0)) as opened:
            port = opened.getsockname()[1]
        arguments = ("--nodes", str(NODES), "--code", CODE, "--bulk", bulk, "--s3", f"127.0.0.1:{port}")
        up = maillon("devnet", "up", "--dir", folder, *arguments)
        try:
            net = Net(account_of(up), tuple(int(node["pid"]) for node in up["nodes"]))
            trio.run(_one, net, "PUT", "/bench")
            yield net
        finally:
            maillon("devnet", "down", "--dir", folder)


@asynccontextmanager
async def connections(net: Net, count: int) -> AsyncIterator[list[S3Connection]]:
    opened = [await connect(net.account) for _number in range(count)]
    try:
        yield opened
    finally:
        for one in opened:
            await one.aclose()


async def _one(net: Net, method: str, path: str) -> Answer:
    async with connections(net, 1) as (only,):
        return expect(await only.ask(method, path))


def expect(answer: Answer, status: int = 200) -> Answer:
    if answer.status != status:
        raise SystemExit(f"{answer.status}: {answer.body.decode(errors='replace')}")
    return answer


def large_path(number: int) -> str:
    """Each round puts an object of its own: one that is replaced costs its release too, whenever that comes."""
    return f"/bench/large-{number}"


async def put_large(net: Net, path: str, data: memoryview, size_bytes: int) -> None:
    """In parts, several at a time, with unsigned payloads."""
    async with connections(net, PARTS_AT_A_TIME) as opened:
        begun = expect(await opened[0].ask("POST", path, {"uploads": ""})).body
        upload = begun.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
        waiting = iter(range(1, size_bytes // PART_BYTES + 1))
        etags: dict[int, str] = {}

        async def worker(connection: S3Connection) -> None:
            for number in waiting:
                query = {"partNumber": str(number), "uploadId": upload}
                part = data[number * MIB : number * MIB + PART_BYTES]
                etags[number] = expect(await connection.ask("PUT", path, query, body=part)).headers["etag"]

        async with trio.open_nursery() as nursery:
            for connection in opened:
                nursery.start_soon(worker, connection)
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in sorted(etags.items())
        )
        whole = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        expect(await opened[0].ask("POST", path, {"uploadId": upload}, body=whole))


async def get_large(net: Net, path: str, size_bytes: int) -> None:
    async with connections(net, 1) as (only,):
        assert expect(await only.ask("GET", path, keeps=False)).size_bytes == size_bytes


def large(net: Net, bulk: str, size_bytes: int, rounds: int) -> Iterator[Figure]:
    """Puts and gets in units, the median of some rounds, and a put over an object that is there already."""
    data = memoryview(os.urandom(PART_BYTES + (size_bytes // PART_BYTES + 1) * MIB))

    def put(number: int) -> Measured:
        work = partial(trio.run, put_large, net, large_path(number), data, size_bytes)
        return measure("PUT", size_bytes, net.pids, work)

    def get(number: int) -> Measured:
        return measure("GET", size_bytes, net.pids, partial(trio.run, get_large, net, large_path(number), size_bytes))

    most_put, most_get = UNITS[bulk]
    size = f"{size_bytes // MIB} MiB, {bulk}, units"
    for name, most, call in (("PUT", most_put, put), ("GET", most_get, get)):
        units = statistics.median(call(number).units for number in range(rounds))
        yield Figure(f"{name} {size}", units, most=most)
    yield Figure(f"PUT over another, {size}", put(0).units)


async def ranges(net: Net, size_bytes: int) -> Figure:
    """What the loopback interface carries for one range, the client's own bytes too."""
    count = 32
    async with connections(net, 1) as (only,):
        quiet = await _carried(2.0)
        before, began = _loopback_bytes(), trio.current_time()
        for number in range(count):
            first = number * (size_bytes // count) + 12_345
            asked = {"range": f"bytes={first}-{first + RANGE_BYTES - 1}"}
            assert expect(await only.ask("GET", large_path(0), headers=asked), 206).size_bytes == RANGE_BYTES
        idle = quiet * (trio.current_time() - began)
        moved = (_loopback_bytes() - before - idle) / count
    return Figure("64 KiB of a large object, bytes moved in all", moved, most=RANGE_MOVES_BYTES)


async def _carried(for_s: float) -> float:
    """Bytes a second that the interface carries while nobody asks."""
    before = _loopback_bytes()
    await trio.sleep(for_s)
    return (_loopback_bytes() - before) / for_s


def _loopback_bytes() -> int:
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))


async def small(net: Net, seconds: float) -> list[Figure]:
    """Requests about small objects, each kind over all connections at once."""
    data = os.urandom(SIZE_BYTES)
    async with connections(net, AT_A_TIME) as opened:
        free = list(opened)

        def calls(
            method: str, *, query: dict[str, str] | None = None, body: bytes = b""
        ) -> Callable[[int], Awaitable[None]]:
            async def call(number: int) -> None:
                connection = free.pop()
                path = "/bench" if query else f"/bench/small/{number:08d}"
                expect(await connection.ask(method, path, query, body=body, keeps=False))
                free.append(connection)

            return call

        written = itertools.count()
        await paced(calls("PUT", body=data), written, at_a_time=AT_A_TIME, for_s=min(2.0, seconds))
        puts = await paced(calls("PUT", body=data), written, at_a_time=AT_A_TIME, for_s=seconds, pids=net.pids)
        known = itertools.cycle(range(next(written)))
        gets = await paced(calls("GET"), known, at_a_time=AT_A_TIME, for_s=seconds, pids=net.pids)
        heads = await paced(calls("HEAD"), known, at_a_time=AT_A_TIME, for_s=seconds, pids=net.pids)
        page = {"list-type": "2", "max-keys": str(LISTED), "prefix": "small/"}
        lists = await paced(calls("GET", query=page), known, at_a_time=4, for_s=seconds, pids=net.pids)
    figures = []
    for name, pace, floor in (
        ("4 KiB PUT", puts, PUTS_PER_CPU_S),
        ("4 KiB GET", gets, GETS_PER_CPU_S),
        ("HEAD", heads, None),
        (f"list of {LISTED}", lists, None),
    ):
        figures.append(Figure(f"{name} for a CPU second", 1_000 / pace.cpu_ms, floor))
        if floor is not None:
            slowest = statistics.quantiles(pace.calls_s, n=100)[98]
            ratio = Figure(f"{name}: p99 over p50", slowest / pace.median_s, most=SLOWEST_OVER_MEDIAN)
            figures.append(ratio)
        figures.append(Figure(f"{name} a second", pace.per_s))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.s3")
    parser.add_argument("--mib", type=int, default=1024, help="size of the large object")
    parser.add_argument("--rounds", type=int, default=3, help="puts and gets of it; the median counts")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each kind of small request takes")
    parser.add_argument("--small", action="store_true", help="small requests alone")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    figures: list[Figure] = []
    for bulk in () if options.small else UNITS:
        with devnet(bulk) as net:
            figures += large(net, bulk, options.mib * MIB, options.rounds)
            if bulk == "tls":
                figures.append(trio.run(ranges, net, options.mib * MIB))
    with devnet("tls") as net:  # one of its own: large objects that were replaced are still being released
        figures += trio.run(small, net, options.seconds)
    show(f"S3, {NODES} nodes at {CODE}", figures)
    if options.json:
        told = {figure.name: {"value": figure.value, "floor": figure.bound} for figure in figures}
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    return 0 if all(figure.held for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
