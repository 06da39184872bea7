"""For how long a writer may serve without hearing from its holders.

A holder that answers the writer has, at the moment the writer asked, promised the epoch's end to nobody. A successor
needs the promises of so many holders that one honest one among them is among any w that answered; and it waits, from
then on, a little longer than a lease before it serves. So while the answers of w holders, counted from when they
were asked, are younger than a lease, nobody else serves: what is read here is not stale.

A holder that is this node itself tells it without delay whether it promised. Where every promise is needed (no
holder may be lost), its own word is thus enough, and the writer of a federation of two serves readers alone.
"""

from __future__ import annotations

from math import inf
from typing import Final

from protocol.ids import NodeId
from protocol.namespace.journal import Opening

# A successor's clock may run faster than ours by so much while a lease runs out.
DRIFT: Final = 1.07


class Lease:
    """The confirmations of one epoch. Times are of one clock, in seconds.

    `until_s`: when the lease runs out. That of the epoch before, until `carried_s`, goes on: whoever ends this one
    waits from a later moment.
    """

    def __init__(self, opening: Opening, me: NodeId, lease_s: float, carried_s: float = -inf) -> None:
        self._holders = frozenset(opening.holders)
        self._needed = opening.w
        self._alone = me if me in self._holders and opening.losses == 0 else None
        self._lease_s = lease_s
        self._confirmed_s: dict[NodeId, float] = {}
        self.until_s = carried_s

    def confirm(self, node: NodeId, asked_s: float) -> None:
        """A holder that has promised nobody answered a question that was put at `asked_s`."""
        if node in self._holders:
            self._confirmed_s[node] = max(asked_s, self._confirmed_s.get(node, -inf))
            self.until_s = max(self.until_s, self._counted_s())

    def confirmed_s(self, node: NodeId) -> float:
        """When the holder last confirmed."""
        return self._confirmed_s.get(node, -inf)

    def _counted_s(self) -> float:
        if self._alone is not None:
            return self.confirmed_s(self._alone) + self._lease_s
        latest = sorted(self._confirmed_s.values(), reverse=True)
        return latest[self._needed - 1] + self._lease_s if len(latest) >= self._needed else -inf
