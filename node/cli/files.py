"""Local files as sources and sinks of objects.

Reading and writing happen in threads, so that a slow disk or a silent pipe stops neither Ctrl-C nor the progress
bar. A received object is written beside its place and moved there once whole: a transfer that fails leaves nothing
half-written behind. Standard input and output are the file name `-`.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from types import TracebackType

import trio

from node.admin.lines import ObjectLine
from node.host.ports import SharedHandle
from node.host.shared import share
from protocol.errors import Refused

STANDARD = "-"


class FileSource:
    """The bytes of an open descriptor, from where it stands."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.offset = 0

    def shared(self) -> SharedHandle | None:
        """What the node needs to read the file itself, from where it stands."""
        handle = share(self._descriptor)
        if handle is not None:
            self.offset = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        return handle

    async def read_into(self, buffer: memoryview) -> int:
        """Some of what follows; 0 at the end. May be abandoned: nothing is lost but the command itself."""
        return await trio.to_thread.run_sync(os.readv, self._descriptor, [buffer], abandon_on_cancel=True)


class FileSink:
    """A file that appears under its name only when it is whole."""

    def __init__(self, target: Path, *, replace: bool) -> None:
        self._target = target
        self._replace = replace
        self._partial = target.with_name(f".maillon-{secrets.token_hex(8)}.partial")
        self._descriptor = -1
        self.offset = 0

    def shared(self) -> SharedHandle | None:
        """What the node needs to write the file itself."""
        self._open()
        return share(self._descriptor)

    def __enter__(self) -> FileSink:
        if self._target.is_dir():
            raise Refused("local-file-is-folder", path=str(self._target))
        if not self._replace and self._target.exists():
            raise Refused("local-file-exists", path=str(self._target))
        return self

    async def begin(self, found: ObjectLine) -> None:
        """The object exists: make room for it."""
        if self._descriptor < 0:
            self._open()

    def _open(self) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._descriptor = os.open(self._partial, flags, 0o666)

    async def write(self, data: memoryview) -> None:
        await trio.to_thread.run_sync(_write_all, self._descriptor, data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        if kind is None:
            self._partial.replace(self._target)
        else:
            self._partial.unlink(missing_ok=True)


class PipeSink:
    """Standard output."""

    async def begin(self, found: ObjectLine) -> None:
        """Nothing to prepare."""

    async def write(self, data: memoryview) -> None:
        await trio.to_thread.run_sync(_write_all, sys.stdout.fileno(), data)


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
