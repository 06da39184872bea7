"""The names of things: 32 bytes each, distinct to the type checker.

A node's id is its Ed25519 public key; an organisation's is the hash of its first public key and of what commits it
to the later ones (its current key may change, its name may not); a federation's is the hash of its founding charter;
a block's is the hash of its header; a namespace's is the public key that its root derives. People see them in
lower-case base32 without padding (RFC 4648), or its first ten letters where a prefix is enough to tell things apart.
"""

from __future__ import annotations

import base64
import binascii
from typing import NewType

from protocol.errors import Malformed

ID_BYTES = 32
SIGNATURE_BYTES = 64

PublicKey = NewType("PublicKey", bytes)
NodeId = NewType("NodeId", bytes)
OrganisationId = NewType("OrganisationId", bytes)
FederationId = NewType("FederationId", bytes)
NamespaceId = NewType("NamespaceId", bytes)
BlockId = NewType("BlockId", bytes)
RecordId = NewType("RecordId", bytes)
Digest = NewType("Digest", bytes)


def text_of(identity: bytes) -> str:
    """The 52 letters that people copy."""
    return base64.b32encode(identity).decode("ascii").rstrip("=").lower()


def short_text_of(identity: bytes) -> str:
    """The first ten letters: enough to recognise, not to address."""
    return text_of(identity)[:10]


def identity_from_text(text: str) -> bytes:
    """The id that `text_of` wrote.

    Raises:
        Malformed: `id-text` when the text is not 52 base32 letters.
    """
    letters = text.strip().upper()
    try:
        raw = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError) as error:
        raise Malformed("id-text", text=text[:64]) from error
    if len(raw) != ID_BYTES or text_of(raw) != letters.lower():
        raise Malformed("id-text", text=text[:64])
    return raw


def is_identity_text(text: str) -> bool:
    """Whether this could be what `text_of` wrote."""
    try:
        return text_of(identity_from_text(text)) == text
    except Malformed:
        return False
