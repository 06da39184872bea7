"""The records by which this node's organisation founds or joins a federation, and its node card afterwards.

Values in, records out: who writes them down or sends them is the caller's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.config import Config
from node.folder import Membership, Organisation
from protocol.ids import Digest, FederationId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.cards import NodeCard, NodeState, OrganisationCard, make_node_card, make_organisation_card
from protocol.members.charter import Charter, make_charter
from protocol.members.lineage import certify_node
from protocol.members.records import Record

PROTOCOL_LEAST = 1
PROTOCOL_MOST = 1


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A node before it belongs anywhere: its key, its organisation, and that organisation's key."""

    config: Config
    node_key: SigningKey
    organisation: Organisation
    organisation_key: SigningKey


@dataclass(frozen=True, slots=True)
class Entry:
    """What makes a newcomer a member: the file it keeps, and the records that the others need."""

    membership: Membership
    records: tuple[Record, ...]


def found(newcomer: Newcomer, charter: Charter) -> Entry:
    """Found the federation of this charter."""
    federation, founding = make_charter(newcomer.organisation_key, charter)
    entry = join(newcomer, federation, invitation=None)
    return Entry(entry.membership, (founding, *entry.records))


def join(newcomer: Newcomer, federation: FederationId, *, invitation: Digest | None) -> Entry:
    """The cards with which organisation and node enter; `invitation` is the id of the one they hold.

    A further node of an organisation brings its own card only: a second organisation's card would contradict the
    first.
    """
    organisation = newcomer.organisation
    node = NodeId(newcomer.node_key.public)
    certification = certify_node(newcomer.organisation_key, organisation.lineage, federation, node)
    membership = Membership(federation, certification)
    card = OrganisationCard(organisation.lineage, invitation, organisation.name, organisation.contact)
    organisation_card = make_organisation_card(newcomer.organisation_key, federation, card, counter=1)
    addresses = newcomer.config.node.advertise or (newcomer.config.node.listen,)
    first = make_node_card(
        newcomer.node_key, federation, node_card(membership, newcomer.config, addresses), counter=1
    )
    return Entry(membership, (first,) if organisation.taken_over else (organisation_card, first))


def node_card(
    membership: Membership, config: Config, addresses: tuple[str, ...], *, state: NodeState = NodeState.ACTIVE
) -> NodeCard:
    """This node's card as its configuration says it. The bulk address is known once its door is open."""
    return NodeCard(
        certification=membership.certification,
        name=config.node.name,
        zone=config.node.zone,
        addresses=addresses,
        bulk_address=None,
        capacity_bytes=sum(disk.capacity_bytes for disk in config.store.disks),
        protocol_least=PROTOCOL_LEAST,
        protocol_most=PROTOCOL_MOST,
        state=state,
    )
