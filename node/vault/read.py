"""Reading one object, wherever its bytes are: in the journal, in a pack, or in blocks of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from node.vault.catalog.catalog import InlineAt, StoredObject
from node.vault.get import GetTools, get_blocks, open_inline
from node.vault.objects import Sink
from node.vault.pack.reading import PackReader
from node.vault.pins import Pins
from protocol.namespace.changes import BlockRef

# The sealed bytes of a small object, from the entry that carries them.
ReadInline = Callable[[InlineAt], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class ReadingTools:
    """What reading the objects of one namespace takes."""

    inline: ReadInline
    packs: PackReader
    pins: Pins
    get: GetTools


async def read_object(tools: ReadingTools, stored: StoredObject, blocks: Sequence[BlockRef], sink: Sink) -> None:
    """Write the object's bytes to the sink, which was begun.

    Raises:
        Unavailable: `entry-unreadable`, `block-unreadable`, `client-stalled`. Forged: `seal`.
    """
    if stored.inline is not None:
        await sink.write([open_inline(stored.inline.key, await tools.inline(stored.inline))])
    elif stored.packed is not None:
        await sink.write([open_inline(stored.packed.key, await tools.packs.read(blocks[0], stored.packed))])
    else:
        with tools.pins.hold(reference.block for reference in blocks):
            await get_blocks(tools.get, blocks, sink)
