"""A file that another program of the same user has open, opened once more here.

The command line tells its node which descriptor of which process holds the file; the node opens it through /proc, so
that a gigabyte need not be pushed through a socket only to reach the process next door. The kernel lets a process do
this to its own user's processes only, and permissions are checked anew. Process numbers may mean another process in
another container, so the file must also be the one that the asker described (device and inode) and an ordinary one.
Where any of this does not hold, the bytes simply travel through the socket.
"""

from __future__ import annotations

import os
import stat

from node.host.faults import NoFaults
from node.host.files import DiskPoints, RealFile
from node.host.ports import File, FileMode, SharedHandle
from protocol.errors import Unavailable

_FLAGS = {FileMode.READ: os.O_RDONLY, FileMode.WRITE: os.O_WRONLY}


def open_shared(handle: SharedHandle, mode: FileMode) -> File:
    """The file behind the handle. Blocking. Raises Unavailable(`shared-file`) when it cannot be had."""
    path = f"/proc/{handle.process_id}/fd/{handle.descriptor}"
    try:
        descriptor = os.open(path, _FLAGS[mode] | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Unavailable("shared-file", reason=error.strerror or "") from error
    found = os.fstat(descriptor)
    if (found.st_dev, found.st_ino) != (handle.device, handle.inode) or not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise Unavailable("shared-file", reason="another file")
    return RealFile(descriptor, DiskPoints(NoFaults(), "shared"))


def share(descriptor: int) -> SharedHandle | None:
    """How to describe one of this process's descriptors; None for what is not an ordinary file."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return None
    return SharedHandle(os.getpid(), descriptor, found.st_dev, found.st_ino)
