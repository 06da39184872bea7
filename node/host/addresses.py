"""Addresses as people write them: `host:port`, `[::1]:port`, `unix:PATH`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import Malformed, Refused
from protocol.limits import ADDRESS_BYTES_MAX

# sockaddr_un.sun_path holds 108 bytes on Linux, 104 on the BSDs, with the final zero.
UNIX_PATH_BYTES_MAX = 103
EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104 (to be told from others, not to be bound)
_DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class InternetAddress:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


def parse_address(text: str) -> InternetAddress | UnixAddress:
    """Raises Malformed(`address`)."""
    if text.startswith("unix:") and len(text) > len("unix:"):
        return UnixAddress(Path(text.removeprefix("unix:")))
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    plain = ":" not in host and "[" not in host and "]" not in host
    if not (colon and host and (bracketed or plain) and port.isascii() and port.isdigit() and len(port) <= 5):
        raise Malformed("address", address=text[:ADDRESS_BYTES_MAX])
    if int(port) > 65_535 or len(text.encode()) > ADDRESS_BYTES_MAX:
        raise Malformed("address", address=text[:ADDRESS_BYTES_MAX])
    return InternetAddress(host[1:-1] if bracketed else host, int(port))


def is_dialable(text: str) -> bool:
    """Whether somebody else could dial it: not where it only says that every interface listens."""
    address = parse_address(text)
    return isinstance(address, InternetAddress) and address.host not in EVERY_INTERFACE


def address_of_peer(text: str) -> str:
    """An address that another node gave, if it may be dialled on its word. Raises Malformed(`address`) for `unix:`.

    Sockets of this machine are doors for this machine's owner, a node's own admin door among them.
    """
    if text.startswith("unix:"):
        raise Malformed("address", address=text[:ADDRESS_BYTES_MAX])
    return text


@contextmanager
def unix_name(path: Path) -> Iterator[str]:
    """The name under which a Unix socket's path can be given to the kernel, however long the path is.

    The kernel's bound is on the name, not on the path, so the directory is opened and the socket named below its
    descriptor. Raises Refused(`unix-path-too-long`) where there is no /proc, or the last part alone is too long.
    """
    if len(os.fsencode(path)) <= UNIX_PATH_BYTES_MAX:
        yield str(path)
        return
    if not _DESCRIPTORS.is_dir():
        raise Refused("unix-path-too-long", path=str(path), size_bytes_max=UNIX_PATH_BYTES_MAX)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = f"{_DESCRIPTORS}/{directory}/{path.name}"
        if len(os.fsencode(short)) > UNIX_PATH_BYTES_MAX:
            raise Refused("unix-path-too-long", path=str(path), size_bytes_max=UNIX_PATH_BYTES_MAX)
        yield short
    finally:
        os.close(directory)
