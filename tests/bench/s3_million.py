"""A million objects in one bucket, through the real door: `python -m tests.bench.s3_million`.

A six-node devnet at 4-of-6, whose bucket is filled by `tests.bench.s3_filling`. When its gateway has made its
checkpoint and has nothing left to do, it is started again, after a clean stop and after a kill, and asked over HTTP:
pages of a thousand keys at the bucket's begin, middle and end, with prefix and delimiter, of versions; and puts,
beside those of an empty devnet. A page's or a put's figure is the CPU of all six. Filling takes a quarter of an
hour, so `--dir` keeps the devnet, and measures one that is there already again. Exit code 1 when a bound of
docs/performance.md is missed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from node.cli.devnet_book import BOOK, Devnet, DevNode, load_book
from node.cli.devnet_health import status_of, wait_answering
from tests.bench.cpu import cpu_of
from tests.bench.devnet import CODE, NODES, maillon
from tests.bench.figures import Figure, show
from tests.bench.s3 import Net, connections, devnet, expect
from tests.bench.s3_filling import BUCKET, data_of, key_of
from tests.bench.small import AT_A_TIME, SIZE_BYTES, paced
from tests.support.processes import Town
from tests.support.s3_client import Account, S3Connection, connect

PAGE_CPU_MS = 50.0
# A page may cost so many times what the first one of its kind costs.
PAGE_OVER_FIRST = 1.5
RESTART_S = 5.0
MEMORY_MB = 300.0
PAGES = 20
# A rate within a fifth of the empty one's.
PUT_OVER_EMPTY = 1.25
PUTS_FOR_S = 5.0
PUT_ROUNDS = 5
WITHIN_S = 60.0
SETTLED_WITHIN_S = 1_800.0
# All six processes do nothing but keep in touch.
QUIET_CPU_SHARE = 0.15
QUIET_FOR_S = 10.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of page: what is asked, and where pages begin (a key after which to go on)."""

    name: str
    query: dict[str, str]
    marker: str
    starts: tuple[str, ...]
    counted: bytes


V2 = {"list-type": "2"}
VERSIONS = {"versions": ""}
ALL = {"delimiter": "/"}
BELOW = {"prefix": "p/", "delimiter": "/"}
KEYS, COMMON, VERSION = b"<Contents>", b"<CommonPrefixes>", b"<Version>"
KINDS = (
    Kind("keys", V2, "start-after", ("", "p/7ff/", "p/fe0/"), KEYS),
    Kind("keys of a folder", V2 | {"prefix": "p/800/", "delimiter": "/"}, "start-after", ("",), KEYS),
    Kind("one common prefix of all", V2 | ALL, "start-after", ("",), COMMON),
    Kind("common prefixes", V2 | BELOW, "start-after", ("", "p/7ff/", "p/bff/"), COMMON),
    Kind("versions", VERSIONS, "key-marker", ("", "p/7ff/0", "p/fe0/0"), VERSION),
    Kind("common prefixes of versions", VERSIONS | BELOW, "key-marker", ("", "p/7ff/"), COMMON),
)


class Bench:
    """One devnet and its bucket."""

    def __init__(self, town: Town, account: Account, objects: int, empty: Net) -> None:
        self._town = town
        self._account = account
        self._objects = objects
        self._empty = empty

    @property
    def _book(self) -> Devnet:
        return load_book(self._town.folder)

    @property
    def _gateway(self) -> DevNode:
        assert self._book.namespace is not None
        return self._book.node(self._book.namespace.gateway)

    async def measure(self, *, is_filled: bool) -> list[Figure]:
        figures = []
        if not is_filled:
            await self._prepare()
            figures.append(Figure("filling, s (no part of the promise)", await self._fill()))
        await self._settled()
        for name, end in (("a clean stop", signal.SIGTERM), ("a kill -9", signal.SIGKILL)):
            figures.append(Figure(f"first GET after {name}, s", await self._restart(end), most=RESTART_S))
            figures.append(Figure(f"CPU of the gateway until then, after {name}, s", cpu_of([self._gateway.pid])))
        figures.append(Figure("resident then, MB", self._resident_mb("VmRSS"), most=MEMORY_MB))
        connection = await connect(self._account)
        for kind in KINDS:
            figures += await self._pages(connection, kind)
        figures.append(await self._reads(connection))
        await connection.aclose()
        figures += await self._puts()
        figures.append(Figure("most resident of all this, MB", self._resident_mb("VmHWM"), most=MEMORY_MB))
        return figures

    async def _settled(self) -> None:
        """All is packed and stands in tables, and nobody has anything to do."""
        with trio.fail_after(SETTLED_WITHIN_S):
            while True:
                cpu_s = cpu_of(self._pids)
                await trio.sleep(QUIET_FOR_S)
                is_quiet = cpu_of(self._pids) - cpu_s < QUIET_CPU_SHARE * QUIET_FOR_S
                status = await status_of(self._gateway)
                if is_quiet and status is not None and all(one.settled for one in status.namespaces):
                    return

    async def _prepare(self) -> None:
        """A bucket that keeps versions."""
        connection = await connect(self._account)
        expect(await connection.ask("PUT", f"/{BUCKET}"))
        told = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        expect(await connection.ask("PUT", f"/{BUCKET}", {"versioning": ""}, body=told))
        await connection.aclose()

    async def _fill(self) -> float:
        name = self._gateway.name
        await self._town.terminate(name)
        command = [sys.executable, "-m", "tests.bench.s3_filling", "--dir", self._gateway.dir]
        began_s = time.monotonic()
        await trio.run_process([*command, "--objects", str(self._objects)])
        filled_s = time.monotonic() - began_s
        self._town.spawn(name)
        await self._answers()
        return filled_s

    async def _restart(self, end: signal.Signals) -> float:
        """Seconds from the start of the process to the first object read over HTTP."""
        name = self._gateway.name
        if end is signal.SIGKILL:
            await self._town.kill(name)
        else:
            await self._town.terminate(name)
        began_s = time.monotonic()
        self._town.spawn(name)
        await self._answers()
        return time.monotonic() - began_s

    async def _answers(self) -> None:
        with trio.fail_after(WITHIN_S):
            while True:
                try:
                    connection = await connect(self._account)
                    found = await connection.ask("GET", f"/{BUCKET}/{key_of(1)}")
                    await connection.aclose()
                    if found.status == 200:
                        assert found.body == data_of(1)
                        return
                except OSError:
                    pass
                await trio.sleep(0.02)

    async def _pages(self, connection: S3Connection, kind: Kind) -> list[Figure]:
        first_ms = 0.0
        figures = []
        for start in kind.starts:
            query = {**kind.query, "max-keys": "1000", **({kind.marker: start} if start else {})}
            page = expect(await connection.ask("GET", f"/{BUCKET}", query))
            cpu_s = cpu_of(self._pids)
            for _ in range(PAGES):
                expect(await connection.ask("GET", f"/{BUCKET}", query, keeps=False))
            page_ms = 1_000 * (cpu_of(self._pids) - cpu_s) / PAGES
            count = page.body.count(kind.counted)
            most = min(PAGE_CPU_MS, max(PAGE_OVER_FIRST * first_ms, 5.0)) if first_ms else PAGE_CPU_MS
            figures.append(Figure(f"{kind.name} ({count}) after {start or 'nothing'}, CPU ms", page_ms, most=most))
            first_ms = first_ms or page_ms
        return figures

    async def _reads(self, connection: S3Connection) -> Figure:
        """Objects from all over, read and compared."""
        count = 300
        cpu_s = cpu_of(self._pids)
        for at in range(count):
            number = at * 7_919 % self._objects
            assert expect(await connection.ask("GET", f"/{BUCKET}/{key_of(number)}")).body == data_of(number)
        return Figure("GET of an object, CPU ms", 1_000 * (cpu_of(self._pids) - cpu_s) / count)

    async def _puts(self) -> list[Figure]:
        """By turns with an empty devnet: a machine that others use too differs by more from minute to minute."""
        here = Net(self._account, self._pids)
        pairs = [
            (await put_cpu_ms(self._empty, "/bench"), await put_cpu_ms(here, f"/{BUCKET}/p"))
            for _ in range(PUT_ROUNDS)
        ]
        ratio = statistics.median(put_ms / empty_ms for empty_ms, put_ms in pairs)
        return [
            Figure("4 KiB PUT, CPU ms", statistics.median(put_ms for _empty_ms, put_ms in pairs)),
            Figure("over one into an empty devnet", ratio, most=PUT_OVER_EMPTY),
        ]

    @property
    def _pids(self) -> tuple[int, ...]:
        return tuple(node.pid for node in self._book.nodes)

    def _resident_mb(self, field: str) -> float:
        status = Path(f"/proc/{self._gateway.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) / 1_000


async def put_cpu_ms(net: Net, folder: str) -> float:
    """The CPU of all nodes for a put, many at a time, whose keys fall anywhere among those that are there."""
    data, salt = os.urandom(SIZE_BYTES), os.urandom(4).hex()
    async with connections(net, AT_A_TIME) as opened:
        free = list(opened)

        async def put(number: int) -> None:
            connection = free.pop()
            place = number * 7_919 % 4_096
            expect(await connection.ask("PUT", f"{folder}/{place:03x}/{salt}{number}", body=data, keeps=False))
            free.append(connection)

        numbers = itertools.count()
        await paced(put, numbers, at_a_time=AT_A_TIME, for_s=2.0)
        return (await paced(put, numbers, at_a_time=AT_A_TIME, for_s=PUTS_FOR_S, pids=net.pids)).cpu_ms


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.s3_million")
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--dir", type=Path, help="keep the devnet here; one that is there is measured again")
    options = parser.parse_args()
    with devnet("tls") as empty, TemporaryDirectory(prefix="maillon-s3-million-") as temporary:
        folder = (options.dir or Path(temporary)) / "devnet"
        is_filled = (folder / BOOK).exists()
        if not is_filled:
            terms = ("--nodes", str(NODES), "--code", CODE, "--s3", "127.0.0.1:0")
            maillon("devnet", "up", "--dir", str(folder), *terms)
        town = Town(folder)
        try:
            figures = trio.run(partial(measured, town, options.objects, empty, is_filled=is_filled))
        finally:
            trio.run(town.kill, *town.names)
    show(f"{options.objects} objects in a bucket, {NODES} nodes at {CODE}", figures)
    return 0 if all(figure.held for figure in figures) else 1


async def measured(town: Town, objects: int, empty: Net, *, is_filled: bool) -> list[Figure]:
    dead = [name for name in town.names if not town.is_alive(name)]
    await wait_answering([town.spawn(name) for name in dead], timeout_s=WITHIN_S)
    s3 = load_book(town.folder).s3
    assert s3 is not None
    account = Account(s3.endpoint, s3.region, s3.access_key, s3.secret_key)
    return await Bench(town, account, objects, empty).measure(is_filled=is_filled)


if __name__ == "__main__":
    sys.exit(main())
