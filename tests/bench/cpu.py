"""The unit, and the meter.

Seconds mean nothing on a noisy or unknown machine. The unit here is the CPU that `hashlib.blake2b` needs for the same
number of bytes, sampled before and after each measurement in the same run; a result is the CPU of *all* processes
concerned (user and system), divided by it. Wall-clock time is printed beside it for the curious.
"""

from __future__ import annotations

import hashlib
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_BYTES = 128 << 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one measurement found; `units` is the figure to quote."""

    name: str
    size_bytes: int
    cpu_s: float
    wall_s: float
    unit_s: float

    @property
    def units(self) -> float:
        """CPU of all processes, in BLAKE2b-of-the-same-bytes."""
        return self.cpu_s / self.unit_s


def measure(name: str, size_bytes: int, pids: Iterable[int], work: Callable[[], None]) -> Measured:
    """Run `work` (child processes that end inside it are counted) with the processes `pids` working for it."""
    watched = tuple(pids)
    before_unit = unit_s(size_bytes)
    nodes, children, began = cpu_of(watched), _children_cpu_s(), time.monotonic()
    work()
    wall_s = time.monotonic() - began
    cpu_s = cpu_of(watched) - nodes + _children_cpu_s() - children
    return Measured(name, size_bytes, cpu_s, wall_s, (before_unit + unit_s(size_bytes)) / 2)


def unit_s(size_bytes: int) -> float:
    """CPU seconds that BLAKE2b needs for `size_bytes`, from the median of a few samples."""
    block = os.urandom(1 << 20)
    samples = []
    for _ in range(3):
        hasher = hashlib.blake2b()
        began = time.process_time()
        for _ in range(_SAMPLE_BYTES // len(block)):
            hasher.update(block)
        samples.append(time.process_time() - began)
    return statistics.median(samples) * size_bytes / _SAMPLE_BYTES


def cpu_of(pids: Iterable[int]) -> float:
    """User and system time of running processes, all threads, in seconds."""
    total = 0
    for pid in pids:
        # The command's name may hold spaces and brackets; the numbers begin after the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS_PER_S


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
