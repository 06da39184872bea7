"""What makes a record of each kind acceptable: its form and proofs, whom it depends on, and whose quota it uses.

`read_record` checks everything that a record can prove alone. `objection` says what else must be known first; a
record depends only on kinds with lower numbers, so a set of records can be judged in that order. Expulsion is not
looked at here: records of those who were once members are kept (they may be evidence), and only the facts leave
them out. If keeping depended on it, two views that learnt of an expulsion at different times would never agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from protocol import limits
from protocol.ids import FederationId, NodeId, OrganisationId, PublicKey
from protocol.members.cards import (
    Introduction,
    NamespaceCard,
    NodeCard,
    OrganisationCard,
    read_introduction,
    read_namespace_card,
    read_node_card,
    read_organisation_card,
)
from protocol.members.certificate import Certificate, read_certificate
from protocol.members.charter import read_charter
from protocol.members.evidence import read_evidence
from protocol.members.governance import Ballot, Proposal, read_ballot, read_proposal
from protocol.members.lineage import Lineage
from protocol.members.records import Record, RecordKind, check_record, record_id
from protocol.members.shelf import Kept, Quota, Slot


@dataclass(slots=True)
class Known:
    """Who may speak: what the records kept so far say about that."""

    admitted_ever: set[OrganisationId] = field(default_factory=set)
    introduced: dict[OrganisationId, set[Slot]] = field(default_factory=dict)
    current_keys: dict[PublicKey, OrganisationId] = field(default_factory=dict)
    earlier_keys: dict[PublicKey, OrganisationId] = field(default_factory=dict)
    organisation_of: dict[NodeId, OrganisationId] = field(default_factory=dict)
    node_seniority: dict[NodeId, int] = field(default_factory=dict)
    key_seniority: dict[PublicKey, int] = field(default_factory=dict)
    writers: dict[PublicKey, set[Slot]] = field(default_factory=dict)

    def organisation(self, organisation: OrganisationId) -> bool:
        return organisation in self.admitted_ever or bool(self.introduced.get(organisation))

    def speaks_for(self, author: PublicKey) -> OrganisationId | None:
        """Whose key or node it is. A lineage proves possession of its current key only, so that goes first."""
        whose = self.current_keys.get(author) or self.organisation_of.get(NodeId(author))
        return whose or self.earlier_keys.get(author)

    def seniority(self, author: bytes) -> int:
        """How many keys its organisation had shown when it made this key, or certified this node."""
        node = self.node_seniority.get(NodeId(author))
        return self.key_seniority.get(PublicKey(author), 0) if node is None else node

    def learn(self, item: Kept) -> None:
        """The item is kept now."""
        body = item.body
        if isinstance(body, Introduction):
            self.introduced.setdefault(body.organisation, set()).add(item.slot)
        elif isinstance(body, OrganisationCard):
            self.current_keys[body.lineage.current] = body.lineage.organisation
            self.learn_keys(body.lineage)
        elif isinstance(body, NodeCard):
            self.organisation_of[NodeId(item.record.author)] = body.organisation
            self.node_seniority[NodeId(item.record.author)] = len(body.certification.lineage.keys)
        elif isinstance(body, NamespaceCard):
            self.writers.setdefault(item.record.author, set()).add(item.slot)

    def learn_keys(self, lineage: Lineage) -> None:
        """Of two organisations that both show a key as an earlier one, the smaller id is believed."""
        for place, key in enumerate(lineage.keys, start=1):
            self.key_seniority[key] = max(place, self.key_seniority.get(key, 0))
            whose = self.earlier_keys.get(key, lineage.organisation)
            self.earlier_keys[key] = min(whose, lineage.organisation)


def read_record(record: Record, federation: FederationId) -> Kept:
    """The record with its body, once everything that it can prove alone is checked.

    Raises:
        OverLimit, Malformed, Forged: see the kind. Refused: `record-federation`.
    """
    identity = record_id(record)
    check_record(record, federation)
    reader = _READERS.get(record.kind)
    body = None if reader is None else reader(record)
    return Kept(record, identity, body, _slot(record, body), _version(record, body))


def objection(item: Kept, known: Known) -> str | None:
    """Why the view must not keep this yet, as an error's identifier; None when it may."""
    body = item.body
    author = item.record.author
    if isinstance(body, Introduction):
        return None if body.sponsor.organisation in known.admitted_ever else "record-stranger"
    if isinstance(body, OrganisationCard):
        return None if known.organisation(body.lineage.organisation) else "record-stranger"
    if isinstance(body, NodeCard):
        return None if known.organisation(body.organisation) else "record-stranger"
    if isinstance(body, NamespaceCard):
        gateway = known.organisation_of.get(body.certificate.node)
        return None if gateway == body.organisation else "record-stranger"
    if item.record.kind == RecordKind.EVIDENCE:
        return None if known.speaks_for(author) or known.writers.get(author) else "record-stranger"
    if item.record.kind > RecordKind.EVIDENCE:
        return None if known.speaks_for(author) else "record-stranger"
    return None


def quota_of(item: Kept, known: Known) -> Quota | None:
    """Whose quota the item uses; None for what is bounded by its slots alone."""
    body = item.body
    kind = item.record.kind
    if isinstance(body, Certificate):
        # The one in force has a slot of its own; one more for its position is kept, as evidence of a fork.
        return Quota((kind, item.record.subject, b"fork"), 1) if item.slot[2] else None
    if isinstance(body, Introduction):
        sponsor = body.sponsor.organisation
        if body.organisation in known.admitted_ever:
            return Quota((kind, sponsor, body.organisation), 1, len(body.sponsor.lineage.keys))
        pending_max = limits.PENDING_ORGANISATIONS_PER_SPONSOR_MAX
        return Quota((kind, sponsor, b""), pending_max, len(body.sponsor.lineage.keys))
    if isinstance(body, NodeCard):
        full = body.organisation in known.admitted_ever
        most = limits.NODES_PER_ORGANISATION_MAX if full else limits.NODES_PER_PENDING_ORGANISATION_MAX
        return Quota((kind, body.organisation, b""), most, len(body.certification.lineage.keys))
    if isinstance(body, NamespaceCard):
        full = body.organisation in known.admitted_ever and body.consent is not None
        most = limits.NAMESPACES_PER_ORGANISATION_MAX if full else limits.NAMESPACES_PER_PENDING_ORGANISATION_MAX
        seniority = known.seniority(body.certificate.node)
        return Quota((kind, body.organisation, b"" if body.consent else b"unconsented"), most, seniority)
    if kind > RecordKind.EVIDENCE:
        whose = known.speaks_for(item.record.author) or OrganisationId(item.record.author)
        full = whose in known.admitted_ever
        few = limits.UNKNOWN_RECORDS_PER_PENDING_ORGANISATION_MAX
        most = limits.UNKNOWN_RECORDS_PER_ORGANISATION_MAX if full else few
        return Quota((0, whose, b""), most, known.seniority(item.record.author))
    return None


_READERS: Final[Mapping[int, Callable[[Record], object]]] = {
    RecordKind.CHARTER: read_charter,
    RecordKind.CERTIFICATE: read_certificate,
    RecordKind.BALLOT: read_ballot,
    RecordKind.PROPOSAL: read_proposal,
    RecordKind.INTRODUCTION: read_introduction,
    RecordKind.ORGANISATION: read_organisation_card,
    RecordKind.NODE: read_node_card,
    RecordKind.NAMESPACE: read_namespace_card,
    RecordKind.EVIDENCE: read_evidence,
}


def _slot(record: Record, body: object) -> Slot:
    """One voice for each organisation, whichever of its keys speaks; else one for each author and subject."""
    if isinstance(body, Ballot | Proposal):
        return record.kind, record.subject, body.lineage.organisation
    if isinstance(body, OrganisationCard | NamespaceCard | Certificate):
        return record.kind, record.subject, b""
    return record.kind, record.subject, record.author


def _version(record: Record, body: object) -> tuple[int, ...]:
    """Higher wins: a later key over an earlier one, a later certificate over an earlier one, then the counter."""
    if isinstance(body, OrganisationCard | Ballot | Proposal):
        return len(body.lineage.keys), record.counter
    if isinstance(body, NamespaceCard):
        return body.certificate.generation, body.epoch
    return (record.counter,)
