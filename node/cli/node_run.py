"""`maillon node run`: run this node until it is told to stop (SIGTERM or Ctrl-C)."""

from __future__ import annotations

import gc

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _

# Python's own are 700, 10 and 10.
_GC_THRESHOLDS = (10_000, 20, 100)


@make_command(_("Run the node in the foreground. It stops cleanly on SIGTERM or Ctrl-C."))
async def command(session: Session) -> None:
    from node.app import run_node

    _collect_seldom()
    await run_node(session.dir)


def _collect_seldom() -> None:
    """Have the collector of cycles leave the program itself alone, and look at young objects less often.

    Tasks and scopes come and go by the thousand, hardly ever in cycles, and nothing large is ever in one. With the
    thresholds that Python sets a fifth of a get of 4 KiB went into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
