"""The release of blocks: the owner's signed word that their shares may go.

A block is released when the last reference to it is gone from the acknowledged journal, and a block id never comes
back, because every block is sealed under a fresh key. So a release is final: it may be repeated, delayed and shown
by anybody without harm, and needs neither an order nor an answer that is kept. What a holder must make sure of is
only who speaks: the writer of the newest epoch that it knows of, and of the namespace whose shares these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.errors import Refused, Unavailable
from protocol.ids import BlockId, NamespaceId, PublicKey
from protocol.keys.signing import SigningKey, verify
from protocol.namespace.journal import Epoch
from protocol.wire import schema
from protocol.wire.schema import Length, Signature

RELEASE_PURPOSE: Final = "maillon/block-release/1"

ReleasedBlocks = Annotated[tuple[BlockId, ...], Length(1, limits.BLOCKS_PER_RELEASE_MAX)]


@dataclass(frozen=True, slots=True)
class _Statement:
    """What the writer signs."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    writer: PublicKey
    blocks: ReleasedBlocks


@dataclass(frozen=True, slots=True)
class BlockRelease:
    """The namespace needs none of these blocks any more, says the writer of this epoch."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    writer: PublicKey
    blocks: ReleasedBlocks
    signature: Signature


def sign_release(writer: SigningKey, namespace: NamespaceId, epoch: int, blocks: tuple[BlockId, ...]) -> BlockRelease:
    """The writer's word on `blocks`."""
    statement = _Statement(namespace, epoch, writer.public, blocks)
    signature = writer.sign(RELEASE_PURPOSE, schema.encode(statement))
    return BlockRelease(namespace, epoch, writer.public, blocks, signature)


def verify_release(release: BlockRelease, *, writer: PublicKey, epoch: int) -> None:
    """Return if a holder may obey, who knows of `writer` in `epoch` as the newest of the namespace.

    Raises:
        Refused, Unavailable: as `check_speaker`. Forged: `signature`.
    """
    check_speaker(release.namespace, release.epoch, is_known=release.writer == writer, newest=epoch)
    statement = _Statement(release.namespace, release.epoch, release.writer, release.blocks)
    verify(release.writer, RELEASE_PURPOSE, schema.encode(statement), release.signature)


def check_speaker(namespace: NamespaceId, epoch: int, *, is_known: bool, newest: int) -> None:
    """Return if who speaks as the writer of `epoch` may say what is needed no more.

    `newest` is the newest epoch that the holder knows of, and `is_known` says whether it is that epoch's writer who
    speaks. A later epoch of the same writer is obeyed: it is the same gateway, of whose next epoch this holder has
    not heard.

    Raises:
        Refused: `release-superseded` for what a writer says whose epoch is over.
        Unavailable: `release-ahead` for another writer of a later epoch: its card has not come yet; try again.
    """
    if epoch < newest or (epoch == newest and not is_known):
        raise Refused("release-superseded", namespace=namespace, epoch=newest)
    if not is_known:
        raise Unavailable("release-ahead", namespace=namespace, epoch=newest)


def encode_release(release: BlockRelease) -> bytes:
    """Canonical bytes."""
    return schema.encode(release)


def decode_release(data: bytes) -> BlockRelease:
    """The release in `data`; only its form is checked."""
    return schema.decode(BlockRelease, data)
