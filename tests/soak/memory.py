"""Whether the nodes' memory is flat: what each holds in the second minute of the soak, and in the last one.

Nodes die and start again meanwhile, so a minute of a node is all its samples in it, of whichever process. A node that
grows by a steady amount shows it all the same: in the second minute all are as young as in the last.
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


@dataclass(frozen=True, slots=True)
class Grown:
    """A node's medians. `most` is the highest sample of all."""

    name: str
    second_bytes: float
    last_bytes: float
    most_bytes: float

    @property
    def is_flat(self) -> bool:
        return self.last_bytes <= self.second_bytes * GROWTH + SLACK_BYTES


@dataclass(slots=True)
class Memory:
    """Samples of all nodes: when, since the soak began, and how many bytes were resident."""

    samples: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def sample(self, name: str, pid: int, at_s: float) -> None:
        """Note what a process has now; nothing, when it has just been killed."""
        resident = _resident_bytes(pid)
        if resident:
            self.samples.setdefault(name, []).append((at_s, resident))

    def grown(self, minutes: float) -> list[Grown]:
        """Each node's second and last minute."""
        end_s = minutes * MINUTE_S
        return [
            Grown(
                name,
                _median(of_node, MINUTE_S, 2 * MINUTE_S),
                _median(of_node, end_s - MINUTE_S, end_s),
                max(size for _at, size in of_node),
            )
            for name, of_node in sorted(self.samples.items())
        ]


def _median(of_node: list[tuple[float, int]], begin_s: float, end_s: float) -> float:
    return statistics.median(size for at_s, size in of_node if begin_s <= at_s < end_s)


def _resident_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return 0 if line is None else int(line.split()[1]) * KIB
