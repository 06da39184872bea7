"""What becomes of a node's handlers before they serve anybody.

Nothing, in a node: it does as the protocol says. Tests and simulations put others in their place, and so have members
that lie, which are in all else the real node. This is the one door for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from node.net.connection import Handler

# Handlers by the kind of request.
Table = Mapping[int, Handler]
Replace = Callable[[Table], Table]


def honestly(table: Table) -> Table:
    """The handlers as they are."""
    return table
