"""Open files, few at a time: a disk has more volumes than a process may hold open.

A file is closed when it is the longest unused and nobody reads it. Reading threads lease files, so a volume may be
removed while one of them still reads it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from node.host.ports import Disk, File

VOLUMES_DIRECTORY = PurePath("volumes")
_SUFFIX = ".volume"


def volume_path(number: int) -> PurePath:
    return VOLUMES_DIRECTORY / f"{number:08d}{_SUFFIX}"


def volume_numbers(disk: Disk) -> list[int]:
    """The volumes on the disk, in the order of their log."""
    names = [name.removesuffix(_SUFFIX) for name in disk.list(VOLUMES_DIRECTORY) if name.endswith(_SUFFIX)]
    return sorted(int(name) for name in names if name.isdecimal())


class Handles:
    """The volumes of one disk, opened when wanted."""

    def __init__(self, disk: Disk, *, open_max: int = 64) -> None:
        self._disk = disk
        self._open_max = open_max
        self._turn = threading.Lock()
        self._files: OrderedDict[int, File] = OrderedDict()
        self._users: dict[int, int] = {}
        self._removed: set[int] = set()

    @contextmanager
    def lease(self, number: int) -> Iterator[File]:
        """The volume's file, open at least until the end of the block. Raises OSError."""
        with self._turn:
            file = self._files.get(number)
            if file is None:
                file = self._files[number] = self._disk.open(volume_path(number))
            self._files.move_to_end(number)
            self._users[number] = self._users.get(number, 0) + 1
        try:
            yield file
        finally:
            with self._turn:
                self._users[number] -= 1
                self._close_some()

    def remove(self, number: int) -> None:
        """Delete the volume; its file is closed when its last reader leaves."""
        self._disk.remove(volume_path(number))
        with self._turn:
            self._removed.add(number)
            self._close_some()

    def close(self) -> None:
        with self._turn:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _close_some(self) -> None:
        idle = [number for number in self._files if not self._users.get(number)]
        surplus = len(self._files) - self._open_max
        for place, number in enumerate(idle):
            if place < surplus or number in self._removed:
                self._files.pop(number).close()
                self._users.pop(number, None)
                self._removed.discard(number)
