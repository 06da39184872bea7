"""What probes carry: a node's own claim, alone or quoted by an accuser.

A claim is the node's signed word "I am here (or leaving), incarnation i". An update is a claim, and, when it is an
accusation, the accuser's signature over that very claim. Both are bound to the federation. Nothing here says that
a node is dead: see `protocol.members.swim`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol.errors import Malformed
from protocol.ids import SIGNATURE_BYTES, FederationId, NodeId
from protocol.keys.signing import SigningKey, verify
from protocol.wire.canonical import encode as encode_value
from protocol.wire.schema import Length, Signature, decode, encode

UPDATE_BYTES_MAX = 512

_CLAIM_PURPOSE = "maillon/swim-claim/1"
_ACCUSATION_PURPOSE = "maillon/swim-accusation/1"


@dataclass(frozen=True, slots=True)
class Claim:
    """A node's word about itself. Of two, the higher incarnation holds."""

    node: NodeId
    incarnation: int
    leaving: bool
    signature: Signature


@dataclass(frozen=True, slots=True)
class Update:
    """A claim to believe (`accuser` is None, `doubt` empty) or one that `accuser` got no answer to."""

    WIRE_VERSION: ClassVar[int] = 1
    claim: Claim
    accuser: NodeId | None
    doubt: Annotated[bytes, Length(0, SIGNATURE_BYTES)]

    def verify(self, federation: FederationId) -> None:
        """Raises Forged(`signature`) unless both signatures are good."""
        claim = self.claim
        verify(
            claim.node,
            _CLAIM_PURPOSE,
            _claimed(federation, claim.node, claim.incarnation, claim.leaving),
            claim.signature,
        )
        if self.accuser is not None:
            verify(self.accuser, _ACCUSATION_PURPOSE, _doubted(federation, claim), self.doubt)


def sign_claim(federation: FederationId, key: SigningKey, incarnation: int, *, leaving: bool) -> Claim:
    node = NodeId(key.public)
    signature = key.sign(_CLAIM_PURPOSE, _claimed(federation, node, incarnation, leaving))
    return Claim(node, incarnation, leaving, signature)


def sign_accusation(federation: FederationId, key: SigningKey, claim: Claim) -> Update:
    return Update(claim, NodeId(key.public), key.sign(_ACCUSATION_PURPOSE, _doubted(federation, claim)))


def encode_update(update: Update) -> bytes:
    return encode(update)


def decode_update(data: bytes) -> Update:
    """Raises Malformed (`swim-update` when accuser and doubt do not go together) or OverLimit."""
    update = decode(Update, data, size_bytes_max=UPDATE_BYTES_MAX)
    if (update.accuser is None) != (not update.doubt) or update.accuser == update.claim.node:
        raise Malformed("swim-update")
    return update


def _claimed(federation: FederationId, node: NodeId, incarnation: int, leaving: bool) -> bytes:  # noqa: FBT001
    return encode_value([federation, node, incarnation, leaving])


def _doubted(federation: FederationId, claim: Claim) -> bytes:
    return encode_value([federation, claim.node, claim.incarnation, claim.leaving])
