"""A node with many shares, started again: `python -m tests.bench.restart`.

A node is made and founds a federation of its own, as the commands do; its store is filled with small shares through
the store's own door, and closed. Then the process is started, and the clock stops when it answers on its admin
socket: after a clean stop, after a kill, and, for comparison, with its index lost. Exit code 1 when a bound is
missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from node.admin.client import open_client
from node.config import LogSection
from node.config_file import FILE_NAME, load
from node.host.real import real_host
from node.logs import configure
from node.settings import store_config
from node.store.shares import ShareFacts
from node.store.store import Store
from protocol.errors import Unavailable
from protocol.ids import ID_BYTES, BlockId, NamespaceId
from tests.bench.devnet import maillon
from tests.support.shares import make_block

SHARES = 100_000
BOUND_S = 2.0
BATCH = 500
SHARE_BYTES = 100


@dataclass(frozen=True, slots=True)
class Found:
    """One start; `bound_s` None when nothing is demanded of it."""

    name: str
    wall_s: float
    cpu_s: float
    bound_s: float | None

    @property
    def held(self) -> bool:
        return self.bound_s is None or self.wall_s <= self.bound_s


async def fill(folder: Path, shares: int) -> None:
    """Keep so many shares; their labels are those of one block, as the store does not judge labels."""
    host = real_host(folder)
    store = Store(host, store_config(load(folder / FILE_NAME)))
    like, namespace = make_block(1, size_bytes=SHARE_BYTES).facts(0), NamespaceId(os.urandom(ID_BYTES))
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        for _ in range(shares // BATCH):
            batch = [
                (
                    ShareFacts(BlockId(os.urandom(ID_BYTES)), 0, namespace, like.label, like.proof),
                    os.urandom(SHARE_BYTES),
                )
                for _ in range(BATCH)
            ]
            assert not any(await store.put_several(batch))
        nursery.cancel_scope.cancel()


async def answers(folder: Path) -> None:
    """Wait until the node answers."""
    host = real_host(folder)
    while True:
        try:
            async with open_client(folder, host.network, host.entropy):
                return
        except Unavailable:
            await trio.sleep(0.01)


def started(name: str, folder: Path, end: signal.Signals, bound_s: float | None) -> Found:
    """Start the process, stop the clock when it answers, and end it."""
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "node", "--dir", str(folder), "node", "run"], stderr=subprocess.DEVNULL
    )
    trio.run(answers, folder)
    wall_s = time.monotonic() - began_s
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    process.send_signal(end)
    process.wait()
    return Found(name, wall_s, cpu_s, bound_s)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.restart")
    parser.add_argument("--shares", type=int, default=SHARES, help="how many the node keeps")
    options = parser.parse_args()
    configure(LogSection(level="warning"))
    with TemporaryDirectory(prefix="maillon-restart-") as temporary:
        folder = Path(temporary, "n1")
        with socket.create_server(("127.0.0.1", 0)) as free:
            listen = f"127.0.0.1:{free.getsockname()[1]}"
        here = ("--dir", str(folder))
        maillon(*here, "init", "--organisation", "alone", "--name", "n1", "--zone", "here", "--listen", listen)
        maillon(*here, "federation", "found", "--name", "alone")
        trio.run(fill, folder, options.shares)
        found = [
            started("the first start", folder, signal.SIGTERM, None),
            started("after a clean stop", folder, signal.SIGKILL, BOUND_S),
            started("after kill -9", folder, signal.SIGTERM, BOUND_S),
        ]
        shutil.rmtree(folder / "index")
        found.append(started("with its index lost", folder, signal.SIGTERM, None))
    for each in found:
        bound = "" if each.bound_s is None else f"  (at most {each.bound_s:g} s)"
        sys.stdout.write(f"{each.name}: {each.wall_s:.2f} s, {each.cpu_s:.2f} s of CPU{bound}\n")
    return 0 if all(each.held for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
