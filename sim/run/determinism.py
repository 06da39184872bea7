"""Whether a run is the same run everywhere: played twice, in two new processes whose texts hash differently.

What makes runs differ is seldom chance that somebody forgot to seed; it is the order of a set, which follows hashes,
or the layout of memory. Two plays in one process would share both. The logs are compared byte for byte, and where
they part ways the first event that differs is named: what is wrong happened just before it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

from protocol.errors import Refused
from sim.run.folder import Plan

CHILD: Final = (sys.executable, "-m", "sim.run.child")
LOGS: Final = ("first.jsonl", "second.jsonl")
_TOLD_BYTES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Parting:
    """Where two logs part ways: the number of the line, and both of them; an empty one is missing."""

    line: int
    first: str
    second: str


def played_twice(plan: Plan, folder: Path, child: Sequence[str] = CHILD) -> Parting | None:
    """Where two plays differ; None when they do not. `folder` gets the plan and both logs.

    Raises:
        Refused: `child-failed`.
    """
    plan.save(folder)
    logs = [folder / name for name in LOGS]
    with ExitStack() as ended:
        playing = [
            ended.enter_context(_started([*child, str(folder), str(log)], hash_seed))
            for hash_seed, log in enumerate(logs, 1)
        ]
        try:
            for process in playing:
                _told, problem = process.communicate()
                if process.returncode != 0:
                    raise Refused("child-failed", problem=problem[-_TOLD_BYTES:])
        finally:
            for process in playing:
                process.kill()
    return parting(*logs)


def parting(first: Path, second: Path) -> Parting | None:
    """The first line that differs."""
    with first.open(encoding="utf-8") as one, second.open(encoding="utf-8") as other:
        for number, (line, against) in enumerate(zip_longest(one, other, fillvalue=""), 1):
            if line != against:
                return Parting(number, line.rstrip("\n"), against.rstrip("\n"))
    return None


def _started(command: Sequence[str], hash_seed: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
