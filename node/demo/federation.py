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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND_DEADLINE_S = 300.0
POLL_S = 0.5
# All that a machine which belongs to nobody can say of a namespace that it recovered.
READ_ONLY = "namespace-read-only"


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
    sheet: str

    def stored_bytes(self) -> int:
        """What all the disks hold together, as their file systems count it (holes are not stored)."""
        return sum(
            file.stat().st_blocks * 512
            for member in self.members
            for file in member.folder.rglob("*")
            if file.is_file() and file.suffix != ".log"
        )

    def wait_namespace(self, reached: Callable[[Any], bool]) -> Any:
        """What the gateway's status says of the namespace, once it says what is wanted. Raises CommandFailed."""
        deadline = time.monotonic() + COMMAND_DEADLINE_S
        while True:
            (status,) = maillon("--dir", str(self.gateway.folder), "status")["namespaces"]
            if reached(status):
                return status
            if time.monotonic() > deadline:
                raise CommandFailed(json.dumps(status))
            time.sleep(POLL_S)

    @contextmanager
    def running(self, machine: Path) -> Iterator[None]:
        """A node in `machine`, which is none of the devnet's, for the length of the block."""
        command = [sys.executable, "-m", "node", "--dir", str(machine), "node", "run"]
        with (machine / "node.log").open("ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait_open(machine, child)
            yield
        finally:
            child.terminate()
            child.wait()

    def _wait_open(self, machine: Path, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + COMMAND_DEADLINE_S
        while time.monotonic() < deadline and child.poll() is None:
            try:
                lines = maillon("--dir", str(machine), "status")["namespaces"]
                if all(line["writable"] or line["why_not"] == READ_ONLY for line in lines):
                    return
            except CommandFailed:
                pass  # it does not listen yet
            time.sleep(POLL_S)
        raise CommandFailed((machine / "node.log").read_text()[-2_000:])


def maillon(*arguments: str, given: str = "") -> Any:
    """Run one command with --json; the last document it printed. Raises CommandFailed with what it said."""
    command = [sys.executable, "-m", "node", *arguments, "--json"]
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S, check=False
        )
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
    up = maillon("devnet", "up", "--dir", str(folder / "devnet"), "--nodes", str(nodes), "--code", code, "--quick")
    members = tuple(
        Member(node["name"], node["organisation"], int(node["pid"]), Path(node["dir"])) for node in up["nodes"]
    )
    gateway = next(member for member in members if member.name == up["namespace"]["gateway"])
    return Federation(folder, members, gateway, up["namespace"]["recovery"])
