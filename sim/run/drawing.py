"""A scenario drawn from a seed: another federation, network, workload, timers and kinds of fault each time.

What is drawn is the text of a scenario's file, so that a run that fails can be looked at, changed and played again as
any other. All that is drawn is within what a federation promises to bear: no more nodes away at one time than blocks
and journals bear, no more disks lost than the margin of a block that was just acknowledged.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Final

from sim.host.streams import stream

# Latencies from and to, in milliseconds, and the chances that a dial fails and a message breaks its connection.
_NETWORKS: Final = ((1, 5, 0.0, 0.0), (5, 40, 0.0, 0.0), (20, 150, 0.001, 0.0005), (40, 400, 0.01, 0.002))
_HEAL_WITHIN_S: Final = 400.0
_SHORT_S: Final = 5.0

Section = Mapping[str, int | float | str]


def drawn(seed: int) -> str:
    """The text of the scenario that this seed stands for."""
    numbers = stream(seed, "scenario")
    safety_s = numbers.choice((10.0, 15.0, 25.0, 40.0))
    gossip = {
        "suspicion_s": numbers.choice((1.0, 2.0, 4.0)),
        "reconcile_interval_s": numbers.choice((3.0, 10.0)),
        "probe_interval_s": numbers.choice((0.5, 1.0)),
    }
    sections: dict[str, Section] = {
        "federation": _federation(numbers),
        "network": _network(numbers),
        "node.store": {"volume_size": numbers.choice(("1 MB", "8 MB", "1 GiB"))},
        "node.vault": _vault(numbers),
        "node.gossip": gossip,
        "workload": _workload(numbers),
        "phases": {"safety_s": safety_s, "heal_within_s": _HEAL_WITHIN_S, "check_every_s": 3.0},
        "chance": _chance(numbers, safety_s),
    }
    return _text(f"swarm-{seed}", sections)


def drawn_short(seed: int) -> str:
    """One of few nodes and few calls, with timers so quick that what takes minutes comes about within seconds."""
    numbers = stream(seed, "short scenario")
    nodes = numbers.choice((3, 4, 4, 5))
    chance: dict[str, int | float | str] = {"down_s": 1.5, "lasting_s": 1.5}
    for kind in ("kill", "power", "partition", "lossy", "disk", "slow", "clock"):
        if numbers.random() < 0.4:
            chance[f"{kind}_every_s"] = numbers.choice((_SHORT_S, _SHORT_S / 3))
    sections: dict[str, Section] = {
        "federation": {"nodes": nodes},
        "node.vault": {
            "complete_after_s": 1.0,
            "straggler_wait_s": 0.2,
            "pack_every_s": numbers.choice((2.0, 10.0)),
            "checkpoint_after_s": numbers.choice((2.0, 600.0)),
            "settle_after_s": numbers.choice((1.0, 600.0)),
            "release_every_s": 1.0,
            "journal_lease_s": numbers.choice((1.0, 4.0)),
            "journal_repair_after_s": 4.0,
            "put_deadline_s": 4.0,
            "get_deadline_s": 4.0,
            "retry_s": 0.5,
        },
        "node.gossip": {"suspicion_s": 1.0, "reconcile_interval_s": 4.0},
        "node.transport": {"backoff_most_s": 2.0, "ping_every_s": 3.0, "silent_after_s": 8.0},
        "workload": {"clients": 1, "pause_s": 0.4, "keys": 3, "large": "150 kB", "puts": 5, "gets": 3, "removes": 2},
        "phases": {"safety_s": _SHORT_S, "heal_within_s": _HEAL_WITHIN_S, "check_every_s": 3.0},
        "chance": chance,
    }
    return _text(f"short-{seed}", sections)


def _text(name: str, sections: Mapping[str, Section]) -> str:
    lines = [f'name = "{name}"', 'summary = "Drawn by the swarm."']
    for heading, section in sections.items():
        lines += ["", f"[{heading}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def _federation(numbers: random.Random) -> Section:
    """From three nodes, of as many organisations or of fewer, with the preset's code or another."""
    nodes = numbers.randint(3, 9)
    drawn: dict[str, int | float | str] = {"nodes": nodes, "gateways": numbers.choice((1, 1, 2, min(3, nodes)))}
    k, n = _code(numbers, nodes)
    if numbers.random() < 0.5:
        drawn |= {"code": f"{k}/{n}", "margin": numbers.randint(1, n - k)}
        shared = [count for count in range(2, nodes) if _fits(nodes, count, k, n)]
        if shared and numbers.random() < 0.5:
            drawn["organisations"] = drawn["zones"] = numbers.choice(shared)
    return drawn


def _code(numbers: random.Random, nodes: int) -> tuple[int, int]:
    n = numbers.randint(2, nodes)
    return numbers.randint(1, n - 1), n


def _fits(nodes: int, groups: int, k: int, n: int) -> bool:
    """Whether n shares find a place, with one node away, when nodes are dealt to so many groups in turn."""
    sizes = [len(range(group, nodes, groups)) for group in range(groups)]
    return sum(min(size, n - k) for size in sizes) > n


def _network(numbers: random.Random) -> Section:
    least, most, dial_loss, send_loss = numbers.choice(_NETWORKS)
    return {
        "latency_min_ms": float(least),
        "latency_max_ms": float(most),
        "dial_loss": dial_loss,
        "send_loss": send_loss,
        "bandwidth_mbit": numbers.choice((0.0, 0.0, 100.0)),
    }


def _vault(numbers: random.Random) -> Section:
    return {
        "complete_after_s": numbers.choice((1.5, 5.0, 15.0)),
        "straggler_wait_s": numbers.choice((0.2, 1.0)),
        "pack_every_s": numbers.choice((2.0, 10.0)),
        "checkpoint_after_s": numbers.choice((3.0, 10.0, 600.0)),
        "settle_after_s": numbers.choice((2.0, 15.0)),
        "release_every_s": numbers.choice((1.0, 5.0)),
        "journal_lease_s": numbers.choice((2.0, 5.0, 15.0)),
        "journal_repair_after_s": numbers.choice((4.0, 20.0)),
        "put_deadline_s": numbers.choice((5.0, 30.0)),
        "get_deadline_s": numbers.choice((5.0, 30.0)),
        "hedge_after_s": numbers.choice((0.1, 0.5)),
        "retry_s": numbers.choice((0.5, 2.0)),
    }


def _workload(numbers: random.Random) -> Section:
    return {
        "clients": numbers.randint(1, 3),
        "pause_s": numbers.choice((0.2, 0.5, 1.0)),
        "keys": numbers.choice((2, 5, 12)),
        "small": numbers.choice(("200 B", "4 kB", "60 kB")),
        "large": numbers.choice(("70 kB", "200 kB", "1 MB")),
        "puts": numbers.choice((3, 5, 8)),
        "removes": numbers.choice((0, 1, 3)),
    }


def _chance(numbers: random.Random, safety_s: float) -> Section:
    """Some kinds of fault, each now and then or often. Disks are lost or rot, but not both."""
    chance: dict[str, int | float | str] = {
        "down_s": numbers.choice((0.5, 3.0, 10.0)),
        "lasting_s": numbers.choice((1.0, 4.0, 10.0)),
        "away_most": 1,
    }
    for kind in ("kill", "power", "partition", "slow", "disk", "clock", "lossy"):
        if numbers.random() < 0.5:
            chance[f"{kind}_every_s"] = numbers.choice((safety_s, safety_s / 3, safety_s / 8))
    lost = numbers.choice(("", "wipe", "rot"))
    if lost:
        chance[f"{lost}_every_s"] = safety_s
    return chance
