"""Letting a newcomer in: the inviting node's side of a join.

The invitation is checked, the newcomer's cards are checked against the key that it proved on this connection, and
our own introduction of its organisation is signed. That record is what uses the invitation up, for every member to
see; between looking for it and publishing it there is no pause in which a second newcomer could slip through. The
same newcomer may ask again: its answer may have been lost.

A further node of an admitted organisation needs no invitation: the organisation's own key certified it, which is all
that a card needs, and a member whose only machine burned has nobody left who could invite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from node.host.ports import Host
from node.logs import get_logger
from node.mesh.comparing import batches
from node.mesh.gossip import Gossip
from node.net.exchange import Exchange
from protocol.errors import Forged, Malformed, Refused
from protocol.ids import Digest, NodeId, OrganisationId, short_text_of
from protocol.keys.signing import SigningKey
from protocol.limits import PENDING_ORGANISATIONS_PER_SPONSOR_MAX
from protocol.members.cards import Introduction, NodeCard, OrganisationCard, make_introduction
from protocol.members.charter import Admissions
from protocol.members.invitations import Invitation, check, decode_invitation, invitation_id
from protocol.members.records import Record, RecordKind, decode_record
from protocol.members.rules import read_record
from protocol.members.view import View
from protocol.requests import Join, PushRecords
from protocol.wire import schema

C = TypeVar("C")

_log = get_logger(__name__)


class Welcome:
    """Serves JOIN."""

    def __init__(self, host: Host, key: SigningKey, card: NodeCard, view: View, gossip: Gossip) -> None:
        self._host = host
        self._key = key
        self._certification = card.certification
        self._view = view
        self._gossip = gossip

    async def serve_join(self, exchange: Exchange) -> None:
        """Raises Refused with the reason when the newcomer stays out."""
        question, newcomer = exchange.decode(Join), exchange.peer.node
        if newcomer is None:
            raise Refused("stranger", kind=exchange.kind)
        records = [decode_record(raw) for raw in question.records]
        if question.invitation:
            invitation = decode_invitation(question.invitation)
            await self._gossip.publish(self._judge(invitation, records, newcomer))
            by = short_text_of(invitation_id(invitation))
        else:
            await self._gossip.publish([self._judge_own(records, newcomer)])
            by = "its organisation"
        _log.info("newcomer-joined", node=short_text_of(newcomer), invitation=by)
        known = sorted(self._view.records(), key=lambda record: record.kind)
        await exchange.answer(PushRecords(next(batches(known), ())))

    def _judge(self, invitation: Invitation, records: Sequence[Record], newcomer: NodeId) -> list[Record]:
        """What to publish so that the newcomer is a member's node."""
        node_record, node_card = self._only(records, NodeCard, newcomer)
        organisation = node_card.organisation
        if organisation in self._view.chain.expelled_organisations:
            raise Refused("organisation-expelled", organisation=organisation)
        named = invitation_id(invitation)
        used = self._view.invitations_used()
        if self._introduced(named) == organisation:
            used -= {named}  # the same newcomer, whose answer was lost
        check(
            invitation,
            federation=self._view.federation,
            inviter=NodeId(self._key.public),
            now_s=self._host.wall.now_s(),
            used=used,
        )
        if self._view.organisation(organisation) is not None:
            return [node_record]
        organisation_record, card = self._only(records, OrganisationCard, organisation)
        if card.invitation != named:
            raise Forged("join-invitation", organisation=organisation)
        return [self._introduce(named, organisation), organisation_record, node_record]

    def _judge_own(self, records: Sequence[Record], newcomer: NodeId) -> Record:
        """The card of a node that an admitted organisation certified with its current key."""
        record, card = self._only(records, NodeCard, newcomer)
        if card.organisation in self._view.chain.expelled_organisations:
            raise Refused("organisation-expelled", organisation=card.organisation)
        facts = self._view.organisation(card.organisation)
        if facts is None or not facts.admitted:
            raise Refused("join-uninvited", organisation=card.organisation)
        if card.certification.lineage != facts.lineage:
            raise Forged("lineage", organisation=card.organisation)
        return record

    def _introduce(self, invitation: Digest, organisation: OrganisationId) -> Record:
        sponsor = self._certification.organisation
        if self._view.chain.member(sponsor) is None:
            raise Refused("sponsor-not-admitted", organisation=sponsor)
        if self._view.charter.admissions is Admissions.CLOSED:
            raise Refused("joining-closed")
        pending = [facts for facts in self._view.organisations() if facts.sponsor == sponsor and not facts.admitted]
        # One more would push out another newcomer's introduction, not its own.
        if len(pending) >= PENDING_ORGANISATIONS_PER_SPONSOR_MAX:
            raise Refused("sponsor-full", limit=PENDING_ORGANISATIONS_PER_SPONSOR_MAX)
        return make_introduction(self._key, self._view.federation, self._certification, invitation, organisation)

    def _introduced(self, invitation: Digest) -> OrganisationId | None:
        """Whom this node introduced with the invitation, if anybody."""
        for record in self._view.records():
            ours = record.kind == RecordKind.INTRODUCTION and record.author == self._key.public
            if ours and record.subject == invitation:
                return schema.decode(Introduction, record.body).organisation
        return None

    def _only(self, records: Sequence[Record], kind: type[C], subject: bytes) -> tuple[Record, C]:
        """The one card of this kind about `subject`, its signatures checked."""
        for record in records:
            if record.subject == subject:
                body = read_record(record, self._view.federation).body
                if isinstance(body, kind):
                    return record, body
        raise Malformed("join-card", card=kind.__name__)
