"""From plain bytes to n proven shares in one call, and back.

A `Workspace` holds the only big buffers: n slots of a share each, one after the other. Sealing writes straight into
the first k slots, because the sealed bytes, zero-padded to k·s, *are* shares 0 … k-1; parity is coded into the
others, and leaves are hashed where they lie. On the way back, shares received into their slots are not copied
again: whatever of the first k is missing is rebuilt in place, and the sealed bytes can be opened from there.

One workspace serves one block at a time: what a call returns stays valid until the workspace's next use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol.coding import merkle
from protocol.coding.erasure import ZFEC, Engine, check_code
from protocol.coding.header import Header, share_size
from protocol.coding.label import ShareProof
from protocol.errors import Forged, Refused, Unavailable
from protocol.ids import BlockId, NamespaceId
from protocol.keys.sealing import open_segments_into, plain_size, seal_into, sealed_size
from protocol.limits import BLOCK_BYTES_MAX

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """A block ready to be sent: share i with proof i. With k=1 all shares are one and the same view.

    `block_id` is the header's, which encodes and hashes each time it is asked for.
    """

    block_id: BlockId
    header: Header
    shares: tuple[memoryview, ...]
    proofs: tuple[ShareProof, ...]


class Workspace:
    """The buffers for blocks of at most `size_bytes_max` sealed bytes at one k and n.

    They grow to what the largest block so far needed (or to the most, where that is not far), and stay: making a
    fresh buffer of some megabytes costs more than sealing them. `make_room` makes them: a host may know better memory
    than the interpreter's.
    """

    def __init__(
        self,
        k: int,
        n: int,
        *,
        size_bytes_max: int = BLOCK_BYTES_MAX,
        make_room: Callable[[int], memoryview] = lambda size_bytes: memoryview(bytearray(size_bytes)),
    ) -> None:
        check_code(k, n)
        self.k = k
        self.n = n
        self.size_bytes_max = size_bytes_max
        self._make = make_room
        self._memory = memoryview(b"")
        self._slots: tuple[memoryview, ...] = ()

    def slots(self, size_bytes: int) -> tuple[memoryview, ...]:
        """One slot for each share of a block of `size_bytes` sealed bytes: receive share i into slot i."""
        self._make_room(size_bytes)
        share_bytes = share_size(self.k, size_bytes)
        if not self._slots or len(self._slots[0]) != share_bytes:
            self._slots = tuple(
                self._memory[index * share_bytes : (index + 1) * share_bytes] for index in range(self.n)
            )
        return self._slots

    def sealed(self, size_bytes: int) -> memoryview:
        """The sealed bytes that the first k slots hold."""
        self._make_room(size_bytes)
        return self._memory[:size_bytes]

    def pad(self, size_bytes: int) -> None:
        """Zero what lies between the sealed bytes and the end of slot k-1."""
        end = self.k * share_size(self.k, size_bytes)
        self._memory[size_bytes:end] = bytes(end - size_bytes)

    def _make_room(self, size_bytes: int) -> None:
        if not 0 < size_bytes <= self.size_bytes_max:
            raise ValueError("the workspace was made for smaller blocks")
        needed_bytes = self.n * share_size(self.k, size_bytes)
        if needed_bytes > len(self._memory):
            most_bytes = self.n * share_size(self.k, self.size_bytes_max)
            self._memory = self._make(most_bytes if 2 * needed_bytes > most_bytes else needed_bytes)
            self._slots = ()


def encode_block(
    engine: Engine,
    *,
    plain: Buffer,
    key: bytes,
    k: int,
    n: int,
    data_class: str,
    namespace: NamespaceId,
    workspace: Workspace,
) -> EncodedBlock:
    """Seal `plain` under its own fresh `key`, code it k of n, hash all shares. Blocking; heavy on the processor.

    The views of `shares` lie in the workspace.
    """
    if (workspace.k, workspace.n) != (k, n):
        raise ValueError("the workspace was made for another code")
    size_bytes = sealed_size(len(plain))
    seal_into(key, plain, workspace.sealed(size_bytes))
    return _code(engine, size_bytes, data_class, namespace, workspace)


def recode_block(engine: Engine, header: Header, workspace: Workspace) -> EncodedBlock:
    """All n shares and proofs again, from the sealed bytes that `decode_block` left in the workspace. Blocking.

    Raises:
        Forged: `block-malformed` when they do not lead to the header's root: k good shares of a block whose writer
            did not code it as it claimed.
    """
    encoded = _code(engine, header.size_bytes, header.data_class, header.namespace, workspace)
    if encoded.header != header:
        raise Forged("block-malformed", block=header.block_id)
    return encoded


def _code(
    engine: Engine, size_bytes: int, data_class: str, namespace: NamespaceId, workspace: Workspace
) -> EncodedBlock:
    """Code and hash the sealed bytes in the workspace."""
    k, n, slots = workspace.k, workspace.n, workspace.slots(size_bytes)
    workspace.pad(size_bytes)
    if k == 1:
        shares: tuple[memoryview, ...] = (slots[0],) * n
        leaves = (merkle.leaf_hashes(slots[0]),) * n
    else:
        shares = slots
        engine.encode(k, n, slots[:k], slots[k:])
        leaves = tuple(merkle.leaf_hashes(share) for share in slots)
    roots = tuple(merkle.share_root(hashes, len(slots[0])) for hashes in leaves)
    header = Header(ZFEC, k, n, size_bytes, data_class, namespace, merkle.block_root(roots))
    proofs = tuple(ShareProof(index, leaves[index], merkle.path(roots, index)) for index in range(n))
    return EncodedBlock(header.block_id, header, shares, proofs)


def decode_block(
    engine: Engine, header: Header, present: Sequence[tuple[int, Buffer]], workspace: Workspace
) -> memoryview:
    """The sealed bytes, in the workspace, from any k checked shares; more than k are welcome. Blocking.

    Shares that already lie in their slot of the workspace are used where they are.

    Raises:
        Refused: `codec-unknown`.
        Unavailable: `block-shares` when fewer than k different shares are given.
    """
    if (workspace.k, workspace.n) != (header.k, header.n):
        raise ValueError("the workspace was made for another code")
    slots = workspace.slots(header.size_bytes)
    given = _chosen(header, present)
    for index, share in given:
        if index < header.k and share is not slots[index]:
            slots[index][:] = share
    have = {index for index, _ in given}
    lost = [(index, slots[index]) for index in range(header.k) if index not in have]
    _rebuild(engine, header, given, lost)
    return workspace.sealed(header.size_bytes)


def rebuild_shares(
    engine: Engine,
    header: Header,
    present: Sequence[tuple[int, Buffer]],
    wanted: Sequence[tuple[int, memoryview]],
) -> None:
    """Fill the `wanted` shares from any k checked ones, with no key: this is what repair does. Blocking.

    Raises:
        Refused: `codec-unknown`.
        Unavailable: `block-shares` when fewer than k different shares are given.
    """
    _rebuild(engine, header, _chosen(header, present), wanted)


def open_block(key: bytes, header: Header, sealed: Buffer, out: memoryview) -> memoryview:
    """Open the sealed bytes of a block into the start of `out`; the part of it that was filled.

    Raises:
        Forged: `seal`.
    """
    filled = out[: plain_size(header.size_bytes)]
    open_segments_into(key, sealed, filled, first_segment=0, sealed_bytes=header.size_bytes)
    return filled


def _chosen(header: Header, present: Sequence[tuple[int, Buffer]]) -> list[tuple[int, Buffer]]:
    """k different shares in rising order, the systematic ones first: they need no arithmetic."""
    if header.codec != ZFEC:
        raise Refused("codec-unknown", codec=header.codec, block=header.block_id)
    different = sorted(dict(present).items(), key=lambda item: item[0])
    if len(different) < header.k:
        raise Unavailable("block-shares", block=header.block_id, present=len(different), needed=header.k)
    return different[: header.k]


def _rebuild(
    engine: Engine,
    header: Header,
    given: list[tuple[int, Buffer]],
    wanted: Sequence[tuple[int, memoryview]],
) -> None:
    if header.k == 1:
        for _, target in wanted:
            target[:] = given[0][1]
    elif wanted:
        engine.rebuild(header.k, header.n, given, wanted)
