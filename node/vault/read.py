"""Reading one object, or a part of it, wherever its bytes are: in the journal, in a pack, or in blocks of its own.

A part of an object costs what its bytes cost: the blocks that it lies in are gathered, and of those of which it is
but a small part, only the leaves that hold it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from node.logs import get_logger
from node.vault.catalog.catalog import InlineAt, StoredObject
from node.vault.get import GetTools, Piece, get_blocks, open_inline
from node.vault.leaves import LeafReader
from node.vault.objects import Sink
from node.vault.pack.reading import PackReader
from node.vault.pins import Pins
from node.vault.shelf.terms import ByteRange
from node.vault.workspaces import SetsOfDesks
from protocol.errors import MaillonError
from protocol.limits import KIB
from protocol.namespace.changes import BlockRef

# So much of a block at most is read leaf by leaf.
LEAVES_BYTES_MAX: Final = 512 * KIB

# The sealed bytes of a small object, from the entry that carries them.
ReadInline = Callable[[InlineAt], Awaitable[bytes]]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReadingTools:
    """What reading the objects of one namespace takes."""

    inline: ReadInline
    packs: PackReader
    leaves: LeafReader
    pins: Pins
    get: GetTools
    pouring_desks: SetsOfDesks


async def read_object(
    tools: ReadingTools, stored: StoredObject, blocks: Sequence[BlockRef], sink: Sink, part: ByteRange | None = None
) -> None:
    """Write the object's bytes to the sink, which was begun; or those of the part, which lies within.

    Raises:
        Unavailable: `entry-unreadable`, `block-unreadable`, `client-stalled`. Forged: `seal`.
    """
    wanted = slice(None) if part is None else slice(part.first, part.end)
    if stored.is_small:
        await sink.write([(await read_small(tools, stored, blocks))[wanted]])
        return
    pieces = [(block, slice(None)) for block in blocks] if part is None else list(pieces_of(blocks, part))
    with tools.pins.hold(block.block for block, _wanted in pieces):
        await _read_pieces(tools, pieces, sink)


async def read_small(tools: ReadingTools, stored: StoredObject, blocks: Sequence[BlockRef]) -> bytes:
    """The bytes of an object that is inline or packed. Raises as `read_object`."""
    if (inline := stored.inline) is not None:
        return open_inline(inline.key, await tools.inline(inline))
    if (packed := stored.packed) is not None:
        return open_inline(packed.key, await tools.packs.read(blocks[0], packed))
    return b""


def pieces_of(blocks: Sequence[BlockRef], part: ByteRange) -> Iterator[Piece]:
    """The blocks in which the part lies, and what of each. Pure."""
    begin = 0
    for block in blocks:
        end = begin + block.size_bytes
        if max(begin, part.first) < min(end, part.end):
            yield block, slice(max(part.first - begin, 0), min(part.end, end) - begin)
        begin = end


async def _read_pieces(tools: ReadingTools, pieces: Sequence[Piece], sink: Sink) -> None:
    """A small piece at either end by its leaves, when that works; all else block by block."""
    middle = list(pieces)
    last = middle.pop() if len(middle) > 1 and _is_small(middle[-1]) else None
    if middle and _is_small(middle[0]):
        await _read_leaves(tools, middle.pop(0), sink)
    if middle:
        await get_blocks(tools.get, middle, sink)
    if last is not None:
        await _read_leaves(tools, last, sink)


def _is_small(piece: Piece) -> bool:
    block, wanted = piece
    start, stop, _step = wanted.indices(block.size_bytes)
    return stop - start <= min(LEAVES_BYTES_MAX, block.size_bytes // 2)


async def _read_leaves(tools: ReadingTools, piece: Piece, sink: Sink) -> None:
    block, wanted = piece
    start, stop, _step = wanted.indices(block.size_bytes)
    try:
        plain = await tools.leaves.read(block, start, stop - start)
    except MaillonError as error:
        log.info("get.leaves-failed", block=block.block.hex()[:16], error=str(error))
        await get_blocks(tools.get, [piece], sink)
    else:
        await sink.write([plain])
