"""A block's header: its public description, whose hash is its id.

The header says how the block is coded (codec, k, n), how many sealed bytes it has, of which class and namespace it
is, and commits to every byte of all n shares through one Merkle root. It never says where the shares are: that
changes, the header never does. Two blocks never share an id, because every block is sealed under a fresh key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.errors import Malformed
from protocol.ids import BlockId, Digest, NamespaceId
from protocol.keys.derive import digest
from protocol.keys.sealing import plain_size
from protocol.limits import BLOCK_BYTES_MAX, CLASS_NAME_BYTES_MAX, SHARES_MAX, TAG_BYTES
from protocol.wire import schema
from protocol.wire.schema import Length, Range

BLOCK_ID_CONTEXT: Final = "maillon/1 block id"


@dataclass(frozen=True, slots=True)
class Header:
    """`size_bytes` is the size once sealed; `root` is the block root of `protocol.coding.merkle`.

    A codec that this node does not know is no error here: a holder can keep and check shares that it cannot code.

    Raises:
        Malformed: `header-code` unless 1 ≤ k ≤ n; `sealed-size` for a size that sealing never gives.
    """

    WIRE_VERSION: ClassVar[int] = 1
    codec: Annotated[int, Range(1, 255)]
    k: Annotated[int, Range(1, SHARES_MAX)]
    n: Annotated[int, Range(1, SHARES_MAX)]
    size_bytes: Annotated[int, Range(TAG_BYTES, BLOCK_BYTES_MAX)]
    data_class: Annotated[str, Length(1, CLASS_NAME_BYTES_MAX)]
    namespace: NamespaceId
    root: Digest

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n:
            raise Malformed("header-code", k=self.k, n=self.n)
        plain_size(self.size_bytes)

    @property
    def block_id(self) -> BlockId:
        """The hash of the canonical bytes."""
        return BlockId(digest(BLOCK_ID_CONTEXT, schema.encode(self)))

    @property
    def share_bytes(self) -> int:
        """The size of each share: the sealed bytes, zero-padded to a multiple of k, are cut in k."""
        return share_size(self.k, self.size_bytes)

    @property
    def plain_bytes(self) -> int:
        """The size before sealing."""
        return plain_size(self.size_bytes)


def share_size(k: int, size_bytes: int) -> int:
    """The size of each share of a block with `size_bytes` sealed bytes."""
    return -(-size_bytes // k)
