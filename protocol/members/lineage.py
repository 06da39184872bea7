"""An organisation's keys, one after the other, and what they certify.

An organisation is named by the hash of its first key and of the hash that stands for all its later ones:

    id = H(key 0, H(key 1, H(key 2, ... H(key 7, 32 zero bytes))))

A lineage shows the keys used so far and the hash of the rest, so it proves itself against the id alone: whoever
stole key 0 cannot show another key 1, and the owner, who has the seed on paper, can. The longer of two lineages is
the later one; no third case exists. A key used is never used again once its successor is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar, Final

from protocol.errors import Forged
from protocol.ids import ID_BYTES, Digest, FederationId, NodeId, OrganisationId, PublicKey
from protocol.keys.derive import derive_key, digest
from protocol.keys.signing import SigningKey, verify
from protocol.limits import ORGANISATION_KEYS_MAX
from protocol.wire import schema
from protocol.wire.schema import Length, Signature

CERTIFICATION_PURPOSE: Final = "maillon/node-certification/1"

_KEY_CONTEXT: Final = "maillon 2026 organisation signing key 1"
_COMMITMENT_CONTEXT: Final = "maillon 2026 organisation key commitment 1"
_NO_MORE_KEYS: Final = Digest(bytes(ID_BYTES))


@dataclass(frozen=True, slots=True)
class Lineage:
    """The keys shown so far, the current one last, and the hash that commits to those to come."""

    keys: Annotated[tuple[PublicKey, ...], Length(1, ORGANISATION_KEYS_MAX)]
    next_key_hash: Digest

    @property
    def organisation(self) -> OrganisationId:
        return OrganisationId(_commit(self.keys, self.next_key_hash))

    @property
    def current(self) -> PublicKey:
        return self.keys[-1]


@dataclass(frozen=True, slots=True, repr=False)
class OrganisationKeys:
    """All keys of an organisation, from one 32-byte seed that rests on paper. It never shows itself."""

    seed: bytes

    def __post_init__(self) -> None:
        if len(self.seed) != ID_BYTES:
            raise ValueError("an organisation's seed has 32 bytes")

    def key(self, generation: int = 0) -> SigningKey:
        """The key in use after `generation` successions."""
        if not 0 <= generation < ORGANISATION_KEYS_MAX:
            raise ValueError("an organisation's keys are counted from 0 to ORGANISATION_KEYS_MAX - 1")
        return SigningKey.from_seed(derive_key(_KEY_CONTEXT, self.seed + bytes([generation])))

    def lineage(self, generation: int = 0) -> Lineage:
        """What may be shown when the key of `generation` is the current one."""
        publics = tuple(self.key(index).public for index in range(ORGANISATION_KEYS_MAX))
        shown = publics[: generation + 1]
        return Lineage(shown, _commit(publics[generation + 1 :], _NO_MORE_KEYS))

    @property
    def organisation(self) -> OrganisationId:
        return self.lineage().organisation

    def __repr__(self) -> str:
        return f"OrganisationKeys(organisation={self.organisation.hex()})"


@dataclass(frozen=True, slots=True)
class _Certified:
    """What an organisation signs about a node."""

    WIRE_VERSION: ClassVar[int] = 1
    federation: FederationId
    organisation: OrganisationId
    node: NodeId


@dataclass(frozen=True, slots=True)
class Certification:
    """The organisation's word that a node is its own, by the key that was current then."""

    lineage: Lineage
    signature: Signature

    @property
    def organisation(self) -> OrganisationId:
        return self.lineage.organisation


def certify_node(key: SigningKey, lineage: Lineage, federation: FederationId, node: NodeId) -> Certification:
    """Say, with the lineage's current `key`, that `node` is this organisation's."""
    if key.public != lineage.current:
        raise ValueError("certifications are made with the lineage's current key")
    signed = schema.encode(_Certified(federation, lineage.organisation, node))
    return Certification(lineage, key.sign(CERTIFICATION_PURPOSE, signed))


def check_certification(certification: Certification, federation: FederationId, node: NodeId) -> None:
    """Return if the lineage's current key certified `node`.

    Raises:
        Forged: `signature`.
    """
    signed = schema.encode(_Certified(federation, certification.organisation, node))
    verify(certification.lineage.current, CERTIFICATION_PURPOSE, signed, certification.signature)


def check_lineage(lineage: Lineage, organisation: OrganisationId, author: PublicKey) -> None:
    """Return if `author` is the current key of a lineage of this organisation.

    Raises:
        Forged: `lineage` with the organisation.
    """
    if lineage.organisation != organisation or lineage.current != author:
        raise Forged("lineage", organisation=organisation)


@lru_cache(maxsize=4_096)
def _commit(keys: tuple[PublicKey, ...], rest: Digest) -> Digest:
    for key in reversed(keys):
        rest = digest(_COMMITMENT_CONTEXT, key, rest)
    return rest
