"""The real host, wired: this is where a node on a real machine gets its world from."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from node.host.faults import faults_from_environment
from node.host.files import RealDisk, open_real_disk
from node.host.index import SqliteIndex, open_sqlite
from node.host.machine import SystemEntropy, SystemWallClock, WorkerThreads, hold_lock
from node.host.network import RealNetwork
from node.host.ports import Host
from node.host.shared import open_shared

if TYPE_CHECKING:
    from node.host.certificate import TlsContexts

THREADS_MAX = 16


def real_host(node_dir: Path, *, threads_max: int = THREADS_MAX) -> Host:
    """The world of the node whose folder is `node_dir`. Nothing is opened or created yet."""
    faults = faults_from_environment()

    def open_index(path: PurePath) -> SqliteIndex:
        return open_sqlite(node_dir / path)

    def open_disk(place: str) -> RealDisk:
        return open_real_disk(node_dir, place, faults)

    return Host(
        network=RealNetwork(_make_contexts),
        disk=RealDisk(node_dir, faults),
        entropy=SystemEntropy(),
        wall=SystemWallClock(),
        threads=WorkerThreads(threads_max),
        faults=faults,
        open_index=open_index,
        open_disk=open_disk,
        lock=lambda: hold_lock(node_dir),
        open_shared=open_shared,
    )


def _make_contexts() -> TlsContexts:
    """Imported when a TLS connection is made: a command that only asks its own node never makes one."""
    from node.host.certificate import make_contexts

    return make_contexts()
