"""What a devnet remembers between commands: its nodes, their folders and processes, its namespace and
S3 door.

The book is one JSON file in the devnet's folder. A process is trusted to be the node's only while the node's folder
is locked, because process numbers are used again.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from protocol.errors import Missing, Refused, Unavailable

BOOK = "devnet.json"
LOG = "node.log"
LOG_TAIL_BYTES = 2_000
KEPT_WHEN_WIPED = ("maillon.toml", "format", "keys", "organisation", "membership", "records", "lock", LOG)
POLL_S = 0.05
STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class DevNode:
    """One process. These fields are a contract with the demo, the tests and the benchmark.

    `words` are the organisation's, where the node is its first.
    """

    name: str
    id: str
    organisation: str
    zone: str
    pid: int
    dir: str
    address: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class DevNamespace:
    """`gateway` is a node's name; `recovery` the whole sheet as text."""

    name: str
    gateway: str
    recovery: str


@dataclass(frozen=True, slots=True)
class DevS3:
    """All that a program is to be told of the devnet's S3 door."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class Devnet:
    """The whole devnet. `s3` is null without an S3 door."""

    nodes: tuple[DevNode, ...]
    namespace: DevNamespace | None
    s3: DevS3 | None = None

    def node(self, name: str) -> DevNode:
        """The node called `name`. Raises Missing(`devnet-node`)."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise Missing("devnet-node", node=name, known=tuple(node.name for node in self.nodes))

    def replaced(self, changed: DevNode) -> Devnet:
        """The devnet with one node changed."""
        nodes = tuple(changed if node.name == changed.name else node for node in self.nodes)
        return dataclasses.replace(self, nodes=nodes)


def load_book(folder: Path) -> Devnet:
    """The devnet in `folder`. Raises Missing(`devnet-absent`)."""
    try:
        found: Any = json.loads((folder / BOOK).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Missing("devnet-absent", path=str(folder)) from error
    namespace, s3 = found["namespace"], found["s3"]
    return Devnet(
        tuple(DevNode(**node) for node in found["nodes"]),
        None if namespace is None else DevNamespace(**namespace),
        None if s3 is None else DevS3(**s3),
    )


def save_book(folder: Path, devnet: Devnet) -> None:
    """Write the book; it holds the recovery sheet and a secret key, so nobody else may read it."""
    partial = folder / (BOOK + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(dataclasses.asdict(devnet), indent=1), encoding="utf-8")
    partial.replace(folder / BOOK)


def is_running(node_dir: Path) -> bool:
    """Whether a process holds the node's lock."""
    try:
        descriptor = os.open(node_dir / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def spawn(node_dir: Path) -> int:
    """Start the node's process, in a session of its own so that Ctrl-C here does not reach it; its pid."""
    if is_running(node_dir):
        raise Refused("devnet-node-running", node=node_dir.name)
    with (node_dir / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "node", "--dir", str(node_dir), "node", "run"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return process.pid


def check_alive(node: DevNode) -> None:
    """Raises Unavailable(`devnet-node-died`) with the end of its log when the process is gone."""
    if not _lives(node):
        raise Unavailable("devnet-node-died", node=node.name, log=log_tail(Path(node.dir)))


def log_tail(node_dir: Path) -> str:
    """The last words of a node."""
    try:
        data = (node_dir / LOG).read_bytes()
    except FileNotFoundError:
        return ""
    return data[-LOG_TAIL_BYTES:].decode(errors="replace").strip()


async def stop(node: DevNode, how: signal.Signals) -> None:
    """Signal the node's process and wait until it is gone; what does not go in time is killed."""
    if not _lives(node):
        return
    os.kill(node.pid, how)
    with trio.move_on_after(STOP_S) as waiting:
        await _gone(node)
    if waiting.cancelled_caught and _lives(node):
        os.kill(node.pid, signal.SIGKILL)
        await _gone(node)


async def _gone(node: DevNode) -> None:
    """Wait until the lock is free, and then, as the process still has a little to do, for its end."""
    while _lives(node) or not has_ended(node.pid):  # noqa: ASYNC110 (nothing of another program's to wait on)
        await trio.sleep(POLL_S)


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or only waits for somebody to take its exit status."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return Path("/proc/self").exists()


def _lives(node: DevNode) -> bool:
    """Whether the node's process is there. Our own child is, until we were told of its end, locked or not yet."""
    if node.pid == 0:
        return False
    try:
        ended, _status = os.waitpid(node.pid, os.WNOHANG)
    except ChildProcessError:
        return is_running(Path(node.dir))
    return not ended


def wipe(node_dir: Path) -> None:
    """Empty the node's disks. What it is (keys, membership, what it heard of the members) stays."""
    for entry in node_dir.iterdir():
        if entry.name in KEPT_WHEN_WIPED:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
