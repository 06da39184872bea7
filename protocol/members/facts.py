"""What the federation believes: facts, derived from the records and nothing else.

An organisation that the members admitted has the standing they gave it. One that is only introduced is *pending*:
it counts as part of its sponsor (caps, jurisdiction, capacity ceiling, quota), so ten puppets are worth no more than
none. A node counts while its organisation does, its certification is by the organisation's current key, and nobody
expelled either. Credited capacity is bounded: an organisation's nodes together by the ceiling of its admission, its
pending organisations' nodes together by what is left of that ceiling and by what its own nodes are credited with;
claims beyond are scaled down. So a newcomer's boast can neither crowd out its sponsor nor draw data to itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from protocol.ids import Digest, NamespaceId, NodeId, OrganisationId, PublicKey
from protocol.members.cards import Introduction, NamespaceCard, NodeCard, NodeState, OrganisationCard
from protocol.members.charter import Admissions, Standing
from protocol.members.governance import Chain
from protocol.members.lineage import Lineage


@dataclass(frozen=True, slots=True)
class OrganisationFacts:
    """`sponsor` is whose caps and quota it uses: itself once admitted. `invitation` is the one it came with."""

    organisation: OrganisationId
    name: str
    contact: str
    sponsor: OrganisationId
    admitted: bool
    jurisdiction: str
    legal_form: str
    certifications: tuple[str, ...]
    capacity_ceiling_bytes: int
    lineage: Lineage
    invitation: Digest | None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """`capacity_bytes` is what the node is credited with; `claimed_bytes` what it says."""

    node: NodeId
    name: str
    organisation: OrganisationId
    organisation_name: str
    sponsor: OrganisationId
    admitted: bool
    zone: str
    jurisdiction: str
    legal_form: str
    certifications: tuple[str, ...]
    capacity_bytes: int
    claimed_bytes: int
    addresses: tuple[str, ...]
    bulk_address: str | None
    protocol_least: int
    protocol_most: int
    state: NodeState


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """`gateway_is_member` is false once the gateway or its organisation is expelled or gone: it may not write."""

    namespace: NamespaceId
    organisation: OrganisationId
    gateway: NodeId
    writer: PublicKey
    generation: int
    epoch: int
    journal_holders: tuple[NodeId, ...]
    journal_quorum: int
    gateway_is_member: bool


@dataclass(frozen=True, slots=True)
class Said:
    """The cards and introductions of a view, by what they are about (introductions by invitation)."""

    organisations: Mapping[OrganisationId, OrganisationCard]
    nodes: Mapping[NodeId, NodeCard]
    introductions: Mapping[Digest, tuple[tuple[NodeId, Introduction], ...]]
    namespaces: Mapping[NamespaceId, NamespaceCard]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything, each sorted by id; `brought_bytes` is the credited capacity of each member's active nodes."""

    organisations: tuple[OrganisationFacts, ...] = ()
    nodes: tuple[NodeFacts, ...] = ()
    namespaces: tuple[NamespaceFacts, ...] = ()
    brought_bytes: Mapping[OrganisationId, int] = field(default_factory=dict)

    def organisation(self, organisation: OrganisationId) -> OrganisationFacts | None:
        place = bisect_left(self.organisations, organisation, key=lambda facts: facts.organisation)
        found = place < len(self.organisations) and self.organisations[place].organisation == organisation
        return self.organisations[place] if found else None

    def node(self, node: NodeId) -> NodeFacts | None:
        place = bisect_left(self.nodes, node, key=lambda facts: facts.node)
        return self.nodes[place] if place < len(self.nodes) and self.nodes[place].node == node else None

    def namespace(self, namespace: NamespaceId) -> NamespaceFacts | None:
        place = bisect_left(self.namespaces, namespace, key=lambda facts: facts.namespace)
        found = place < len(self.namespaces) and self.namespaces[place].namespace == namespace
        return self.namespaces[place] if found else None


def derive_facts(chain: Chain, said: Said) -> Facts:
    """What `chain` and the cards amount to."""
    organisations = {
        organisation: facts
        for organisation in sorted(said.organisations)
        if (facts := _organisation(chain, said, organisation)) is not None
    }
    nodes = _within_ceilings(_nodes(chain, said, organisations), organisations)
    members = {facts.node for facts in nodes if facts.state is not NodeState.LEFT}
    namespaces = tuple(_namespace(said.namespaces[name], name, members) for name in sorted(said.namespaces))
    return Facts(tuple(organisations.values()), nodes, namespaces, _brought_bytes(nodes))


def current_lineage(chain: Chain, said: Said, organisation: OrganisationId) -> Lineage | None:
    """The longest lineage that the organisation showed; None when it never showed one."""
    member, card = chain.member(organisation), said.organisations.get(organisation)
    shown = [member.admission.lineage] if member is not None else []
    if card is not None:
        shown.append(card.lineage)
    return max(shown, key=lambda lineage: len(lineage.keys), default=None)


def _organisation(chain: Chain, said: Said, organisation: OrganisationId) -> OrganisationFacts | None:
    card = said.organisations[organisation]
    lineage = current_lineage(chain, said, organisation) or card.lineage
    member = chain.member(organisation)
    if member is not None:
        return _with_standing(card, organisation, organisation, member.admission.standing, lineage)
    sponsor = _sponsor(chain, said, organisation, card)
    if sponsor is None:
        return None
    admitted = chain.member(sponsor)
    if admitted is None:
        return None
    standing = replace(admitted.admission.standing, legal_form="", certifications=())
    return _with_standing(card, organisation, sponsor, standing, lineage)


def _with_standing(
    card: OrganisationCard,
    organisation: OrganisationId,
    sponsor: OrganisationId,
    standing: Standing,
    lineage: Lineage,
) -> OrganisationFacts:
    return OrganisationFacts(
        organisation=organisation,
        name=card.name,
        contact=card.contact,
        sponsor=sponsor,
        admitted=sponsor == organisation,
        jurisdiction=standing.jurisdiction,
        legal_form=standing.legal_form,
        certifications=standing.certifications,
        capacity_ceiling_bytes=standing.capacity_ceiling_bytes,
        lineage=lineage,
        invitation=card.invitation,
    )


def _sponsor(chain: Chain, said: Said, organisation: OrganisationId, card: OrganisationCard) -> OrganisationId | None:
    """The member that stands for a pending organisation, if one does now."""
    if card.invitation is None or organisation in chain.expelled_organisations:
        return None
    if chain.charter.admissions is Admissions.CLOSED:
        return None
    sponsors = [
        introduction.sponsor.organisation
        for node, introduction in said.introductions.get(card.invitation, ())
        if introduction.organisation == organisation
        and node not in chain.expelled_nodes
        and chain.member(introduction.sponsor.organisation) is not None
        and introduction.sponsor.lineage == current_lineage(chain, said, introduction.sponsor.organisation)
    ]
    return min(sponsors, default=None)


def _nodes(
    chain: Chain, said: Said, organisations: Mapping[OrganisationId, OrganisationFacts]
) -> Iterable[NodeFacts]:
    for node in sorted(said.nodes):
        card = said.nodes[node]
        organisation = organisations.get(card.organisation)
        if organisation is None or node in chain.expelled_nodes:
            continue
        if card.certification.lineage == organisation.lineage:
            yield _node(node, card, organisation)


def _node(node: NodeId, card: NodeCard, organisation: OrganisationFacts) -> NodeFacts:
    return NodeFacts(
        node=node,
        name=card.name,
        organisation=organisation.organisation,
        organisation_name=organisation.name,
        sponsor=organisation.sponsor,
        admitted=organisation.admitted,
        zone=card.zone,
        jurisdiction=organisation.jurisdiction,
        legal_form=organisation.legal_form,
        certifications=organisation.certifications,
        capacity_bytes=card.capacity_bytes,
        claimed_bytes=card.capacity_bytes,
        addresses=card.addresses,
        bulk_address=card.bulk_address,
        protocol_least=card.protocol_least,
        protocol_most=card.protocol_most,
        state=card.state,
    )


def _within_ceilings(
    nodes: Iterable[NodeFacts], organisations: Mapping[OrganisationId, OrganisationFacts]
) -> tuple[NodeFacts, ...]:
    listed = tuple(nodes)
    claimed: dict[tuple[OrganisationId, bool], int] = defaultdict(int)
    for facts in listed:
        if facts.state is not NodeState.LEFT:
            claimed[facts.sponsor, facts.admitted] += facts.claimed_bytes

    def credited(facts: NodeFacts) -> int:
        ceiling = organisations[facts.organisation].capacity_ceiling_bytes
        own = min(claimed[facts.sponsor, True], ceiling)
        most = own if facts.admitted else min(own, ceiling - own)
        total = claimed[facts.sponsor, facts.admitted]
        return facts.claimed_bytes if total <= most else min(facts.claimed_bytes, total) * most // total

    return tuple(replace(facts, capacity_bytes=credited(facts)) for facts in listed)


def _brought_bytes(nodes: Iterable[NodeFacts]) -> Mapping[OrganisationId, int]:
    brought: dict[OrganisationId, int] = defaultdict(int)
    for facts in nodes:
        if facts.admitted and facts.state is NodeState.ACTIVE:
            brought[facts.organisation] += facts.capacity_bytes
    return dict(brought)


def _namespace(card: NamespaceCard, namespace: NamespaceId, members: set[NodeId]) -> NamespaceFacts:
    certificate = card.certificate
    return NamespaceFacts(
        namespace=namespace,
        organisation=card.organisation,
        gateway=certificate.node,
        writer=certificate.writer,
        generation=certificate.generation,
        epoch=card.epoch,
        journal_holders=card.journal_holders,
        journal_quorum=card.journal_quorum,
        gateway_is_member=certificate.node in members,
    )
