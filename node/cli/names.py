"""Objects' names and files' paths, and the careful way from one to the other.

A key is bytes that somebody else may have chosen: `../../.ssh/authorized_keys` is a fine key and a terrible path.
So a key becomes a path only when every part of it is an ordinary file name, and a file is never written through a
symbolic link that lies inside the target folder.
"""

from __future__ import annotations

import fnmatch
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from protocol.errors import Refused
from protocol.limits import KEY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class ObjectName:
    """`bucket/key`; the key may be empty where a whole bucket is meant."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to store: where it is, the key that it will have, and its size when it was seen."""

    path: Path
    key: str
    size_bytes: int


def parse_object(text: str) -> ObjectName:
    """The object that `text` names. Raises Refused(`object-name`)."""
    name = parse_prefix(text)
    if not name.key:
        raise Refused("object-name", text=text)
    return name


def parse_prefix(text: str) -> ObjectName:
    """A bucket and what keys begin with there, perhaps nothing. Raises Refused(`object-name`)."""
    bucket, _slash, key = text.partition("/")
    if not bucket:
        raise Refused("object-name", text=text)
    return ObjectName(bucket, key)


def safe_path(folder: Path, key: str) -> Path:
    """Where the object `key` belongs under `folder`.

    Raises:
        Refused: `local-path-unsafe` when the key is no ordinary relative path, or the way there leads through a
            symbolic link.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") or "\x00" in part for part in parts):
        raise Refused("local-path-unsafe", key=key)
    target = folder.joinpath(*parts)
    between = folder
    for part in parts:
        between = between / part
        if between.is_symlink():
            raise Refused("local-path-unsafe", key=key)
    return target


def relative_key(prefix: str, key: str) -> str:
    """`key` as it is named under `prefix`: what follows the prefix's last folder."""
    folder = prefix if prefix.endswith("/") or not prefix else prefix + "/"
    if key.startswith(folder):
        return key[len(folder) :]
    return PurePosixPath(key).name if key == prefix else key[prefix.rfind("/") + 1 :]


def walk(
    folder: Path, prefix: str, skipped: Callable[[Path], None], *, exclude: Sequence[str] = ()
) -> Iterator[LocalFile]:
    """Every regular file under `folder`, in the order of its key; what is no regular file goes to `skipped`.

    Files and folders whose name matches one of the patterns of `exclude` (as a shell's) are passed over.
    """
    base = prefix if not prefix or prefix.endswith("/") else prefix + "/"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        mode = entry.lstat().st_mode
        key = base + entry.name
        if any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in exclude):
            continue
        if stat.S_ISDIR(mode):
            yield from walk(entry, key, skipped, exclude=exclude)
        elif stat.S_ISREG(mode):
            yield LocalFile(entry, checked_key(entry, key), entry.lstat().st_size)
        else:
            skipped(entry)


def checked_key(path: Path, key: str) -> str:
    """The key, if it can be one. Raises Refused(`local-name-encoding`) or Refused(`local-name-long`)."""
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise Refused("local-name-encoding", path=repr(str(path))) from error
    if size > KEY_BYTES_MAX:
        raise Refused("local-name-long", path=str(path), limit_bytes=KEY_BYTES_MAX)
    return key
