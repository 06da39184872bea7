"""How many files and connections the process of a node may have open at once: as many as the system lets it.

Most systems let a process have 1,024 unless it asks, for programs of long ago that could not count further. The S3
door alone may have a thousand connections (`[s3] connections`): whoever holds them open, without a key, would leave
the node no file to write a share to, and no connection to a member.
"""

from __future__ import annotations

import resource


def allow_many_files() -> None:
    """Ask for all that may be had."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
