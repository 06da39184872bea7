"""How the process of a node keeps its memory: one heap for all threads, and a collector that looks seldom.

Neither changes what the program does. Both are for the whole process, so only the program of a node calls them.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

# Python's own are 700, 10 and 10.
_GC_THRESHOLDS: Final = (10_000, 20, 100)
# From the C library's malloc.h.
_M_ARENA_MAX: Final = -8


def collect_seldom() -> None:
    """Have the collector of cycles leave the program itself alone, and look at young objects less often.

    Tasks and scopes come and go by the thousand, hardly ever in cycles, and nothing large is ever in one. With the
    thresholds that Python sets a fifth of a get of 4 KiB went into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def share_one_heap() -> None:
    """Have all threads allocate from one heap, before there is a second thread.

    The GNU C library gives threads heaps of their own, up to eight for each core, so that they need not wait for each
    other; and what one of them has freed no other can use. Threads of Python seldom allocate at the same time, but
    what they freed added up: a gateway of 64 clients kept 80 MB of it, and more with each minute. Other C libraries
    have no such setting, and no such heaps.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)
