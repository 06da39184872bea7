"""The ports: everything a node may ask of the world it runs in.

`node` touches sockets, disks, entropy, wall time and threads only through these protocols, so the same code runs
on a real machine (`node.host.real`), on the small deterministic host of the tests, and in the simulator's world.
Monotonic time is not here: it is trio's clock. Places where a test may want to stop, fail or crash the node are
named through `Faults.reach`, which the real host answers with nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol, TypeVar

import trio

from protocol.errors import Unavailable

R = TypeVar("R")
Buffer = bytes | bytearray | memoryview


class Stream(Protocol):
    """A reliable, ordered, encrypted byte stream to *somebody*: who, is proven above it (`node.net.identity`).

    `binding` is the SHA-256 of the TLS certificate that the listening end presented (DER), as this end saw it: the
    two ends sign it, so that a man in the middle, who has to present another, is found out. It is empty on plain
    streams and Unix sockets.
    """

    @property
    def binding(self) -> bytes: ...

    @property
    def peer(self) -> str:
        """The address at the other end, for logs; empty where it has none."""

    async def send_all(self, parts: list[Buffer]) -> None:
        """Send the parts one after the other. Raises Unavailable(`stream-broken`)."""

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        """Fill some of `buffer`; 0 at a clean end. Who knows that `least_bytes` are bound to come may say so: then
        the wait may last until they are there, to be woken once for many. Raises Unavailable(`stream-broken`)."""

    async def aclose(self) -> None:
        """Close both directions; never raises for a peer that is gone."""


class Listener(Protocol):
    """An open door. `address` is where it can be dialled, with the real port."""

    @property
    def address(self) -> str: ...

    async def serve(
        self,
        handler: Callable[[Stream], Awaitable[None]],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept until stopped, one task per stream, each stream closed when its handler ends."""

    def stop(self) -> None:
        """Take nobody in any more: the door closes, and `serve` returns when the last handler has ended."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where a public name's certificate (with its chain) and its key are, as PEM; somebody renews them."""

    certificate: str
    key: str


class Network(Protocol):
    """Addresses are `host:port`, or `unix:PATH` for the admin socket. `plain` is without TLS, for sealed bytes."""

    async def dial(self, address: str) -> Stream: ...

    async def dial_plain(self, address: str) -> Stream: ...

    async def listen(self, address: str) -> Listener: ...

    async def listen_plain(self, address: str) -> Listener: ...

    async def listen_public(self, address: str, files: CertificateFiles) -> Listener:
        """A door for programs that trust a name's certificate. Raises Malformed(`tls-certificate`)."""


class File(Protocol):
    """An open file. All calls block: call them inside `run_blocking`."""

    def read_into(self, offset: int, *buffers: memoryview) -> int:
        """Fill the buffers from `offset`, one after the other; less only at the end of the file."""

    def write(self, offset: int, parts: list[Buffer]) -> None:
        """Write the parts one after the other at `offset`. Raises OSError."""

    def sync(self) -> None:
        """`fdatasync`. Raises OSError; after that nothing is known of what was written."""

    def size(self) -> int: ...

    def truncate(self, size_bytes: int) -> None: ...

    def punch(self, offset: int, size_bytes: int) -> bool:
        """Give the range back to the disk; it reads as zeros. False where holes are not supported."""

    def close(self) -> None: ...


class Disk(Protocol):
    """A directory tree that one node owns. Paths are relative to it. All calls block."""

    def open(self, path: PurePath) -> File:
        """Open for reading and writing; create it, durably (directory synced), when absent."""

    def exists(self, path: PurePath) -> bool: ...

    def list(self, directory: PurePath) -> list[str]:
        """Names in the directory, sorted; empty when there is no such directory."""

    def read(self, path: PurePath, *, size_bytes_max: int) -> bytes:
        """A small file whole. Raises OSError, OverLimit(`file-size`)."""

    def replace(self, path: PurePath, data: bytes, *, private: bool = False) -> None:
        """Write a small file atomically and durably; mode 0600 when `private`."""

    def remove(self, path: PurePath) -> None: ...

    def free_bytes(self) -> int: ...


class FileMode(enum.Enum):
    """What an opened file is for."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class SharedHandle:
    """A file that another process of this machine has open, and which file that must be."""

    process_id: int
    descriptor: int
    device: int
    inode: int


# Of a statement: in the order of its question marks, or by their names.
Parameters = tuple[object, ...] | dict[str, object]


class Index(Protocol):
    """A SQLite database used as a cache: it may vanish or be old after a crash. All calls block."""

    def execute(self, statement: str, parameters: Parameters = ()) -> list[tuple[object, ...]]:
        """Run one statement and return all rows."""

    def execute_many(self, statement: str, rows: list[tuple[object, ...]]) -> None: ...

    def commit(self) -> None: ...

    def close(self) -> None: ...


class Entropy(Protocol):
    def random_bytes(self, size: int) -> bytes:
        """Unpredictable bytes, for keys and nonces and for choices."""


class WallClock(Protocol):
    def now_s(self) -> int:
        """Seconds since 1970, as this machine believes."""


class Threads(Protocol):
    async def run_blocking(self, work: Callable[..., R], *arguments: object) -> R:
        """Run `work(*arguments)` off the trio thread; bounded in number; not abandoned on cancellation."""


class Faults(Protocol):
    async def reach(self, point: str) -> None:
        """The node is at the named fault point. A test may raise, wait, or never return here."""

    def reach_blocking(self, point: str) -> None:
        """The same from blocking code."""


def share_nothing(_handle: SharedHandle, _mode: FileMode) -> File:
    """A host on which programs share no files. Raises Unavailable(`shared-file`)."""
    raise Unavailable("shared-file", reason="not on this host")


@dataclass(frozen=True, slots=True)
class Host:
    """One node's world. `lock` guards the node's folder against a second start."""

    network: Network
    disk: Disk
    entropy: Entropy
    wall: WallClock
    threads: Threads
    faults: Faults
    open_index: Callable[[PurePath], Index]
    open_disk: Callable[[str], Disk]
    lock: Callable[[], AbstractAsyncContextManager[None]]
    open_shared: Callable[[SharedHandle, FileMode], File] = share_nothing
