"""A node's process keeps one heap. Tried in a process of its own, as the setting is for all of it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Eight threads that hold memory at the same time; then the C library tells of its heaps.
PROGRAM = """
import ctypes, threading
from node.host.memory import share_one_heap

{before}
together = threading.Barrier(8)

def work():
    together.wait(timeout=60)
    held = [bytes(2_000) for _ in range(1_000)]
    together.wait(timeout=60)

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


def heaps(before: str) -> int:
    program = PROGRAM.format(before=before)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    return done.stderr.count("Arena ")


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only the GNU C library gives threads heaps of their own"
)
def test_threads_of_a_node_share_one_heap() -> None:
    assert heaps("share_one_heap()") == 1
    assert heaps("") > 1
