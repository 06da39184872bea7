"""The node's folder and its disks: plain files, written where asked and made durable only when asked.

A `RealFile` is positional (`pread`, `pwrite`): it has no cursor that two threads could move under each other. What
`write` took is in the page cache; it survives a crash of the process, not of the machine, until `sync` returned. A
new, replaced or removed name is made durable by syncing its directory. Everything is private to the node's user.

Every write and sync passes a fault point of the same name (`disk.write`, `disk.sync`, and with the folder's name
behind a dot, so that one disk of several can be made to fail), where tests make a full or failing disk.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from node.host.direct import can_go_direct, open_direct
from node.host.ports import Buffer, Faults, File
from protocol.errors import OverLimit, Unavailable

_PARTS_PER_CALL = min(os.sysconf("SC_IOV_MAX") if "SC_IOV_MAX" in os.sysconf_names else 16, 1024)
_IMPOSSIBLE = -1
_PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01
_NO_HOLES = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM)


class RealFile:
    """One open file; see `ports.File`."""

    def __init__(self, descriptor: int, points: DiskPoints) -> None:
        self._descriptor = descriptor
        self._points = points
        self._direct: int | None = None
        self._opening = threading.Lock()

    def read_into(self, offset: int, *buffers: memoryview) -> int:
        filled = self._around_cache(os.preadv, offset, buffers)
        rest = _after(list(buffers), filled)
        while rest:
            count = os.preadv(self._descriptor, rest, offset + filled)
            if count == 0:
                break
            filled += count
            rest = _after(rest, count)
        return filled

    def write(self, offset: int, parts: list[Buffer]) -> None:
        self._points.reach("disk.write")
        for batch in _batches(parts):
            written = self._around_cache(os.pwritev, offset, batch)
            rest = _after(batch, written) if written else batch
            offset += written
            if rest:
                offset += self._write_batch(offset, rest)

    def _around_cache(self, call: Callable[[int, list[Any], int], int], offset: int, parts: Sequence[Buffer]) -> int:
        """How much one call around the page cache did (`node.host.direct`); what it leaves goes the ordinary way."""
        if self._direct == _IMPOSSIBLE or not can_go_direct(offset, parts):
            return 0
        with self._opening:
            if self._direct is None:
                self._direct = open_direct(self._descriptor)
        if self._direct == _IMPOSSIBLE:
            return 0
        try:
            return call(self._direct, list(parts), offset)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return 0

    def _write_batch(self, offset: int, batch: list[Buffer]) -> int:
        wanted = sum(len(part) for part in batch)
        written = os.pwritev(self._descriptor, batch, offset)
        while written < wanted:  # a signal or a nearly full disk cut it short; the next call says which
            rest = _after(batch, written)
            count = os.pwritev(self._descriptor, rest, offset + written)
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += count
        return wanted

    def sync(self) -> None:
        self._points.reach("disk.sync")
        getattr(os, "fdatasync", os.fsync)(self._descriptor)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def truncate(self, size_bytes: int) -> None:
        self._points.reach("disk.write")
        os.ftruncate(self._descriptor, size_bytes)

    def punch(self, offset: int, size_bytes: int) -> bool:
        self._points.reach("disk.punch")
        fallocate = _find_fallocate()
        if fallocate is None:
            return False
        if fallocate(self._descriptor, _PUNCH_HOLE_KEEP_SIZE, offset, size_bytes) == 0:
            return True
        code = ctypes.get_errno()
        if code in _NO_HOLES:
            return False
        raise OSError(code, os.strerror(code))

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            if self._direct is not None and self._direct != _IMPOSSIBLE:
                os.close(self._direct)


class DiskPoints:
    """The fault points of one disk: the plain name, then the name with the disk's own."""

    def __init__(self, faults: Faults, disk_name: str) -> None:
        self._faults = faults
        self._disk_name = disk_name

    def reach(self, point: str) -> None:
        self._faults.reach_blocking(point)
        self._faults.reach_blocking(f"{point}.{self._disk_name}")


class RealDisk:
    """A directory tree of the real machine; see `ports.Disk`."""

    def __init__(self, root: Path, faults: Faults) -> None:
        self._root = root
        self._points = DiskPoints(faults, root.name)

    def open(self, path: PurePath) -> File:
        target = self._target(path)
        self._make_directories(target.parent)
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            descriptor = os.open(target, flags)
        except FileNotFoundError:
            descriptor = os.open(target, flags | os.O_CREAT, 0o600)
            _sync_directory(target.parent)
        return RealFile(descriptor, self._points)

    def exists(self, path: PurePath) -> bool:
        return self._target(path).exists()

    def list(self, directory: PurePath) -> list[str]:
        try:
            names = [entry.name for entry in self._target(directory).iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if not name.startswith("."))

    def read(self, path: PurePath, *, size_bytes_max: int) -> bytes:
        with self._target(path).open("rb") as file:
            data = file.read(size_bytes_max + 1)
        if len(data) > size_bytes_max:
            raise OverLimit("file-size", path=str(path), size_bytes_max=size_bytes_max)
        return data

    def replace(self, path: PurePath, data: bytes, *, private: bool = False) -> None:
        target = self._target(path)
        self._make_directories(target.parent)
        # Hidden from `list`, and one name per thread, so that a crash leaves few and two writers never share one.
        fresh = target.with_name(f".{target.name}.{threading.get_ident()}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            descriptor = os.open(fresh, flags, 0o600 if private else 0o644)
            try:
                os.fchmod(descriptor, 0o600 if private else 0o644)
                self._fill(descriptor, data)
            finally:
                os.close(descriptor)
            fresh.replace(target)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)

    def _fill(self, descriptor: int, data: bytes) -> None:
        self._points.reach("disk.write")
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        self._points.reach("disk.sync")
        os.fsync(descriptor)

    def remove(self, path: PurePath) -> None:
        """Remove the name, durably. A name that is not there is not an error: the end is the same."""
        target = self._target(path)
        if not target.parent.is_dir():
            return
        target.unlink(missing_ok=True)
        _sync_directory(target.parent)

    def free_bytes(self) -> int:
        figures = os.statvfs(self._root)
        return figures.f_bavail * figures.f_frsize

    def _target(self, path: PurePath) -> Path:
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{path} leaves the disk")
        return self._root / path

    def _make_directories(self, directory: Path) -> None:
        if directory.is_dir():
            return
        self._make_directories(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(directory.parent)


def open_real_disk(base: Path, place: str, faults: Faults) -> RealDisk:
    """The disk at `place` (relative to `base`, or absolute), its last folder created when absent.

    Only the last one: a mount point that is missing altogether is a disk that is not there, and filling the disk
    below it instead would be the worst answer. Raises Unavailable(`disk-absent`).
    """
    root = base / place
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        kind = root.stat().st_mode
    except OSError as error:
        raise Unavailable("disk-absent", path=str(root), reason=os.strerror(error.errno or 0)) from error
    if not stat.S_ISDIR(kind):
        raise Unavailable("disk-absent", path=str(root), reason=os.strerror(errno.ENOTDIR))
    return RealDisk(root, faults)


def _batches(parts: list[Buffer]) -> Iterator[list[Buffer]]:
    for start in range(0, len(parts), _PARTS_PER_CALL):
        yield parts[start : start + _PARTS_PER_CALL]


def _after(parts: list[Buffer], count: int) -> list[Buffer]:
    """What is left of `parts` without their first `count` bytes."""
    for index, part in enumerate(parts):
        if count < len(part):
            return [memoryview(part)[count:], *parts[index + 1 :]]
        count -= len(part)
    return []


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _find_fallocate() -> ctypes._NamedFuncPointer | None:
    """Linux's fallocate(2), which Python's standard library does not offer."""
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]
