"""The demonstration's federation: a devnet in a temporary folder, driven by the same commands that people type.

Nothing here reaches into a node: every step is a `maillon` process of its own, and its JSON is all that is believed.
Whatever happens, also Ctrl-C, the processes are stopped and the folder is removed.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND_DEADLINE_S = 300.0


class CommandFailed(Exception):
    """A `maillon` command of the demonstration ended with an error."""


@dataclass(frozen=True, slots=True)
class Member:
    """One node of the devnet, as `devnet up --json` printed it."""

    name: str
    organisation: str
    pid: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Federation:
    """The running devnet."""

    folder: Path
    members: tuple[Member, ...]
    gateway: Member

    def stored_bytes(self) -> int:
        """What all the disks hold together, as their file systems count it (holes are not stored)."""
        return sum(
            file.stat().st_blocks * 512
            for member in self.members
            for file in member.folder.rglob("*")
            if file.is_file() and file.suffix != ".log"
        )


def maillon(*arguments: str) -> Any:
    """Run one command with --json; the last document it printed. Raises CommandFailed with what it said."""
    command = [sys.executable, "-m", "node", *arguments, "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(" ".join(arguments[:3]) + f": {COMMAND_DEADLINE_S:.0f} s") from error
    if done.returncode != 0:
        raise CommandFailed(done.stderr.strip() or done.stdout.strip() or str(done.returncode))
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    document = json.loads(lines[-1]) if lines else {}
    return document.get("result", document)


@contextmanager
def running_federation(nodes: int, code: str) -> Iterator[Federation]:
    """A healthy devnet for the length of the block, then nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="maillon-demo-"))
    try:
        yield _up(folder, nodes, code)
    finally:
        # A second Ctrl-C while cleaning up would leave processes behind.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            subprocess.run(
                [sys.executable, "-m", "node", "devnet", "down", "--dir", str(folder / "devnet")],
                capture_output=True,
                check=False,
                start_new_session=True,
            )
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            signal.signal(signal.SIGINT, before)


def _up(folder: Path, nodes: int, code: str) -> Federation:
    up = maillon("devnet", "up", "--dir", str(folder / "devnet"), "--nodes", str(nodes), "--code", code)
    members = tuple(
        Member(node["name"], node["organisation"], int(node["pid"]), Path(node["dir"])) for node in up["nodes"]
    )
    gateway = next(member for member in members if member.name == up["namespace"]["gateway"])
    return Federation(folder, members, gateway)
