"""What a run of many nodes in one process need not do again and again.

Every node checks the signatures of the same records, and each check is a pure function of its bytes: one answer
serves all. Each tries the same library before it codes with it: one trial does. And the collector of cycles, which
looks through everything that is alive, finds little in a run that makes objects by the million and hardly ever a
cycle; it is told to look seldom, and not at what was there before.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from node import app
from protocol.keys import signing

_ANSWERS_KEPT: Final = 1 << 14
# Python's own are 700, 10 and 10; see also `node.cli.node_run`.
_GC_THRESHOLDS: Final = (20_000, 20, 100)


@contextmanager
def thrift() -> Iterator[None]:
    """Inside, runs cost less and do the same."""
    thresholds = gc.get_threshold()
    asked = ((vars(signing), "crypto_sign_open"), (vars(app), "find_engine"))
    themselves = [names[name] for names, name in asked]
    for names, name in asked:
        names[name] = lru_cache(maxsize=_ANSWERS_KEPT)(names[name])  # what it raises is not kept
    gc.set_threshold(*_GC_THRESHOLDS)
    gc.freeze()
    try:
        yield
    finally:
        for (names, name), itself in zip(asked, themselves, strict=True):
            names[name] = itself
        gc.set_threshold(*thresholds)
        # A world is full of cycles. What was there before the run is frozen, so this looks at nothing else, and the
        # next world does not stand beside the remains of this one.
        gc.collect()
        gc.unfreeze()
