"""What members say about themselves: cards, and the word of one who brings another in.

Cards are claims. A card proves who speaks (its author's key, through a lineage or a certification that it carries,
so that each card can be checked alone); what the federation believes of it is decided in `protocol.members.facts`
from what the members admitted.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Final, TypeVar

from protocol.errors import Forged, Malformed
from protocol.ids import Digest, FederationId, NamespaceId, NodeId, OrganisationId
from protocol.keys.signing import SigningKey, verify
from protocol.limits import (
    ADDRESS_BYTES_MAX,
    ADDRESSES_MAX,
    CAPACITY_BYTES_MAX,
    JOURNAL_HOLDERS_MAX,
    NAME_BYTES_MAX,
)
from protocol.members.lineage import Certification, Lineage, check_certification, check_lineage
from protocol.members.records import Record, RecordKind, expect, sign_record
from protocol.namespace.journal import EPOCH_MAX, Epoch
from protocol.namespace.root import WriterCertificate, verify_certificate
from protocol.wire import schema
from protocol.wire.schema import Length, Range, Signature

CONSENT_PURPOSE: Final = "maillon/gateway-consent/1"

_EPOCHS_PER_GENERATION: Final = EPOCH_MAX + 1

B = TypeVar("B")
Name = Annotated[str, Length(1, NAME_BYTES_MAX)]
Address = Annotated[str, Length(1, ADDRESS_BYTES_MAX)]
ProtocolVersion = Annotated[int, Range(1, 2**16 - 1)]


class NodeState(enum.IntEnum):
    """LEAVING holds what it has and takes nothing new; LEFT is a member no more until it says ACTIVE again."""

    ACTIVE = 1
    LEAVING = 2
    LEFT = 3


@dataclass(frozen=True, slots=True)
class OrganisationCard:
    """`invitation` names the one it came with, which is its consent to that sponsor; the founder has none."""

    WIRE_VERSION: ClassVar[int] = 1
    lineage: Lineage
    invitation: Digest | None
    name: Name
    contact: Annotated[str, Length(0, 256)]


@dataclass(frozen=True, slots=True)
class NodeCard:
    """What a node says of itself. `addresses` are tried in order; none means that it only dials out."""

    WIRE_VERSION: ClassVar[int] = 1
    certification: Certification
    name: Name
    zone: Name
    addresses: Annotated[tuple[Address, ...], Length(0, ADDRESSES_MAX)]
    bulk_address: Address | None
    capacity_bytes: Annotated[int, Range(0, CAPACITY_BYTES_MAX)]
    protocol_least: ProtocolVersion
    protocol_most: ProtocolVersion
    state: NodeState

    def __post_init__(self) -> None:
        if self.protocol_least > self.protocol_most:
            raise Malformed("card-protocols", least=self.protocol_least, most=self.protocol_most)

    @property
    def organisation(self) -> OrganisationId:
        return self.certification.organisation


@dataclass(frozen=True, slots=True)
class Introduction:
    """A member's node vouches for an organisation that holds one of its invitations."""

    WIRE_VERSION: ClassVar[int] = 1
    sponsor: Certification
    organisation: OrganisationId


@dataclass(frozen=True, slots=True)
class NamespaceCard:
    """Where a namespace is written: by which key, through which gateway, and who holds its journal.

    A card of a later epoch replaces an earlier one, never by time; one of a higher generation replaces both, so that
    a stolen gateway cannot keep its place by claiming a high epoch. `consent` is the gateway's own signature. A card
    without it counts in a small bucket of its own, so that nobody can use up another organisation's room by naming
    its node.
    """

    WIRE_VERSION: ClassVar[int] = 1
    certificate: WriterCertificate
    organisation: OrganisationId
    epoch: Epoch
    journal_holders: Annotated[tuple[NodeId, ...], Length(1, JOURNAL_HOLDERS_MAX)]
    journal_quorum: Annotated[int, Range(1, JOURNAL_HOLDERS_MAX)]
    consent: Signature | None = None

    def __post_init__(self) -> None:
        holders = len(self.journal_holders)
        if len(set(self.journal_holders)) != holders or self.journal_quorum > holders:
            raise Malformed("card-journal", holders=holders, quorum=self.journal_quorum)

    @property
    def counter(self) -> int:
        """What orders the cards of a namespace: the generation, then the epoch."""
        return self.certificate.generation * _EPOCHS_PER_GENERATION + self.epoch


@dataclass(frozen=True, slots=True)
class _Consent:
    """What a gateway signs."""

    WIRE_VERSION: ClassVar[int] = 1
    federation: FederationId
    certificate: WriterCertificate


def make_organisation_card(
    key: SigningKey, federation: FederationId, card: OrganisationCard, *, counter: int
) -> Record:
    """The card, signed with the current key of its lineage."""
    return sign_record(
        key, federation, RecordKind.ORGANISATION, counter, card.lineage.organisation, schema.encode(card)
    )


def make_node_card(key: SigningKey, federation: FederationId, card: NodeCard, *, counter: int) -> Record:
    """The card, signed with the node's own key."""
    return sign_record(key, federation, RecordKind.NODE, counter, key.public, schema.encode(card))


def make_introduction(
    key: SigningKey,
    federation: FederationId,
    sponsor: Certification,
    invitation: Digest,
    organisation: OrganisationId,
) -> Record:
    """Vouch, with the key of a member's node, for the organisation that came with `invitation` (its id)."""
    body = schema.encode(Introduction(sponsor, organisation))
    return sign_record(key, federation, RecordKind.INTRODUCTION, 1, invitation, body)


def make_namespace_card(
    key: SigningKey, federation: FederationId, card: NamespaceCard, *, gateway_key: SigningKey | None = None
) -> Record:
    """The card, signed with the certified writer's `key`.

    `gateway_key` is the node key of the gateway, with which it consents.
    """
    if gateway_key is not None:
        card = replace(card, consent=gateway_key.sign(CONSENT_PURPOSE, _consented(federation, card.certificate)))
    return sign_record(
        key, federation, RecordKind.NAMESPACE, card.counter, card.certificate.namespace, schema.encode(card)
    )


def read_organisation_card(record: Record) -> OrganisationCard:
    """Raises Forged(`lineage`) when another than the organisation's own key speaks."""
    card = _body(record, RecordKind.ORGANISATION, OrganisationCard)
    check_lineage(card.lineage, OrganisationId(record.subject), record.author)
    return card


def read_node_card(record: Record) -> NodeCard:
    """Raises Forged(`signature`, `card-subject`) when no organisation certified the node, or another node speaks."""
    card = _body(record, RecordKind.NODE, NodeCard)
    if record.subject != record.author:
        raise Forged("card-subject", kind=record.kind)
    check_certification(card.certification, record.federation, NodeId(record.author))
    return card


def read_introduction(record: Record) -> Introduction:
    """Raises Forged(`signature`) when the author is not the sponsor's node; Malformed for a second counter."""
    introduction = _body(record, RecordKind.INTRODUCTION, Introduction)
    if record.counter != 1:
        raise Malformed("record-counter", kind=record.kind, counter=record.counter)
    check_certification(introduction.sponsor, record.federation, NodeId(record.author))
    return introduction


def read_namespace_card(record: Record) -> NamespaceCard:
    """Raises Forged unless the namespace's root certified the author as writer for this epoch."""
    card = _body(record, RecordKind.NAMESPACE, NamespaceCard)
    certificate = card.certificate
    if record.subject != certificate.namespace or record.author != certificate.writer:
        raise Forged("card-subject", kind=record.kind)
    if record.counter != card.counter or card.epoch < certificate.from_epoch:
        raise Forged("card-epoch", namespace=NamespaceId(record.subject), epoch=card.epoch)
    verify_certificate(certificate)
    if card.consent is not None:
        verify(certificate.node, CONSENT_PURPOSE, _consented(record.federation, certificate), card.consent)
    return card


def _consented(federation: FederationId, certificate: WriterCertificate) -> bytes:
    return schema.encode(_Consent(federation, certificate))


def _body(record: Record, kind: RecordKind, body: type[B]) -> B:
    expect(record, kind)
    return schema.decode(body, record.body)
