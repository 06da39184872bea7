"""Organisations and nodes with keys that tests can make by name, and the records they sign."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from protocol.ids import Digest, FederationId, NamespaceId, NodeId, OrganisationId
from protocol.keys.signing import SigningKey
from protocol.members.cards import (
    NamespaceCard,
    NodeCard,
    NodeState,
    OrganisationCard,
    make_introduction,
    make_namespace_card,
    make_node_card,
    make_organisation_card,
)
from protocol.members.charter import Admissions, Charter, Quorum, Standing, make_charter
from protocol.members.governance import Admission, Ballot, Decision, Motion, admit, make_ballot, make_proposal
from protocol.members.lineage import Certification, Lineage, OrganisationKeys, certify_node
from protocol.members.records import Record
from protocol.members.view import View
from protocol.namespace.root import Root, certify_writer
from protocol.placement.classes import standard_classes

TIB = 2**40
STANDING = Standing("FR", "association", (), 10 * TIB)


def seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def node_key(name: str) -> SigningKey:
    return SigningKey.from_seed(seed(f"node {name}"))


@dataclass(frozen=True, slots=True)
class Org:
    """An organisation at one generation of its keys."""

    name: str
    generation: int = 0

    @property
    def keys(self) -> OrganisationKeys:
        return OrganisationKeys(seed(f"organisation {self.name}"))

    @property
    def key(self) -> SigningKey:
        return self.keys.key(self.generation)

    @property
    def lineage(self) -> Lineage:
        return self.keys.lineage(self.generation)

    @property
    def id(self) -> OrganisationId:
        return self.lineage.organisation

    def renewed(self) -> Org:
        return replace(self, generation=self.generation + 1)

    def certify(self, federation: FederationId, node: NodeId) -> Certification:
        return certify_node(self.key, self.lineage, federation, node)

    def card(self, federation: FederationId, *, invitation: Digest | None = None, counter: int = 1) -> Record:
        card = OrganisationCard(self.lineage, invitation, self.name, f"{self.name}@example.org")
        return make_organisation_card(self.key, federation, card, counter=counter)

    def node_card(
        self,
        federation: FederationId,
        name: str,
        *,
        counter: int = 1,
        capacity_bytes: int = TIB,
        zone: str | None = None,
        state: NodeState = NodeState.ACTIVE,
        address: str | None = None,
    ) -> Record:
        key = node_key(name)
        card = NodeCard(
            certification=self.certify(federation, NodeId(key.public)),
            name=name,
            zone=zone or f"zone of {name}",
            addresses=(address or f"{name}.example.org:7000",),
            bulk_address=None,
            capacity_bytes=capacity_bytes,
            protocol_least=1,
            protocol_most=1,
            state=state,
        )
        return make_node_card(key, federation, card, counter=counter)

    def introduce(self, federation: FederationId, node: str, guest: Org, invitation: Digest) -> Record:
        key = node_key(node)
        sponsor = self.certify(federation, NodeId(key.public))
        return make_introduction(key, federation, sponsor, invitation, guest.id)

    def ballot(self, federation: FederationId, motion: Motion, *, approve: bool = True) -> Record:
        return make_ballot(self.key, federation, Ballot(self.lineage, motion, approve))

    def propose(self, federation: FederationId, motion: Motion, *, counter: int = 1) -> Record:
        return make_proposal(self.key, federation, self.lineage, motion, counter=counter)


def invitation_of(name: str) -> Digest:
    return Digest(seed(f"invitation {name}"))


def node_id(name: str) -> NodeId:
    return NodeId(node_key(name).public)


def admission(org: Org, standing: Standing = STANDING) -> Decision:
    return admit(Admission(org.lineage, standing))


def found(
    founder: Org = Org("alpha"),
    *,
    alone_up_to: int = 3,
    quorum: Quorum = Quorum.MAJORITY,
    admissions: Admissions = Admissions.SPONSORED,
    name: str = "test federation",
    ceiling_bytes: int = 10 * TIB,
) -> tuple[View, list[Record]]:
    """A view of a new federation with its founder's cards, and all records so far.

    The founder's node has the founder's name.
    """
    standing = replace(STANDING, capacity_ceiling_bytes=ceiling_bytes)
    charter = Charter(
        name, founder.lineage, standing, 1_800_000_000, admissions, quorum, alone_up_to, standard_classes()
    )
    federation, record = make_charter(founder.key, charter)
    records = [record, founder.card(federation), founder.node_card(federation, founder.name)]
    view = View(federation)
    for one in records:
        view.admit(one)
    return view, records


def joining(federation: FederationId, sponsor: Org, guest: Org, *, capacity_bytes: int = TIB) -> list[Record]:
    """The records with which `guest` becomes a pending organisation of `sponsor`, whose node has its name."""
    invitation = invitation_of(f"{sponsor.name} to {guest.name}")
    return [
        sponsor.introduce(federation, sponsor.name, guest, invitation),
        guest.card(federation, invitation=invitation),
        guest.node_card(federation, guest.name, capacity_bytes=capacity_bytes),
    ]


def federate(view: View, orgs: list[Org], standing: Standing = STANDING) -> list[Record]:
    """Let `orgs`, the founder first, admit each other one by one; the records it took."""
    records: list[Record] = []
    for count, guest in enumerate(orgs):
        if count == 0:
            continue
        records += joining(view.federation, orgs[0], guest)
        view.admit_all(records[-3:])
        records += decide(view, orgs[:count], admission(guest, standing))
    return records


def decide(view: View, voters: list[Org], decision: Decision) -> list[Record]:
    """Cast the ballots of those `voters` who are in the electorate, until it is decided; the ballots cast."""
    motion, electorate = view.motion(decision), {member.organisation for member in view.chain.electorate}
    ballots: list[Record] = []
    for voter in voters:
        if view.chain.after == motion.after and voter.id in electorate:
            ballots.append(voter.ballot(view.federation, motion))
            view.admit(ballots[-1])
    return ballots


def namespace_card(
    federation: FederationId,
    org: Org,
    node: str,
    name: str,
    *,
    epoch: int = 1,
    generation: int = 1,
    from_epoch: int = 1,
    writer: str | None = None,
    holders: tuple[str, ...] = (),
    consenting: bool = True,
) -> Record:
    root = Root(seed(f"namespace {name}"))
    key = SigningKey.from_seed(seed(f"writer {writer or name}"))
    certificate = certify_writer(root, key.public, node_id(node), generation=generation, from_epoch=from_epoch)
    journal = tuple(node_id(holder) for holder in holders) or (node_id(node),)
    card = NamespaceCard(certificate, org.id, epoch, journal, 1)
    return make_namespace_card(key, federation, card, gateway_key=node_key(node) if consenting else None)


def namespace_id(name: str) -> NamespaceId:
    return Root(seed(f"namespace {name}")).namespace
