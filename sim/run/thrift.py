"""What a run of many nodes in one process need not do again and again.

Every node checks the signatures of the same records, and each check is a pure function of its bytes: one answer
serves all. And the collector of cycles, which looks through everything that is alive, finds little in a run that
makes objects by the million and hardly ever a cycle; it is told to look seldom, and not at what was there before.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from protocol.keys import signing

_SIGNATURES_KEPT: Final = 1 << 14
# Python's own are 700, 10 and 10; see also `node.cli.node_run`.
_GC_THRESHOLDS: Final = (20_000, 20, 100)


@contextmanager
def thrift() -> Iterator[None]:
    """Inside, runs cost less and do the same."""
    names, thresholds = vars(signing), gc.get_threshold()
    check = names["crypto_sign_open"]
    names["crypto_sign_open"] = lru_cache(maxsize=_SIGNATURES_KEPT)(check)  # what it raises is not kept
    gc.set_threshold(*_GC_THRESHOLDS)
    gc.freeze()
    try:
        yield
    finally:
        names["crypto_sign_open"] = check
        gc.set_threshold(*thresholds)
        # A world is full of cycles. What was there before the run is frozen, so this looks at nothing else, and the
        # next world does not stand beside the remains of this one.
        gc.collect()
        gc.unfreeze()
