"""Keys on the node's disk: files that only their owner may read.

Two kinds live under `keys/`: bare seeds (the node's, the organisation's until it goes to paper), and for each
namespace that this node serves what a gateway needs: its writer key with the root's certificate, and the wrapping
keys of the generations it may read. The root itself is never among them. A node must start unattended, so the files
are not encrypted; their mode (0600) and the disk are what guards them, and a thief of the gateway is locked out by
the next generation.

Every file ends with a checksum, so that a damaged key is named instead of being used to sign nonsense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, ClassVar, Final

from node.host.ports import Disk
from protocol import limits
from protocol.errors import Damaged, Forged, MaillonError, Missing
from protocol.ids import ID_BYTES, NamespaceId, NodeId, text_of
from protocol.keys.derive import digest
from protocol.keys.signing import SigningKey
from protocol.namespace.root import Generation, Root, WriterCertificate, certify_writer, verify_certificate
from protocol.wire import schema
from protocol.wire.schema import Length

KEYS_FOLDER: Final = PurePath("keys")
NAMESPACES_FOLDER: Final = KEYS_FOLDER / "namespaces"

GENERATIONS_KEPT_MAX: Final = 1_024

_CHECKSUM_CONTEXT: Final = "maillon 2026 key file 1"
_FILE_BYTES_MAX: Final = 512 * limits.KIB
_SUFFIX: Final = ".key"

Seed = Annotated[bytes, Length(ID_BYTES, ID_BYTES)]


@dataclass(frozen=True, slots=True, repr=False)
class WrappingKey:
    """What opens the epochs of one generation."""

    generation: Generation
    key: Seed

    def __repr__(self) -> str:
        return f"WrappingKey(generation={self.generation})"


@dataclass(frozen=True, slots=True, repr=False)
class GatewaySecrets:
    """What this node needs to write and read one namespace, and the class of its new blocks.

    `opening` is the epoch it last wrote, encoded. `takeover`: it is to become the writer, whoever is now. `follows`:
    it reads what another gateway writes, until then.
    """

    WIRE_VERSION: ClassVar[int] = 1
    name: Annotated[str, Length(1, limits.NAME_BYTES_MAX)]
    data_class: Annotated[str, Length(1, limits.NAME_BYTES_MAX)]
    namespace: NamespaceId
    writer_seed: Seed
    certificate: WriterCertificate
    wrapping_keys: Annotated[tuple[WrappingKey, ...], Length(1, GENERATIONS_KEPT_MAX)]
    opening: Annotated[bytes, Length(0, 256 * limits.KIB)]
    takeover: bool = False
    follows: bool = False

    @property
    def writer_key(self) -> SigningKey:
        return SigningKey.from_seed(self.writer_seed)

    def wrapping_key(self, generation: int) -> bytes:
        """The key of a generation. Raises Missing(`generation-key-missing`)."""
        for wrapping in self.wrapping_keys:
            if wrapping.generation == generation:
                return wrapping.key
        raise Missing("generation-key-missing", namespace=self.namespace, generation=generation)

    def __repr__(self) -> str:
        return f"GatewaySecrets(name={self.name!r}, namespace={text_of(self.namespace)})"


def gateway_secrets(
    root: Root, *, name: str, data_class: str, node: NodeId, writer_seed: bytes, generation: int, from_epoch: int
) -> GatewaySecrets:
    """What `root` gives to a gateway: a certificate for its writer key, and all generations up to `generation`."""
    writer = SigningKey.from_seed(writer_seed)
    certificate = certify_writer(root, writer.public, node, generation=generation, from_epoch=from_epoch)
    wrapping_keys = tuple(WrappingKey(number, root.wrapping_key(number)) for number in range(1, generation + 1))
    return GatewaySecrets(name, data_class, root.namespace, writer_seed, certificate, wrapping_keys, b"")


def save_seed(disk: Disk, name: str, seed: bytes) -> None:
    """Keep a signing key's seed as `keys/<name>.key`, durably."""
    if len(seed) != ID_BYTES:
        raise ValueError("an Ed25519 seed has 32 bytes")
    disk.replace(_seed_path(name), _with_checksum(seed), private=True)


def load_seed(disk: Disk, name: str) -> bytes:
    """The seed that `save_seed` kept.

    Raises:
        Missing: `key-missing`.
        Damaged: `key-damaged`.
    """
    path = _seed_path(name)
    seed = _read(disk, path)
    if len(seed) != ID_BYTES:
        raise Damaged("key-damaged", path=str(path))
    return seed


def save_secrets(disk: Disk, secrets: GatewaySecrets) -> None:
    """Keep a namespace's secrets, durably; they replace older ones of the same namespace."""
    disk.replace(_secrets_path(secrets.namespace), _with_checksum(schema.encode(secrets)), private=True)


def encode_secrets(secrets: GatewaySecrets) -> bytes:
    """As the admin socket carries them."""
    return schema.encode(secrets)


def decode_secrets(data: bytes) -> GatewaySecrets:
    """Secrets whose certificate was verified. Raises Malformed, and Forged(`signature`, `journal-certificate`)."""
    secrets = schema.decode(GatewaySecrets, data, size_bytes_max=_FILE_BYTES_MAX)
    verify_certificate(secrets.certificate)
    certified = (secrets.certificate.namespace, secrets.certificate.writer)
    if certified != (secrets.namespace, secrets.writer_key.public):
        raise Forged("journal-certificate", namespace=secrets.namespace)
    return secrets


def load_secrets(disk: Disk, namespace: NamespaceId) -> GatewaySecrets:
    """The secrets of one namespace.

    Raises:
        Missing: `key-missing`: this node is no gateway of it.
        Damaged: `key-damaged`.
    """
    path = _secrets_path(namespace)
    try:
        secrets = schema.decode(GatewaySecrets, _read(disk, path))
    except (Damaged, Missing):
        raise
    except MaillonError as error:
        raise Damaged("key-damaged", path=str(path)) from error
    if secrets.namespace != namespace:
        raise Damaged("key-damaged", path=str(path))
    return secrets


def saved_namespaces(disk: Disk) -> tuple[str, ...]:
    """The ids, as text, of the namespaces whose secrets are here; sorted."""
    names = disk.list(NAMESPACES_FOLDER)
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def _read(disk: Disk, path: PurePath) -> bytes:
    if not disk.exists(path):
        raise Missing("key-missing", path=str(path))
    try:
        data = disk.read(path, size_bytes_max=_FILE_BYTES_MAX)
    except OSError as error:
        raise Damaged("key-unreadable", path=str(path), reason=error.strerror or "") from error
    body, checksum = data[:-ID_BYTES], data[-ID_BYTES:]
    if len(data) < ID_BYTES or digest(_CHECKSUM_CONTEXT, body) != checksum:
        raise Damaged("key-damaged", path=str(path))
    return body


def _with_checksum(body: bytes) -> bytes:
    return body + digest(_CHECKSUM_CONTEXT, body)


def _seed_path(name: str) -> PurePath:
    return KEYS_FOLDER / f"{name}{_SUFFIX}"


def _secrets_path(namespace: NamespaceId) -> PurePath:
    return NAMESPACES_FOLDER / f"{text_of(namespace)}{_SUFFIX}"
