"""A client that keeps us waiting is given up.

Whoever takes bytes from a client, or gives it some, waits for it within `not_stalled`: the same patience and the same
words everywhere. HTTP has its own, which counts progress in bytes (`node.http`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from protocol.errors import Unavailable


@contextmanager
def not_stalled(stall_s: float) -> Iterator[None]:
    """Raises Unavailable(`client-stalled`) when what is inside has not ended within `stall_s`."""
    with trio.move_on_after(stall_s) as stall:
        yield
    if stall.cancelled_caught:
        raise Unavailable("client-stalled", after_s=int(stall_s))
