"""The soak: `python -m tests.soak`, or `make soak`.

Sixty-four clients work at the S3 door of a six-node devnet for ten minutes, four of them boto3, while every minute a
node is killed (-9) and started again: holders, and the gateway itself. At the end every acknowledged object is read
and compared. Exit code 1 when a client met an error that its own retries did not absorb, when anything acknowledged
was lost or shown otherwise, when a node's memory grew, or when a process died by itself.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from rich.console import Console
from rich.table import Table

from node.cli.devnet_book import load_book
from node.cli.devnet_health import wait_answering
from tests.soak.asking import BUCKET, Tally
from tests.soak.boto import BotoStore
from tests.soak.client import Client, Done
from tests.soak.lean import LeanStore
from tests.soak.memory import MB, Memory
from tests.support.processes import Town, town
from tests.support.s3_client import Account, connect

BOTO_CLIENTS = 4
SAMPLED_EVERY_S = 2.0
KILLED_EVERY_S = 60.0
# A holder stays away for a while; a gateway is started again as a supervisor does it.
AWAY_S = 15.0
GATEWAY_AWAY_S = 1.0
STARTED_WITHIN_S = 60.0


class Soak:
    """One run."""

    def __init__(self, made: Town, account: Account, minutes: float, seed: int, spared: str) -> None:
        self._town = made
        self._spared = spared
        self._account = account
        self._minutes = minutes
        self._seed = seed
        self._began_s = 0.0
        self.tally = Tally()
        self.done = Done()
        self.memory = Memory()
        self.deaths: list[str] = []

    async def run(self, clients: int) -> None:
        """All of it; what was found is in the fields."""
        everybody = [Client(number, self._store(number), self.done, self._seed) for number in range(clients)]
        connection = await connect(self._account)
        assert (await connection.ask("PUT", f"/{BUCKET}")).status == 200
        await connection.aclose()
        self._began_s = trio.current_time()
        async with trio.open_nursery() as watching:
            watching.start_soon(self._sample)
            async with trio.open_nursery() as working:
                working.start_soon(self._kill_in_turn)
                for client in everybody:
                    working.start_soon(client.work, self._began_s + 60 * self._minutes)
            async with trio.open_nursery() as reading:
                for client in everybody:
                    reading.start_soon(client.read_all)
            watching.cancel_scope.cancel()

    def _store(self, number: int) -> BotoStore | LeanStore:
        if number < BOTO_CLIENTS:
            return BotoStore(self._account, self.tally)
        return LeanStore(self._account, self.tally, random.Random(self._seed * 7_919 + number))

    async def _sample(self) -> None:
        while True:
            for node in load_book(self._town.folder).nodes:
                self.memory.sample(node.name, node.pid, trio.current_time() - self._began_s)
            await trio.sleep(SAMPLED_EVERY_S)

    async def _kill_in_turn(self) -> None:
        """In every minute one node, the gateway among the first two, and everything runs again at the end."""
        names = self._town.names
        names[0], names[1] = names[1], names[0]
        names = [name for name in names if name != self._spared]
        gateway = load_book(self._town.folder).namespace
        assert gateway is not None
        for minute in range(int(self._minutes * 60 / KILLED_EVERY_S)):
            await trio.sleep_until(self._began_s + KILLED_EVERY_S * (minute + 0.5))
            for name in self._town.names:
                if not self._town.is_alive(name):
                    self.deaths.append(name)
            name = names[minute % len(names)]
            await self._town.kill(name)
            await trio.sleep(GATEWAY_AWAY_S if name == gateway.gateway else AWAY_S)
            began_s = trio.current_time()
            await wait_answering([self._town.spawn(name)], timeout_s=STARTED_WITHIN_S)
            told = f"{began_s - self._began_s:5.0f} s: {name} was killed; it answered {{:.1f}} s after its start\n"
            sys.stderr.write(told.format(trio.current_time() - began_s))

    def show(self, took_s: float) -> bool:
        """Print what was found; whether all of it is good."""
        calls = sum(map(len, self.done.calls_s.values()))
        console = Console(width=118)
        table = Table(title=f"{calls} pieces of work, {calls / took_s:.0f} a second")
        for heading in ("work", "how often", "median, ms", "p99, ms", "slowest, s"):
            table.add_column(heading, justify="left" if heading == "work" else "right")
        for name, calls_s in sorted(self.done.calls_s.items()):
            p99_s = statistics.quantiles(calls_s, n=100)[98] if len(calls_s) > 1 else calls_s[0]
            figures = f"{1e3 * statistics.median(calls_s):.0f}", f"{1e3 * p99_s:.0f}", f"{max(calls_s):.1f}"
            table.add_row(name, str(len(calls_s)), *figures)
        console.print(table)
        console.print("attempts a request took: ", dict(sorted(self.tally.attempts.items())))
        console.print("why others were needed: ", dict(self.tally.causes.most_common()))
        grown = self.memory.grown(self._minutes)
        table = Table(title="resident memory, MB")
        for heading in ("node", "minutes", "second minute", "last minute", "most", ""):
            table.add_column(heading, justify="left" if heading == "node" else "right")
        for one in grown:
            sizes = (f"{size / MB:.0f}" for size in (one.second_bytes, one.last_bytes, one.most_bytes))
            table.add_row(one.name, f"{one.minutes:.1f}", *sizes, "flat" if one.is_flat else "GREW")
        console.print(table)
        for title, problems in (
            ("not absorbed", self.done.unabsorbed), ("wrong", self.done.wrong), ("died by itself", self.deaths)
        ):  # fmt: skip
            console.print(f"{title}: {len(problems)}", *problems[:20], sep="\n  ", markup=False)
        is_good = not (self.done.unabsorbed or self.done.wrong or self.deaths)
        return is_good and all(one.is_flat for one in grown)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1, help="of what the clients do")
    parser.add_argument("--spare", default="", help="a node that is not killed, so that its memory can be watched")
    parser.add_argument("--keep", type=Path, help="where to copy the nodes' logs to")
    options = parser.parse_args()
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(TemporaryDirectory(prefix="maillon-soak-")))
        made = stack.enter_context(town(temporary / "devnet", "--code", "4/6", "--s3", "127.0.0.1:0"))
        s3 = load_book(made.folder).s3
        assert s3 is not None
        account = Account(s3.endpoint, s3.region, s3.access_key, s3.secret_key)
        soak, began_s = Soak(made, account, options.minutes, options.seed, options.spare), time.monotonic()
        trio.run(partial(soak.run, options.clients))
        is_good = soak.show(time.monotonic() - began_s)
        for name in made.names if options.keep else ():
            options.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(made.dir(name) / "node.log", options.keep / f"{name}.log")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
