"""Which nodes the members put out, so that they can be told so instead of being called strangers."""

from __future__ import annotations

from protocol.errors import Missing
from protocol.ids import NodeId
from protocol.members.cards import NodeCard
from protocol.members.records import RecordKind
from protocol.members.view import View
from protocol.wire import schema


def expelled_nodes(view: View) -> frozenset[NodeId]:
    """Nodes expelled by name, and those of expelled organisations that the view still has cards of."""
    try:
        chain = view.chain
    except Missing:
        return frozenset()
    if not chain.expelled_organisations:
        return frozenset(chain.expelled_nodes)
    cards = [record for record in view.records() if record.kind == RecordKind.NODE]
    theirs = (
        NodeId(record.author)
        for record in cards
        if schema.decode(NodeCard, record.body).organisation in chain.expelled_organisations
    )
    return frozenset({*chain.expelled_nodes, *theirs})
