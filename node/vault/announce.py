"""Telling the members where a namespace is written: its card, published and handed to everybody who answers.

Holders refuse the shares of a writer of whom they have not heard; so they hear of it before the first share is sent,
not only when gossip comes round.
"""

from __future__ import annotations

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.mesh.peering import Peering
from protocol.errors import MaillonError
from protocol.ids import NodeId, short_text_of
from protocol.keys.signing import SigningKey
from protocol.members.cards import NamespaceCard, make_namespace_card
from protocol.members.records import Record, encode_record
from protocol.namespace.journal import Opening
from protocol.requests import Done, Kind, PushRecords

log = get_logger(__name__)


async def announce(
    host: Host, mesh: Peering, opening: Opening, *, writer_key: SigningKey, node_key: SigningKey, deadline_s: float
) -> None:
    """Publish the card of the namespace's present epoch. A guest, who is no member, has nothing to say."""
    me = mesh.view.node(mesh.me)
    if me is None:
        return
    card = NamespaceCard(
        certificate=opening.certificate,
        organisation=me.organisation,
        epoch=opening.epoch,
        journal_holders=opening.holders,
        journal_quorum=opening.w,
    )
    record = make_namespace_card(writer_key, mesh.view.federation, card, gateway_key=node_key)
    await mesh.publish(record)
    async with trio.open_nursery() as nursery:
        for node in sorted(mesh.live() - {mesh.me}):
            nursery.start_soon(_hand_over, mesh, node, record, deadline_s)
    await host.faults.reach("succession.after-card")


async def _hand_over(mesh: Peering, node: NodeId, record: Record, deadline_s: float) -> None:
    push = PushRecords((encode_record(record),))
    try:
        await mesh.ask(node, Kind.PUSH_RECORDS, push, Done, deadline_s=deadline_s)
    except MaillonError as error:
        # It will hear of the namespace by gossip; until then it refuses its shares, and the spreader goes elsewhere.
        log.info("namespace.card-not-delivered", node=short_text_of(node), error=str(error))
