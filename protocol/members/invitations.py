"""Invitations: a member's node lets one organisation try to join.

An invitation is a text that people send each other. It says which federation, whom to dial and until when, carries
a secret nonce, and is signed by the inviting node, so that this node recognises its own without keeping a list. The
nonce's hash is the invitation's id: the introduction names it, for all members to see that it is used, and reveals
nothing that would let another use it first. Whoever holds the text may use it, so it travels by a trusted channel.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.errors import Forged, MaillonError, Malformed, Refused
from protocol.ids import ID_BYTES, Digest, FederationId, NodeId, OrganisationId
from protocol.keys.derive import digest
from protocol.keys.signing import SigningKey, verify
from protocol.limits import ADDRESS_BYTES_MAX, INVITATION_ADDRESSES_MAX, INVITATION_BYTES_MAX
from protocol.wire import schema
from protocol.wire.schema import Length, Signature

INVITATION_PURPOSE: Final = "maillon/invitation/1"
TEXT_PREFIX: Final = "maillon1"

_ID_CONTEXT: Final = "maillon 2026 invitation id 1"
_CHECKSUM_CONTEXT: Final = "maillon 2026 invitation checksum 1"
_CHECKSUM_BYTES: Final = 5

Address = Annotated[str, Length(1, ADDRESS_BYTES_MAX)]
Addresses = Annotated[tuple[Address, ...], Length(1, INVITATION_ADDRESSES_MAX)]


@dataclass(frozen=True, slots=True)
class _Promise:
    """What the inviting node signs."""

    WIRE_VERSION: ClassVar[int] = 1
    invitation: Digest
    federation: FederationId
    organisation: OrganisationId
    inviter: NodeId
    addresses: Addresses
    expires_s: int


@dataclass(frozen=True, slots=True, repr=False)
class Invitation:
    """`nonce` is secret. `organisation` and its node `inviter`, dialled at `addresses`, are the sponsor."""

    WIRE_VERSION: ClassVar[int] = 1
    nonce: Annotated[bytes, Length(ID_BYTES, ID_BYTES)]
    federation: FederationId
    organisation: OrganisationId
    inviter: NodeId
    addresses: Addresses
    expires_s: int
    signature: Signature

    def __repr__(self) -> str:
        return f"Invitation(id={invitation_id(self).hex()})"


def make_invitation(
    key: SigningKey,
    federation: FederationId,
    organisation: OrganisationId,
    *,
    addresses: Sequence[str],
    expires_s: int,
    nonce: bytes,
) -> Invitation:
    """An invitation by the node that owns `key`; `nonce` is 32 fresh random bytes.

    Raises:
        Refused: `invitation-unreachable` when this node has no address that a newcomer could dial.
    """
    if not addresses:
        raise Refused("invitation-unreachable", inviter=key.public)
    told = tuple(addresses)[:INVITATION_ADDRESSES_MAX]
    inviter = NodeId(key.public)
    promise = _Promise(_id_of(nonce), federation, organisation, inviter, told, expires_s)
    signature = key.sign(INVITATION_PURPOSE, schema.encode(promise))
    return Invitation(nonce, federation, organisation, inviter, told, expires_s, signature)


def invitation_id(invitation: Invitation) -> Digest:
    """What introductions and organisations' cards name."""
    return _id_of(invitation.nonce)


def check(
    invitation: Invitation, *, federation: FederationId, inviter: NodeId, now_s: int, used: Container[Digest]
) -> None:
    """Return if the node `inviter` made this invitation and it still holds; `used` has the ids of those used.

    Raises:
        Forged: `invitation`.
        Refused: `invitation-federation`, `invitation-inviter`, `invitation-expired`, `invitation-used`.
    """
    check_signature(invitation)
    if invitation.federation != federation:
        raise Refused("invitation-federation", expected=federation, found=invitation.federation)
    if invitation.inviter != inviter:
        raise Refused("invitation-inviter", inviter=invitation.inviter)
    if now_s >= invitation.expires_s:
        raise Refused("invitation-expired", expired_s=invitation.expires_s)
    if invitation_id(invitation) in used:
        raise Refused("invitation-used", invitation=invitation_id(invitation))


def check_signature(invitation: Invitation) -> None:
    """Raises Forged(`invitation`) unless the inviter it names signed every word of it."""
    promise = _Promise(
        invitation_id(invitation),
        invitation.federation,
        invitation.organisation,
        invitation.inviter,
        invitation.addresses,
        invitation.expires_s,
    )
    try:
        verify(invitation.inviter, INVITATION_PURPOSE, schema.encode(promise), invitation.signature)
    except Forged as error:
        raise Forged("invitation", inviter=invitation.inviter) from error


def encode_invitation(invitation: Invitation) -> bytes:
    """Canonical bytes, for the request that shows it."""
    return schema.encode(invitation)


def decode_invitation(data: bytes) -> Invitation:
    """The invitation in canonical bytes; its signature is not looked at."""
    return schema.decode(Invitation, data, size_bytes_max=INVITATION_BYTES_MAX)


def encode_invitation_text(invitation: Invitation) -> str:
    """The text that people copy: letters and digits only, in one word."""
    raw = encode_invitation(invitation)
    return TEXT_PREFIX + base64.b32encode(raw + _checksum(raw)).decode("ascii").rstrip("=").lower()


def parse_invitation(text: str) -> Invitation:
    """The invitation in a text, whatever white space or capitals copying added; its signature is checked.

    Raises:
        Malformed: `invitation-text` for a text cut short or altered. Forged: `invitation`.
    """
    letters = "".join(text.split()).lower()
    if not letters.startswith(TEXT_PREFIX) or len(letters) > 4 * INVITATION_BYTES_MAX:
        raise Malformed("invitation-text")
    encoded = letters.removeprefix(TEXT_PREFIX).upper()
    try:
        raw = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
        body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
        if checksum != _checksum(body):
            raise Malformed("invitation-text")
        invitation = decode_invitation(body)
    except (binascii.Error, ValueError, MaillonError) as error:
        raise Malformed("invitation-text") from error
    check_signature(invitation)
    return invitation


def _id_of(nonce: bytes) -> Digest:
    return digest(_ID_CONTEXT, nonce)


def _checksum(raw: bytes) -> bytes:
    return digest(_CHECKSUM_CONTEXT, raw)[:_CHECKSUM_BYTES]
