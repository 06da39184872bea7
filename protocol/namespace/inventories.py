"""The inventory: the owner's word on shares that nothing refers to and no release ever named.

A gateway that dies in the middle of a write leaves shares whose block no journal entry names. Nobody remembers them,
so nobody can release them; they are found by comparing what a holder keeps for the namespace with what the catalog
names, part by part of the space of block ids, by the tries of `protocol.members.reconcile`.

What is found may be freed only if no write that is still under way will name it. Every share carries the stamp of the
journal's position when it was written, so the writer states a *horizon*: every write that began before it has ended,
and what it put is either named by now or never will be. A holder frees shares stamped before the horizon and no
other, by its own copy of the label; so a writer that knows less than it believes still cannot touch what came later.
Of a later epoch than the writer's own there can be no such word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.coding.label import Stamp
from protocol.errors import Malformed
from protocol.ids import ID_BYTES, BlockId, NamespaceId, PublicKey
from protocol.keys.signing import SigningKey, verify
from protocol.namespace.journal import Epoch
from protocol.namespace.releases import ReleasedBlocks, check_speaker
from protocol.wire import schema
from protocol.wire.schema import Range, Signature

STRAYS_PURPOSE: Final = "maillon/stray-release/1"
PART_BITS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Part:
    """The blocks whose ids begin with these bits: part `number` of 2^`bits`. Ids are hashes, so parts are alike.

    Raises:
        Malformed: `inventory-part` when there is no such part.
    """

    bits: Annotated[int, Range(0, PART_BITS_MAX)]
    number: Annotated[int, Range(0, 2**PART_BITS_MAX - 1)]

    def __post_init__(self) -> None:
        if self.number >> self.bits:
            raise Malformed("inventory-part", bits=self.bits, number=self.number)

    def first(self) -> bytes:
        """The lowest id of the part."""
        return (self.number << (8 * ID_BYTES - self.bits)).to_bytes(ID_BYTES, "big")

    def last(self) -> bytes:
        """The highest."""
        return (((self.number + 1) << (8 * ID_BYTES - self.bits)) - 1).to_bytes(ID_BYTES, "big")

    def halves(self) -> tuple[Part, Part]:
        """The two parts that this one consists of. Raises Malformed(`inventory-part`) for one of the smallest."""
        if self.bits == PART_BITS_MAX:
            raise Malformed("inventory-part", bits=self.bits + 1, number=2 * self.number)
        return Part(self.bits + 1, 2 * self.number), Part(self.bits + 1, 2 * self.number + 1)

    def holds(self, block: bytes) -> bool:
        """Whether the id is one of the part."""
        return self.first() <= block <= self.last()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What the writer signs."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    writer: PublicKey
    horizon: Stamp
    blocks: ReleasedBlocks


@dataclass(frozen=True, slots=True)
class StrayRelease:
    """Nothing refers to shares of these blocks that are stamped before the horizon, says the writer of this epoch.

    Raises:
        Malformed: `stray-horizon` for a horizon in a later epoch.
    """

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    writer: PublicKey
    horizon: Stamp
    blocks: ReleasedBlocks
    signature: Signature

    def __post_init__(self) -> None:
        if self.horizon.epoch > self.epoch:
            raise Malformed("stray-horizon", namespace=self.namespace, epoch=self.epoch)


def sign_stray_release(
    writer: SigningKey, namespace: NamespaceId, epoch: int, horizon: Stamp, blocks: tuple[BlockId, ...]
) -> StrayRelease:
    """The writer's word on `blocks`."""
    statement = _Statement(namespace, epoch, writer.public, horizon, blocks)
    signature = writer.sign(STRAYS_PURPOSE, schema.encode(statement))
    return StrayRelease(namespace, epoch, writer.public, horizon, blocks, signature)


def verify_stray_release(release: StrayRelease, *, writer: PublicKey, epoch: int) -> None:
    """Return if a holder may obey, who knows of `writer` in `epoch` as the newest of the namespace.

    Raises:
        Refused, Unavailable: as `check_speaker`. Forged: `signature`.
    """
    check_speaker(release.namespace, release.epoch, is_known=release.writer == writer, newest=epoch)
    statement = _Statement(release.namespace, release.epoch, release.writer, release.horizon, release.blocks)
    verify(release.writer, STRAYS_PURPOSE, schema.encode(statement), release.signature)


def encode_stray_release(release: StrayRelease) -> bytes:
    """Canonical bytes."""
    return schema.encode(release)


def decode_stray_release(data: bytes) -> StrayRelease:
    """The release in `data`; only its form is checked."""
    return schema.decode(StrayRelease, data)
