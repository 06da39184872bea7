"""Puts and gets of one large object through a six-node devnet at 4-of-6, all processes counted.

Prints a table and writes bench.json. Exit code 1 when a floor of docs/performance.md is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.bench.cpu import Measured, measure
from tests.bench.devnet import CODE, MIB, NODES, maillon


@dataclass(frozen=True, slots=True)
class Floor:
    """The most units that a measurement may take."""

    name: str
    units: float


FLOORS = {
    "tls": (Floor("put", 5.5), Floor("get", 3.2), Floor("get, two nodes dead", 4.0)),
    "sealed": (Floor("put, sealed bulk", 3.8), Floor("get, sealed bulk", 2.6)),
}


@dataclass(frozen=True, slots=True)
class Devnet:
    """A running devnet and the object's file."""

    folder: Path
    pids: dict[str, int]
    gateway: Path
    gateway_name: str
    object_file: Path
    size_bytes: int

    def put(self, key: str) -> None:
        maillon("--dir", str(self.gateway), "put", str(self.object_file), f"bench/{key}")

    def get(self, key: str) -> None:
        target = self.object_file.with_name("back")
        maillon("--dir", str(self.gateway), "get", f"bench/{key}", str(target), "--force")

    def kill_two(self) -> list[int]:
        """Kill two nodes that are not the gateway; the pids of the others."""
        victims = [name for name in self.pids if name != self.gateway_name][-2:]
        for name in victims:
            maillon("devnet", "kill", name, "--dir", str(self.folder))
        return [pid for name, pid in self.pids.items() if name not in victims]


def main() -> int:
    """Measure everything; 1 when a floor is missed."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--mib", type=int, default=1024, help="size of the object")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where to write the figures")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind; the median counts")
    options = parser.parse_args()
    rows: list[tuple[Floor, Measured]] = []
    for bulk in FLOORS:
        with devnet(bulk, options.mib * MIB) as net:
            rows += list(run(net, bulk, options.rounds))
    show(rows)
    figures = [{**dataclasses.asdict(row), "units": round(row.units, 3), "floor": floor.units} for floor, row in rows]
    options.json.write_text(json.dumps({"nodes": NODES, "code": CODE, "results": figures}, indent=2) + "\n")
    return 0 if all(row.units <= floor.units for floor, row in rows) else 1


def run(net: Devnet, bulk: str, rounds: int) -> Iterator[tuple[Floor, Measured]]:
    """The measurements of one devnet, each the median of its rounds."""
    pids = list(net.pids.values())
    put, get, *degraded = FLOORS[bulk]
    yield put, median(put.name, rounds, lambda number: (pids, lambda: net.put(f"object-{number}")), net.size_bytes)
    yield get, median(get.name, rounds, lambda number: (pids, lambda: net.get("object-0")), net.size_bytes)
    if degraded:
        living = net.kill_two()
        (dead,) = degraded
        yield dead, median(dead.name, rounds, lambda number: (living, lambda: net.get("object-0")), net.size_bytes)


def median(
    name: str, rounds: int, prepare: Callable[[int], tuple[list[int], Callable[[], None]]], size_bytes: int
) -> Measured:
    """The measurement in the middle, by units."""
    found = []
    for number in range(rounds):
        pids, work = prepare(number)
        found.append(measure(name, size_bytes, pids, work))
    return sorted(found, key=lambda one: one.units)[len(found) // 2]


def show(rows: list[tuple[Floor, Measured]]) -> None:
    """The table."""
    table = Table(title=f"CPU of all processes, {NODES} nodes at {CODE}; unit: BLAKE2b over the same bytes")
    for heading in ("measurement", "units", "floor", "CPU s", "unit s", "wall s", "MB/s"):
        table.add_column(heading, justify="left" if heading == "measurement" else "right")
    for floor, row in rows:
        style = "" if row.units <= floor.units else "bold red"
        figures = (row.units, floor.units, row.cpu_s, row.unit_s, row.wall_s, row.size_bytes / row.wall_s / 1e6)
        table.add_row(row.name, *(f"{figure:.2f}" for figure in figures), style=style)
    Console(width=110).print(table)


@contextmanager
def devnet(bulk: str, size_bytes: int) -> Iterator[Devnet]:
    """A fresh federation with a file of incompressible bytes beside it."""
    with TemporaryDirectory(prefix="maillon-bench-") as temporary:
        folder, object_file = Path(temporary, "devnet"), Path(temporary, "object")
        with object_file.open("wb") as file:
            for _ in range(size_bytes // MIB):
                file.write(os.urandom(MIB))
        arguments = ("--nodes", str(NODES), "--code", CODE, "--bulk", bulk)
        up = maillon("devnet", "up", "--dir", str(folder), *arguments)
        try:
            gateway = next(node for node in up["nodes"] if node["name"] == up["namespace"]["gateway"])
            pids = {node["name"]: int(node["pid"]) for node in up["nodes"]}
            yield Devnet(folder, pids, Path(gateway["dir"]), gateway["name"], object_file, size_bytes)
        finally:
            maillon("devnet", "down", "--dir", str(folder))


if __name__ == "__main__":
    sys.exit(main())
