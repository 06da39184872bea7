"""What a run's folder says of itself: what was played, by which program on which machine, and what came of it.

A figure without its manifest is worth little: the same scenario and seed give the same run only with the same code,
so the commit, and whether files differed from it, stand beside the result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from sim.run.folder import Plan
from sim.run.play import Outcome

VERSION: Final = 1
_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Commit:
    """Where the program's source stood; `id` is None when it does not run from a repository."""

    id: str | None
    is_dirty: bool | None


@dataclass(frozen=True, slots=True)
class Versions:
    """What the run was played with."""

    maillon: str
    python: str
    trio: str
    platform: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole file. `state` is `held`, `broken` or `interrupted`."""

    version: int
    scenario: str
    scenario_sha256: str
    seed: int
    state: str
    commit: Commit
    versions: Versions
    outcome: Outcome | None

    def as_json(self) -> str:
        table = dataclasses.asdict(self)
        if self.outcome is not None:
            # Both have files of their own.
            del table["outcome"]["faults"], table["outcome"]["crash"]
        return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def manifest_of(plan: Plan, outcome: Outcome | None) -> Manifest:
    """For a run that was played; without an outcome, for one that was interrupted."""
    state = "interrupted" if outcome is None else "broken" if outcome.violations else "held"
    versions = Versions(
        importlib.metadata.version("maillon"), platform.python_version(), trio.__version__, platform.platform()
    )
    sha256 = hashlib.sha256(plan.text.encode()).hexdigest()
    return Manifest(VERSION, plan.scenario.name, sha256, plan.seed, state, _commit(), versions, outcome)


def _commit() -> Commit:
    if not (_ROOT / ".git").exists():
        return Commit(None, None)
    try:
        found = _git("rev-parse", "HEAD").strip()
        return Commit(found, bool(_git("status", "--porcelain", "--untracked-files=no").strip()))
    except (OSError, subprocess.SubprocessError):
        return Commit(None, None)


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout
