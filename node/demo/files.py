"""The files that the demonstration stores: a folder of the reader's own, or the running Python's standard library."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Not the library's own: what people installed beside it, and what Python compiles (and rewrites) while we look.
NOT_LIBRARY = ("site-packages", "dist-packages", "__pycache__")
_COMPARE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """A folder and the names of files and folders in it to leave out."""

    folder: Path
    left_out: tuple[str, ...]

    def files(self) -> Iterator[Path]:
        """The ordinary files, relative to the folder, in order."""
        for place, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if name not in self.left_out)
            for name in sorted(names):
                path = Path(place, name)
                if name not in self.left_out and path.is_file() and not path.is_symlink():
                    yield path.relative_to(self.folder)


def sample(folder: str | None) -> Sample:
    """The folder asked for, whole; or the standard library."""
    if folder is not None:
        return Sample(Path(folder).resolve(), ())
    return Sample(Path(sysconfig.get_path("stdlib")).resolve(), NOT_LIBRARY)


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files have the same content; a missing one has none."""
    try:
        with one.open("rb") as left, other.open("rb") as right:
            while True:
                mine, yours = left.read(_COMPARE_BYTES), right.read(_COMPARE_BYTES)
                if mine != yours:
                    return False
                if not mine:
                    return True
    except OSError:
        return False
