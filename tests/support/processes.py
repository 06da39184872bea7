"""A devnet under fire: its processes are started with planned faults, killed, damaged, and asked through their doors.

Everything that waits, waits for a condition and names it at the deadline. Objects go through the admin socket from
within the test, which costs milliseconds where the command line costs a process.
"""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trio

from node.admin.calls import Nothing
from node.admin.client import AdminClient
from node.admin.lines import BlockLine, ObjectLine
from node.admin.object_calls import EXPLAIN, REMOVE, ExplainObject, ObjectRef
from node.admin.status_calls import STATUS, Status
from node.cli.devnet_book import LOG, DevNode, has_ended, is_running, load_book, save_book, stop
from node.cli.devnet_health import status_of, wait_answering
from node.cli.federation_members import members_of
from node.cli.reach import node_at
from node.first_error import first_error
from node.host.faults import VARIABLE
from protocol.errors import MaillonError
from tests.support.devnet import devnet

BUCKET = "box"
DEADLINE_S = 60.0
POLL_S = 0.05
GATEWAY = "n1"
LAST_WORDS = 3_000

T = TypeVar("T")


def some_bytes(seed: int, size_bytes: int) -> bytes:
    """Bytes that nobody can guess or compress, the same in every run."""
    return random.Random(seed).randbytes(size_bytes)


async def eventually(check: Callable[[], Awaitable[T | None]], what: str, *, within_s: float = DEADLINE_S) -> T:
    """The first answer that is neither None nor False."""
    with trio.move_on_after(within_s):
        while True:
            found = await check()
            if found is not None and found is not False:
                return found
            await trio.sleep(POLL_S)
    raise AssertionError(f"not within {within_s:.0f} s: {what}")


@dataclass(slots=True)
class BytesSource:
    """An object's bytes; `paused_at` bytes in, it waits for `go_on`."""

    data: bytes
    step_bytes: int = 1024 * 1024
    sent: int = 0
    paused_at: int | None = None
    reached: trio.Event = dataclasses.field(default_factory=trio.Event)
    go_on: trio.Event = dataclasses.field(default_factory=trio.Event)

    async def read_into(self, buffer: memoryview) -> int:
        if self.paused_at is not None and self.sent >= self.paused_at:
            self.reached.set()
            await self.go_on.wait()
        part = self.data[self.sent : self.sent + min(len(buffer), self.step_bytes)]
        buffer[: len(part)] = part
        self.sent += len(part)
        return len(part)


class BytesSink:
    """An object's bytes on their way out."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def begin(self, found: ObjectLine) -> None:
        self.data.clear()

    async def write(self, data: memoryview) -> None:
        self.data += data


@dataclass(frozen=True, slots=True)
class Heard:
    """What a node's log says from some moment on."""

    path: Path
    start: int

    def text(self) -> str:
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read().decode(errors="replace")

    def lines(self, *words: str) -> list[str]:
        """The lines in which all the words stand."""
        return [line for line in self.text().splitlines() if all(word in line for word in words)]

    async def wait(self, *words: str, within_s: float = DEADLINE_S) -> str:
        """The first such line, once it is there."""

        async def found() -> str | None:
            return next(iter(self.lines(*words)), None)

        return await eventually(found, f"{words} in {self.path}", within_s=within_s)


class Town:
    """The processes of one devnet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: list[subprocess.Popen[bytes]] = []
        self._armed: set[str] = set()

    # --- who is there

    def node(self, name: str) -> DevNode:
        return load_book(self.folder).node(name)

    def dir(self, name: str) -> Path:
        return Path(self.node(name).dir)

    @property
    def names(self) -> list[str]:
        return [node.name for node in load_book(self.folder).nodes]

    def is_alive(self, name: str) -> bool:
        return not has_ended(self.node(name).pid)

    def listen(self, name: str = GATEWAY) -> Heard:
        """Hear what the node's log says from now on."""
        path = self.dir(name) / LOG
        return Heard(path, path.stat().st_size)

    # --- life and death

    async def start(self, *names: str, faults: str = "") -> None:
        """Start nodes, perhaps with faults planned, and wait until they answer."""
        await wait_answering([self.spawn(name, faults) for name in names], timeout_s=DEADLINE_S)

    def spawn(self, name: str, faults: str = "", within: Sequence[str] = ()) -> DevNode:
        """Start a node without waiting; `within` is a command that ends by becoming the node's."""
        node = self.node(name)
        assert has_ended(node.pid), f"{name} runs already"
        with (Path(node.dir) / LOG).open("ab") as log:
            child = subprocess.Popen(
                [*within, sys.executable, "-m", "node", "--dir", node.dir, "node", "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, VARIABLE: faults},
            )
        self._children.append(child)
        (self._armed.add if faults or within else self._armed.discard)(name)
        started = dataclasses.replace(node, pid=child.pid)
        save_book(self.folder, load_book(self.folder).replaced(started))
        return started

    async def start_on_small_disk(self, name: str, size: str) -> None:
        """Start a node whose volumes lie on an empty file system of this size: a real disk that gets full.

        The file system is in memory, in a mount namespace that ends with the process; the old volumes are back then.
        """
        config = self.dir(name) / "maillon.toml"
        told = config.read_text()
        if not told.endswith("reserve = 0\n"):
            config.write_text(told + "reserve = 0\n")  # the last section is that of the disk
        mount = f'mount -t tmpfs -o size={size} none "$1" && shift && exec "$@"'
        within = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(self.dir(name) / "volumes")]
        await wait_answering([self.spawn(name, within=within)], timeout_s=DEADLINE_S)

    async def kill(self, *names: str) -> None:
        """kill -9, all at the same moment."""
        for name in names:
            if self.is_alive(name):
                os.kill(self.node(name).pid, signal.SIGKILL)
        for name in names:
            await self.wait_dead(name)

    async def wait_dead(self, name: str) -> None:
        """A process of several threads may be a zombie while the last of them still holds its files."""

        async def dead() -> bool:
            return not self.is_alive(name) and not is_running(self.dir(name))

        await eventually(dead, f"the end of {name}")
        for child in self._children:
            child.poll()

    async def terminate(self, name: str) -> None:
        """A clean stop."""
        await stop(self.node(name), signal.SIGTERM)
        for child in self._children:
            child.poll()

    async def restart(self, name: str, faults: str = "") -> None:
        await self.kill(name)
        await self.start(name, faults=faults)

    async def heal(self) -> None:
        """Every node runs, without faults, sees every other, and the namespace can be written."""
        await self.kill(*self._armed)
        dead = [name for name in self.names if not self.is_alive(name)]
        if dead:
            await self.start(*dead)
        await self.see(len(self.names))
        await self.writable()

    async def see(self, live: int, *, by: tuple[str, ...] = ()) -> None:
        """Wait until each running node (or those named) sees so many live members."""
        seen: dict[str, int] = {}
        for name in by or tuple(name for name in self.names if self.is_alive(name)):

            async def sees(name: str = name) -> bool:
                status = await status_of(self.node(name))
                seen[name] = seen.get(name, 0) if status is None else status.members_live
                return status is not None and seen[name] == live

            try:
                await eventually(sees, "")
            except AssertionError:
                raise AssertionError(f"not all see {live} live members: {seen}") from None

    async def see_or_end(self, live: int, *names: str) -> None:
        """Wait until each of these nodes sees so many live members, or is dead: its fault may strike first."""
        for name in names:

            async def settled(name: str = name) -> bool:
                if not self.is_alive(name):
                    return True
                status = await status_of(self.node(name))
                return status is not None and status.members_live >= live

            await eventually(settled, f"{name} sees {live} live members, or dies")

    async def see_live(self, name: str, *, by: tuple[str, ...]) -> None:
        """Wait until each of `by` holds this one node for live."""
        for watcher in by:

            async def sees(watcher: str = watcher) -> bool:
                async with self.client(watcher) as client:
                    nodes = (await members_of(client)).nodes
                return any(line.name == name and line.condition == "live" for line in nodes)

            await eventually(sees, f"{watcher} sees {name} live")

    async def writable(self) -> None:
        """Wait until the gateway's namespace is open, and enough holders of its journal answer it."""

        async def ready() -> bool:
            status = await status_of(self.node(GATEWAY))
            lines = () if status is None else status.namespaces
            return bool(lines) and all(line.writable and line.journal_live >= line.journal_w for line in lines)

        await eventually(ready, "the namespace can be written")

    async def quiet(self) -> None:
        """Wait until every block is complete, and every holder has let go of what nothing refers to."""

        async def done() -> bool:
            status = await status_of(self.node(GATEWAY))
            lines = () if status is None else status.namespaces
            return bool(lines) and all(
                line.writable and not line.incomplete_blocks and not line.releasing_blocks for line in lines
            )

        await eventually(done, "no block is left to be completed or released")

    # --- asking

    @asynccontextmanager
    async def client(self, name: str = GATEWAY) -> AsyncIterator[AdminClient]:
        """The node's admin socket. What is raised inside comes out as itself."""
        with first_error():
            async with node_at(self.dir(name)) as client:
                yield client

    async def status(self, name: str) -> Status:
        async with self.client(name) as client:
            return await client.call(STATUS, Nothing())

    async def put(self, key: str, data: bytes | BytesSource) -> ObjectLine:
        """Store; acknowledged when this returns. Raises a MaillonError otherwise."""
        source = data if isinstance(data, BytesSource) else BytesSource(data)
        async with self.client() as client:
            size_bytes = len(source.data)
            return await client.put(ref(key), source, size_bytes=size_bytes, moved=lambda _count: None)

    async def get(self, key: str) -> bytes:
        """Read back. Raises a MaillonError."""
        sink = BytesSink()
        async with self.client() as client:
            await client.get(ref(key), sink, moved=lambda _count: None)
        return bytes(sink.data)

    async def get_if_there(self, key: str) -> bytes | None:
        """The object, or None when there is no such object."""
        try:
            return await self.get(key)
        except MaillonError as error:
            if error.identifier != "object-missing":
                raise
            return None

    async def remove(self, key: str) -> None:
        """Delete; acknowledged when this returns. Raises a MaillonError otherwise."""
        async with self.client() as client:
            await client.call(REMOVE, ref(key))

    async def shares(self) -> dict[str, int]:
        """How many shares each node keeps."""
        return {name: (await self.status(name)).storage.shares for name in self.names}

    async def blocks(self, key: str) -> tuple[BlockLine, ...]:
        """Where the first blocks of the object are."""
        async with self.client() as client:
            return (await client.call(EXPLAIN, ExplainObject(ref(key), 0))).blocks

    def last_words(self) -> Mapping[str, str]:
        """The ends of all logs, for a test that failed."""
        return {name: (self.dir(name) / LOG).read_text(errors="replace")[-LAST_WORDS:] for name in self.names}

    def close(self) -> None:
        """Wait for the processes that were started here; `devnet down` has stopped them."""
        for child in self._children:
            child.wait(timeout=DEADLINE_S)


def ref(key: str) -> ObjectRef:
    return ObjectRef("", BUCKET, key)


def names_in(error: MaillonError, parameter: str) -> set[str]:
    """The names that an error gives."""
    value = error.parameters[parameter]
    assert isinstance(value, tuple)
    return set(value)


@contextmanager
def town(folder: Path, *options: str) -> Iterator[Town]:
    """A devnet whose processes are all gone afterwards."""
    with devnet(folder, *options):
        made = Town(folder)
        yield made
    made.close()


def flip(path: Path, offset: int, *, mask: int = 0xFF) -> None:
    """Turn bits of one byte of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        found = file.read(1)
        file.seek(offset)
        file.write(bytes([found[0] ^ mask]))
