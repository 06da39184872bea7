"""How fast the world of `sim` goes when little happens in it: simulated seconds for each second of CPU.

A federation settles, meets until every pair is connected, and is then left alone but for its probes. `--day` plays
the shipped scenario of a day instead, once, whole. The shares say where the CPU goes, by a profile of a short slice:
a profiler makes calls dearer than what is between them, so they are shares and nothing else.
"""

from __future__ import annotations

import argparse
import cProfile
import math
import pstats
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

import trio
from rich.console import Console
from rich.table import Table

from sim.federation.federation import Federation
from sim.host.scheduling import run_deterministically
from sim.host.trace import Trace
from sim.host.world import World
from sim.oracle.healing import missing
from sim.run.play import conditions_of, play
from sim.run.saying import heard
from sim.run.thrift import thrift
from sim.scenario.model import Scenario
from sim.scenario.reading import load

SCENARIO: Final = "quiet-day"
_SLICE_S: Final = 120.0
_LOOK_EVERY_S: Final = 0.5

# What stands in a path, and what it counts as; the first that fits.
_PARTS: Final = (
    ("/trio/", "trio"),
    ("methods trio.", "trio"),
    ("methods outcome.", "trio"),
    ("/outcome/", "trio"),
    ("/contextlib.py", "trio"),
    ("/sim/host/", "wires and clock"),
    ("/node/net/", "node/net"),
    ("/node/", "the rest of node"),
    ("/protocol/wire/", "messages"),
    ("/protocol/", "the rest of protocol"),
)
_CRYPTO: Final = ("_sodium", "blake3", "hashlib", "nacl")


@dataclass(frozen=True, slots=True)
class Pace:
    """How a federation of `nodes` went. `share` is percent of CPU by part."""

    nodes: int
    settling_cpu_s: float
    seconds_per_cpu_s: float
    probe_cpu_ms: float
    share: dict[str, float]


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.world")
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 300], help="sizes of federations")
    parser.add_argument("--seconds", type=float, default=600.0, help="virtual seconds to measure")
    parser.add_argument("--day", action="store_true", help="play the shipped scenario of a day, whole")
    options = parser.parse_args()
    if options.day:
        return play_day(load(SCENARIO))
    with thrift():
        show([pace(load(SCENARIO), nodes, options.seconds) for nodes in options.nodes])
    return 0


def play_day(scenario: Scenario) -> int:
    """1 when a promise was broken."""
    outcome = play(scenario, 1, ())
    print(f"{outcome.virtual_s:.0f} virtual s in {outcome.cpu_s / 60:.1f} CPU minutes, {outcome.events} events")
    return 1 if outcome.violations else 0


def pace(scenario: Scenario, nodes: int, seconds: float) -> Pace:
    """Of the scenario with so many nodes."""
    organisations = min(nodes, scenario.federation.organisations)
    federation = replace(scenario.federation, nodes=nodes, organisations=organisations)
    return run_deterministically(1, _measure, replace(scenario, federation=federation), seconds)


async def _measure(scenario: Scenario, seconds: float) -> Pace:
    nodes, probe_interval_s = scenario.federation.nodes, scenario.node.gossip.probe_interval_s
    trace = Trace()
    with heard(trace):
        world = World(1, conditions_of(scenario), trace)
        async with trio.open_nursery() as nursery:
            began_s = time.process_time()
            await _settle(Federation(scenario, world, nursery))
            await trio.sleep(nodes * probe_interval_s)  # by then everybody has probed everybody once
            settled_s = time.process_time()
            await trio.sleep(seconds)
            cpu_s = time.process_time() - settled_s
            profile = cProfile.Profile()
            with profile:
                await trio.sleep(min(seconds, _SLICE_S))
            nursery.cancel_scope.cancel()
    probes = nodes * seconds / probe_interval_s
    return Pace(nodes, settled_s - began_s, seconds / cpu_s, 1000 * cpu_s / probes, shares(profile))


async def _settle(federation: Federation) -> None:
    await federation.settle_in()
    async with trio.open_nursery() as nursery:
        for name in federation.names:
            nursery.start_soon(federation.start, name)
    while await missing(federation, ()):  # noqa: ASYNC110 - on virtual time
        await trio.sleep(_LOOK_EVERY_S)


def shares(profile: cProfile.Profile) -> dict[str, float]:
    """Percent of the time by part, the largest first. What is built in counts for whoever calls it."""
    spent: Counter[str] = Counter()
    table: dict[tuple[str, int, str], Any] = vars(pstats.Stats(profile))["stats"]
    for function, (_calls, _all_calls, own_s, _with_callees_s, callers) in table.items():
        if function[0] == "~" and not _is_crypto(function) and callers:
            for caller, (_, _, there_s, _) in callers.items():
                spent[_part_of(caller)] += there_s
        else:
            spent[_part_of(function)] += own_s
    whole_s = sum(spent.values()) or math.inf
    return {part: 100 * own_s / whole_s for part, own_s in spent.most_common()}


def _is_crypto(function: tuple[str, int, str]) -> bool:
    return any(word in function[0] or word in function[2] for word in _CRYPTO)


def _part_of(function: tuple[str, int, str]) -> str:
    if _is_crypto(function):
        return "hashes and signatures"
    return next((name for beginning, name in _PARTS if beginning in function[0]), "other")


def show(rows: list[Pace]) -> None:
    """The table."""
    parts = list(dict.fromkeys(part for row in rows for part in row.share))
    table = Table(title=f"The world of {SCENARIO}")
    for heading in (
        "nodes",
        "settling, CPU s",
        "virtual s per CPU s",
        "CPU ms per probe",
        *(f"{p}, %" for p in parts),
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        shown = (f"{row.share.get(part, 0):.0f}" for part in parts)
        figures = (f"{row.settling_cpu_s:.1f}", f"{row.seconds_per_cpu_s:.0f}", f"{row.probe_cpu_ms:.2f}")
        table.add_row(str(row.nodes), *figures, *shown)
    Console(width=150).print(table)


if __name__ == "__main__":
    sys.exit(main())
