"""A disk in memory that tells apart what was written from what was made durable.

Reads see every write at once, as through a page cache. A crash keeps what was synced, and of the rest any subset,
each write possibly cut at a sector: that is all that a real disk promises. Names are durable at once, as the real
disk syncs its directories; so is `replace`. Handles from before the crash are dead, so the clean-up of a cancelled
node cannot write to the disk of its next life.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath

from node.host.files import DiskPoints
from node.host.index import SqliteIndex
from node.host.ports import Buffer, Faults, File
from protocol.errors import OverLimit
from sim.host.index import MemoryDatabase

SECTOR_BYTES = 512
DISK_BYTES = 1 << 40


@dataclass(frozen=True, slots=True)
class Written:
    """One write that is not durable yet."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resized:
    """One change of length that is not durable yet."""

    size_bytes: int


@dataclass(slots=True)
class Contents:
    """A file: what reads see, what is durable, and the changes between the two, in order."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Written | Resized] = field(default_factory=list)

    def change(self, change: Written | Resized) -> None:
        _apply(self.seen, change)
        self.pending.append(change)

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()

    def lose_power(self, numbers: random.Random) -> None:
        for change in self.pending:
            if numbers.random() < 0.5:
                _apply(self.durable, _torn(change, numbers))
        self.pending.clear()
        self.seen = bytearray(self.durable)


@dataclass(slots=True)
class Platter:
    """What outlives the node: files, databases, capacity. `life` counts crashes."""

    capacity_bytes: int = DISK_BYTES
    files: dict[PurePath, Contents] = field(default_factory=dict)
    databases: dict[PurePath, MemoryDatabase] = field(default_factory=dict)
    holes: bool = True
    life: int = 0
    limit_bytes: int | None = None

    def used_bytes(self) -> int:
        return sum(len(contents.seen) for contents in self.files.values())

    def free_bytes(self) -> int:
        return max(0, (self.limit_bytes or self.capacity_bytes) - self.used_bytes())

    def leave_room(self, free_bytes: int | None) -> None:
        """Only so much more can be written; None: as much as there is."""
        self.limit_bytes = None if free_bytes is None else self.used_bytes() + free_bytes

    def copied(self) -> Platter:
        """The disk as a copy of what is durable on it."""
        files = {
            path: Contents(bytearray(contents.durable), bytearray(contents.durable))
            for path, contents in self.files.items()
        }
        databases = {path: database.copied() for path, database in self.databases.items()}
        return Platter(self.capacity_bytes, files, databases, self.holes)

    def become(self, copy: Platter) -> None:
        """The disk is as it was when it was copied."""
        again = copy.copied()
        self.files, self.databases = again.files, again.databases

    def crash(self, numbers: random.Random) -> None:
        self.life += 1
        for path in sorted(self.files):
            self.files[path].lose_power(numbers)
        for path in sorted(self.databases):
            self.databases[path].lose_power(numbers)

    def overwrite(self, path: PurePath, numbers: random.Random) -> None:
        """Garbage, as long as what was there."""
        size_bytes = len(self.files[path].seen)
        garbage = numbers.randbytes(size_bytes)
        self.files[path] = Contents(bytearray(garbage), bytearray(garbage))

    def flip_bit(self, path: PurePath, bit: int) -> None:
        """Rot: the bit changes in what reads see and in what is durable."""
        contents = self.files[path]
        for data in (contents.seen, contents.durable):
            if bit // 8 < len(data):
                data[bit // 8] ^= 1 << bit % 8


class MemoryFile:
    """See `ports.File`."""

    def __init__(self, contents: Contents, platter: Platter, guard: Callable[[str], None]) -> None:
        self._contents = contents
        self._platter = platter
        self._guard = guard

    def read_into(self, offset: int, *buffers: memoryview) -> int:
        self._guard("disk.read")
        filled = 0
        for buffer in buffers:
            data = self._contents.seen[offset + filled : offset + filled + len(buffer)]
            buffer[: len(data)] = data
            filled += len(data)
        return filled

    def write(self, offset: int, parts: list[Buffer]) -> None:
        self._guard("disk.write")
        data = b"".join(bytes(part) for part in parts)
        if offset + len(data) - len(self._contents.seen) > self._platter.free_bytes():
            raise _error(errno.ENOSPC)
        if data:
            self._contents.change(Written(offset, data))

    def sync(self) -> None:
        self._guard("disk.sync")
        self._contents.sync()

    def size(self) -> int:
        return len(self._contents.seen)

    def truncate(self, size_bytes: int) -> None:
        self._guard("disk.write")
        self._contents.change(Resized(size_bytes))

    def punch(self, offset: int, size_bytes: int) -> bool:
        self._guard("disk.punch")
        if self._platter.holes:
            end = min(offset + size_bytes, len(self._contents.seen))
            if end > offset:
                self._contents.change(Written(offset, bytes(end - offset)))
        return self._platter.holes

    def close(self) -> None:
        pass


class MemoryDisk:
    """See `ports.Disk`: one life of a node on a platter."""

    def __init__(self, platter: Platter, faults: Faults, name: str) -> None:
        self._platter = platter
        self._life = platter.life
        self._points = DiskPoints(faults, name)

    def open(self, path: PurePath) -> File:
        self._guard("disk.open")
        contents = self._platter.files.setdefault(_inside(path), Contents())
        return MemoryFile(contents, self._platter, self._guard)

    def open_index(self, path: PurePath) -> SqliteIndex:
        self._guard("disk.open")
        return self._platter.databases.setdefault(_inside(path), MemoryDatabase()).open(path.name)

    def exists(self, path: PurePath) -> bool:
        platter, wanted = self._platter, _inside(path)
        if wanted in platter.files or wanted in platter.databases:
            return True
        depth, parts = len(wanted.parts), wanted.parts
        return any(each.parts[:depth] == parts for each in (*platter.files, *platter.databases))

    def list(self, directory: PurePath) -> list[str]:
        within = _inside(directory).parts
        depth, known = len(within), (*self._platter.files, *self._platter.databases)
        return sorted(
            {each.parts[depth] for each in known if len(each.parts) > depth and each.parts[:depth] == within}
        )

    def read(self, path: PurePath, *, size_bytes_max: int) -> bytes:
        self._guard("disk.read")
        contents = self._platter.files.get(_inside(path))
        if contents is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if len(contents.seen) > size_bytes_max:
            raise OverLimit("file-size", path=str(path), size_bytes_max=size_bytes_max)
        return bytes(contents.seen)

    def replace(self, path: PurePath, data: bytes, *, private: bool = False) -> None:
        del private  # nobody else lives here
        self._guard("disk.write")
        if len(data) > self.free_bytes():
            raise _error(errno.ENOSPC)
        self._guard("disk.sync")
        self._platter.files[_inside(path)] = Contents(bytearray(data), bytearray(data))

    def remove(self, path: PurePath) -> None:
        self._guard("disk.remove")
        self._platter.files.pop(_inside(path), None)
        self._platter.databases.pop(path, None)

    def free_bytes(self) -> int:
        return self._platter.free_bytes()

    def _guard(self, point: str) -> None:
        self._points.reach(point)
        if self._life != self._platter.life:
            raise _error(errno.EIO)


def _inside(path: PurePath) -> PurePath:
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{path} leaves the disk")
    return PurePath(path)


def _apply(data: bytearray, change: Written | Resized) -> None:
    if isinstance(change, Resized):
        del data[change.size_bytes :]
        data.extend(bytes(change.size_bytes - len(data)))
        return
    data.extend(bytes(max(0, change.offset - len(data))))
    data[change.offset : change.offset + len(change.data)] = change.data


def _torn(change: Written | Resized, numbers: random.Random) -> Written | Resized:
    """The change, or for a write in half of the cases only its beginning, up to some sector."""
    if isinstance(change, Resized) or numbers.random() < 0.5:
        return change
    sectors = numbers.randint(0, len(change.data) // SECTOR_BYTES)
    return Written(change.offset, change.data[: sectors * SECTOR_BYTES])


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
