"""A namespace's root: the 32 bytes on paper from which everything else derives.

The root is in no machine's keeping. One context of BLAKE3's key derivation for each use makes of it the key that
signs (its public half *is* the namespace's id, so a certificate needs no directory to be checked), and a wrapping
key for each generation of secrets. A gateway gets the wrapping keys and a certificate for its own writer key, never
the root: whoever steals the gateway can be locked out by the next generation, which only the root can make.

Invariant: nothing that this module returns, except the root itself, lets anyone compute the root or another
generation's wrapping key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.ids import ID_BYTES, NamespaceId, NodeId, PublicKey
from protocol.keys.derive import derive_key
from protocol.keys.signing import SigningKey, verify
from protocol.wire import schema
from protocol.wire.schema import Range, Signature

ROOT_BYTES: Final = ID_BYTES
GENERATION_MAX: Final = 2**23 - 1
FIRST_GENERATION: Final = 1
CERTIFICATE_PURPOSE: Final = "maillon/writer-certificate/1"

_SIGNING_CONTEXT: Final = "maillon 2026 namespace root signing key 1"
_WRAPPING_CONTEXT: Final = "maillon 2026 namespace wrapping key 1"

Generation = Annotated[int, Range(FIRST_GENERATION, GENERATION_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class Root:
    """The root secret. It never shows itself: `repr` gives the namespace's id."""

    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) != ROOT_BYTES:
            raise ValueError("a namespace's root has 32 bytes")

    @property
    def signing_key(self) -> SigningKey:
        return SigningKey.from_seed(derive_key(_SIGNING_CONTEXT, self.secret))

    @property
    def namespace(self) -> NamespaceId:
        return NamespaceId(self.signing_key.public)

    def wrapping_key(self, generation: int) -> bytes:
        """What wraps the secrets of one generation; each rotation goes on to the next."""
        if not FIRST_GENERATION <= generation <= GENERATION_MAX:
            raise ValueError("generations are counted from 1")
        return derive_key(_WRAPPING_CONTEXT, self.secret + generation.to_bytes(4, "big"))

    def __repr__(self) -> str:
        return f"Root(namespace={self.namespace.hex()})"


@dataclass(frozen=True, slots=True)
class _Statement:
    """What the root signs."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    writer: PublicKey
    node: NodeId
    generation: Generation
    from_epoch: int


@dataclass(frozen=True, slots=True)
class WriterCertificate:
    """The root's word that `writer`, a key of the gateway `node`, may sign the journal from `from_epoch` on.

    `generation` ends the certificate with the secrets that went with it: a higher one overrules it.
    """

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    writer: PublicKey
    node: NodeId
    generation: Generation
    from_epoch: int
    signature: Signature


def certify_writer(
    root: Root, writer: PublicKey, node: NodeId, *, generation: int, from_epoch: int
) -> WriterCertificate:
    """Let the gateway `node` write with the key `writer`."""
    statement = schema.encode(_Statement(root.namespace, writer, node, generation, from_epoch))
    signature = root.signing_key.sign(CERTIFICATE_PURPOSE, statement)
    return WriterCertificate(root.namespace, writer, node, generation, from_epoch, signature)


def verify_certificate(certificate: WriterCertificate) -> None:
    """Return if the namespace's root signed the certificate.

    Raises:
        Forged: `signature`.
    """
    statement = _Statement(
        certificate.namespace,
        certificate.writer,
        certificate.node,
        certificate.generation,
        certificate.from_epoch,
    )
    verify(certificate.namespace, CERTIFICATE_PURPOSE, schema.encode(statement), certificate.signature)
