"""Whether the nodes' memory is flat: what each holds in the second minute of the soak, and in the last one.

Nodes die and start again meanwhile, so a minute of a node is all its samples in it, of whichever process. What grows
within one process shows in the longest life of each node, by the same measure: its second minute and its last one.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path

MINUTE_S = 60.0
KIB = 1_024
MB = 1e6
# What caches may still fill after their second minute: the journal's last entries, packs, the database's pages.
GROWTH = 1.15
SLACK_BYTES = 16e6
# Lives that were shorter say nothing.
LIFE_MINUTES = 3.0


@dataclass(frozen=True, slots=True)
class Grown:
    """A node's medians, or those of one of its lives. `most` is the highest sample of all."""

    name: str
    minutes: float
    second_bytes: float
    last_bytes: float
    most_bytes: float

    @property
    def is_flat(self) -> bool:
        return self.last_bytes <= self.second_bytes * GROWTH + SLACK_BYTES


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process had, so long after the soak began."""

    at_s: float
    pid: int
    resident_bytes: int


@dataclass(slots=True)
class Memory:
    """Samples of all nodes."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def sample(self, name: str, pid: int, at_s: float) -> None:
        """Note what a process has now; nothing, when it has just been killed."""
        resident = _resident_bytes(pid)
        if resident:
            self.samples.setdefault(name, []).append(Sample(at_s, pid, resident))

    def grown(self, minutes: float) -> list[Grown]:
        """Each node's second and last minute of the soak, and those of its longest life."""
        found = []
        for name, of_node in sorted(self.samples.items()):
            found.append(_grown(name, of_node, 0.0, minutes * MINUTE_S))
            life = _longest(of_node)
            if life[-1].at_s - life[0].at_s >= LIFE_MINUTES * MINUTE_S:
                found.append(_grown(f"{name}, one life", life, life[0].at_s, life[-1].at_s))
        return found


def _grown(name: str, samples: list[Sample], begin_s: float, end_s: float) -> Grown:
    return Grown(
        name,
        (end_s - begin_s) / MINUTE_S,
        _median(samples, begin_s + MINUTE_S, begin_s + 2 * MINUTE_S),
        _median(samples, end_s - MINUTE_S, end_s),
        max(one.resident_bytes for one in samples),
    )


def _longest(samples: list[Sample]) -> list[Sample]:
    lives: dict[int, list[Sample]] = {}
    for one in samples:
        lives.setdefault(one.pid, []).append(one)
    return max(lives.values(), key=lambda life: life[-1].at_s - life[0].at_s)


def _median(samples: list[Sample], begin_s: float, end_s: float) -> float:
    return statistics.median(one.resident_bytes for one in samples if begin_s <= one.at_s < end_s)


def _resident_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return 0 if line is None else int(line.split()[1]) * KIB
