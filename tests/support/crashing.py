"""A machine in memory that crashes as real ones do, for tests of what must survive.

Until a file is synced each 512-byte sector of each write may or may not be on the disk after a crash, in any mixture,
a truncation or a hole may or may not have happened, and the index may be any older copy of itself. Every disk
operation counts; the crash comes before or after the one that the test names, and from then on nothing works.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from random import Random
from typing import TypeVar

from node.host.index import SqliteIndex
from node.host.ports import Buffer, File, Host, Parameters
from protocol.errors import Damaged, OverLimit, Unavailable

R = TypeVar("R")

SECTOR_BYTES = 512


# Do it to these bytes: all of it, or as much as luck has it.
_Change = Callable[[bytearray, Random | None], None]


class Crash(BaseException):
    """The machine lost power. Not an Exception: nothing may handle it."""


@dataclass
class _Content:
    """What a crash leaves, what a reader sees now, and what happened in between."""

    durable: bytearray = field(default_factory=bytearray)
    current: bytearray = field(default_factory=bytearray)
    pending: list[_Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            change(self.durable, None)
        self.pending.clear()

    def fail_sync(self, random: Random) -> None:
        """As Linux does: what was pending counts as clean from now on, whether it reached the disk or not."""
        for change in self.pending:
            change(self.durable, random)
        self.pending.clear()

    def crash(self, random: Random) -> None:
        self.fail_sync(random)
        self.current = bytearray(self.durable)


class Machine:
    """The disks of one node, which outlive its crashes."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.files: dict[str, dict[PurePath, _Content]] = {}
        self.indexes: dict[PurePath, list[bytes]] = {}
        self.operations = 0
        self.crash_at: int | None = None
        self.is_dead = False
        self.sync_errors: list[int] = []
        self.write_errors: list[int] = []
        self.read_errors: list[int] = []
        self.holes = True
        self.index_is_full = False
        self.opened: list[MemoryIndex] = []
        self.free_bytes = 2**40
        self.now_s = 1_000
        self.points: list[str] = []
        self.on_point: dict[str, BaseException] = {}

    def operate(self) -> None:
        """One more operation; the machine may be dead before it."""
        if self.is_dead:
            raise Crash
        self.operations += 1
        if self.crash_at is not None and self.operations >= self.crash_at:
            self.is_dead = True
            raise Crash

    def crash(self) -> None:
        """Power is lost and comes back: unsynced things are as luck has it."""
        for disk in self.files.values():
            for content in disk.values():
                content.crash(self.random)
        for path, copies in self.indexes.items():
            kept = self.random.randrange(len(copies) + 1)
            self.indexes[path] = copies[:kept]
        self.is_dead = False
        self.crash_at = None

    def host(self) -> Host:
        return Host(
            network=None,  # type: ignore[arg-type]
            disk=self.disk("."),
            entropy=_Entropy(self.random),
            wall=_Wall(self),
            threads=_Inline(),
            faults=_Points(self),
            open_index=self.open_index,
            open_disk=self.disk,
            lock=_no_lock,
        )

    def disk(self, path: str) -> MemoryDisk:
        return MemoryDisk(self, self.files.setdefault(path, {}))

    def open_index(self, path: PurePath) -> MemoryIndex:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        copies = self.indexes.setdefault(path, [])
        if copies:
            connection.deserialize(copies[-1])
        index = MemoryIndex(self, connection, copies, path.name)
        self.opened.append(index)
        return index

    def break_indexes(self) -> None:
        """From now on every index that is open says that it is damaged."""
        for index in self.opened:
            index.is_broken = True


class MemoryIndex(SqliteIndex):
    """Remembers a copy of itself at every commit."""

    def __init__(self, machine: Machine, connection: sqlite3.Connection, copies: list[bytes], name: str) -> None:
        super().__init__(connection, name)
        self._machine = machine
        self._memory = connection
        self._copies = copies
        self.is_broken = False

    def execute(self, statement: str, parameters: Parameters = ()) -> list[tuple[object, ...]]:
        self._check()
        return super().execute(statement, parameters)

    def execute_many(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        self._check()
        super().execute_many(statement, rows)

    def _check(self) -> None:
        if self.is_broken:
            raise Damaged("index-damaged", index=self._name, reason="injected")

    def commit(self) -> None:
        self._check()
        if self._machine.index_is_full:
            raise Unavailable("index-full", index=self._name)
        self._machine.operate()
        super().commit()
        self._copies.append(self._memory.serialize())
        del self._copies[:-20]


@dataclass
class MemoryDisk:
    """`ports.Disk` in memory."""

    machine: Machine
    contents: dict[PurePath, _Content]

    def open(self, path: PurePath) -> File:
        self.machine.operate()
        return MemoryFile(self.machine, self.contents.setdefault(path, _Content()))

    def exists(self, path: PurePath) -> bool:
        return path in self.contents

    def list(self, directory: PurePath) -> list[str]:
        return sorted(path.name for path in self.contents if path.parent == directory)

    def read(self, path: PurePath, *, size_bytes_max: int) -> bytes:
        if path not in self.contents:
            raise FileNotFoundError(errno.ENOENT, str(path))
        data = bytes(self.contents[path].current)
        if len(data) > size_bytes_max:
            raise OverLimit("file-size", path=str(path))
        return data

    def replace(self, path: PurePath, data: bytes, *, private: bool = False) -> None:
        """As the real one: the old content or the new, and after a crash that may be the new, unheard of."""
        self.machine.operate()
        if self.machine.write_errors and (code := self.machine.write_errors.pop(0)):
            raise OSError(code, "injected")
        self.contents[path] = _Content(bytearray(data), bytearray(data))
        self.machine.operate()

    def remove(self, path: PurePath) -> None:
        self.machine.operate()
        self.contents.pop(path, None)
        self.machine.indexes.pop(path, None)

    def free_bytes(self) -> int:
        return self.machine.free_bytes


@dataclass
class MemoryFile:
    """`ports.File` in memory."""

    machine: Machine
    content: _Content

    def read_into(self, offset: int, *buffers: memoryview) -> int:
        if self.machine.is_dead:
            raise Crash
        if self.machine.read_errors:
            raise OSError(self.machine.read_errors.pop(0), "injected")
        filled = 0
        for buffer in buffers:
            data = self.content.current[offset + filled : offset + filled + len(buffer)]
            buffer[: len(data)] = data
            filled += len(data)
        return filled

    def write(self, offset: int, parts: list[Buffer]) -> None:
        self.machine.operate()
        data = b"".join(bytes(part) for part in parts)
        if self.machine.write_errors:
            code = self.machine.write_errors.pop(0)
            if code:
                half = data[: len(data) // 2]
                self._change(lambda target, random: _write_sectors(target, offset, half, random))
                _write(self.content.current, offset, half)
                raise OSError(code, "injected")
        self._change(lambda target, random: _write_sectors(target, offset, data, random))
        _write(self.content.current, offset, data)

    def sync(self) -> None:
        self.machine.operate()
        if self.machine.sync_errors:
            code = self.machine.sync_errors.pop(0)
            if code:
                self.content.fail_sync(self.machine.random)
                raise OSError(code, "injected")
        self.content.sync()
        self.machine.operate()

    def size(self) -> int:
        return len(self.content.current)

    def truncate(self, size_bytes: int) -> None:
        self.machine.operate()
        self._change(lambda target, random: _truncate(target, size_bytes) if _happens(random) else None)
        _truncate(self.content.current, size_bytes)

    def punch(self, offset: int, size_bytes: int) -> bool:
        self.machine.operate()
        if not self.machine.holes:
            return False
        hole = bytes(size_bytes)
        self._change(lambda target, random: _write(target, offset, hole) if _happens(random) else None)
        _write(self.content.current, offset, hole)
        return True

    def close(self) -> None:
        pass

    def _change(self, change: _Change) -> None:
        self.content.pending.append(change)


def _write(target: bytearray, offset: int, data: bytes) -> None:
    if len(target) < offset:
        target.extend(bytes(offset - len(target)))
    target[offset : offset + len(data)] = data


def _truncate(target: bytearray, size_bytes: int) -> None:
    if len(target) < size_bytes:
        target.extend(bytes(size_bytes - len(target)))
    del target[size_bytes:]


def _happens(random: Random | None) -> bool:
    return random is None or random.random() < 0.5


def _write_sectors(target: bytearray, offset: int, data: bytes, random: Random | None) -> None:
    """A part of the write: nothing, all, all up to somewhere, or any mixture of its sectors."""
    if random is None:
        _write(target, offset, data)
        return
    luck = random.randrange(4)
    sectors = range(0, len(data), SECTOR_BYTES)
    limit = random.randrange(len(data) + 1)
    for start in sectors:
        if luck == 0 or (luck == 1 and start >= limit) or (luck == 2 and random.random() < 0.3):
            continue
        _write(target, offset + start, data[start : start + SECTOR_BYTES])


class _Inline:
    async def run_blocking(self, work: Callable[..., R], *arguments: object) -> R:
        return work(*arguments)


@dataclass
class _Entropy:
    random: Random

    def random_bytes(self, size: int) -> bytes:
        return self.random.randbytes(size)


@dataclass
class _Wall:
    machine: Machine

    def now_s(self) -> int:
        return self.machine.now_s


@dataclass
class _Points:
    machine: Machine

    async def reach(self, point: str) -> None:
        self.reach_blocking(point)

    def reach_blocking(self, point: str) -> None:
        self.machine.points.append(point)
        if point in self.machine.on_point:
            raise self.machine.on_point.pop(point)


@asynccontextmanager
async def _no_lock() -> AsyncIterator[None]:
    yield
