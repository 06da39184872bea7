"""The packer: moves small objects out of the journal into erasure-coded packs, and rewrites packs that wore thin.

A small object is acknowledged in a journal entry, which every journal holder keeps whole. Many of them together are
cheaper in one block, coded as any other, and only then can the journal's old epochs be freed. So, every `pack_every`,
what fills whole packs is moved, oldest first; a checkpoint has the rest moved too. Of each pack the catalog counts
what is still named: one that is less than half alive is read and what lives of it put into a new one, and so are
small packs, once they are many. The old pack is released with the last object that leaves it.

Order: the pack is durable, then the journal says so, then the catalog names it. A crash in between leaves the
objects where they were, and at worst a block that nobody refers to. An object that is replaced meanwhile stays
replaced: what the journal says of a pack holds only for the versions that are still named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Final

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.blocks import BlockTools, fetch_block, store_block
from node.vault.catalog.catalog import Catalog, InlineAt, StoredObject, StoredPack
from node.vault.journal.writer import JournalWriter
from node.vault.pack.choosing import fill_a_pack, to_rewrite
from node.vault.pins import Pins
from node.vault.release.unnamed import Unnamed
from protocol.errors import MaillonError
from protocol.ids import BlockId
from protocol.members.roster import Rules
from protocol.namespace.changes import ObjectsPacked
from protocol.namespace.packs import Packing, SmallObject, read_directory

log = get_logger(__name__)

PACKS_PER_LOOK: Final = 1_000
OBJECTS_PER_LOOK: Final = 128


@dataclass(frozen=True, slots=True)
class PackerTools:
    """What packing one namespace's small objects works with."""

    host: Host
    blocks: BlockTools
    journal: JournalWriter
    catalog: Catalog
    pins: Pins
    unnamed: Unnamed
    rules: Callable[[], Rules]
    pack_every_s: float


class Packer:
    """Packs for one namespace."""

    def __init__(self, tools: PackerTools) -> None:
        self._tools = tools
        self._turn = trio.Lock()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await trio.sleep(self._tools.pack_every_s)
            for work in (self.pack_full, self.rewrite_worn):
                try:
                    await work()
                except MaillonError as error:  # too few holders, the catalog is being rebuilt
                    log.info("pack.not-now", error=str(error))

    async def pack_full(self) -> int:
        """Pack what fills whole packs; how many objects that were."""
        return await self._pack_inline(whole_packs=True)

    async def pack_all(self) -> int:
        """Pack all that is inline now.

        Raises:
            Unavailable: `holders-too-few`, `entry-unreadable`; some objects may still be inline.
        """
        return await self._pack_inline(whole_packs=False)

    async def rewrite_worn(self) -> int:
        """Put what lives of worn packs into new ones; how many packs were emptied."""
        async with self._turn:
            packs = to_rewrite([pack async for pack in self._packs()])
            with self._tools.pins.hold(pack.block.block for pack in packs):
                packing, keep_until_s = Packing(), 0
                for pack in packs:
                    for one, until_s in await self._living_if_readable(pack):
                        if not packing.add(one):
                            await self._write(packing, keep_until_s)
                            packing, keep_until_s = Packing(), 0
                            packing.add(one)
                        keep_until_s = max(keep_until_s, until_s)
                if len(packing):
                    await self._write(packing, keep_until_s)
        return len(packs)

    async def _pack_inline(self, *, whole_packs: bool) -> int:
        packed, begun = 0, self._tools.journal.next_position
        async with self._turn:
            while True:
                found = await self._oldest_inline()
                # What is put while we work is the next one's to pack: this one must come to an end.
                if not found or found[0].stamp >= begun or (whole_packs and not fill_a_pack(found)):
                    return packed
                packed += await self._pack_some(found)

    async def _oldest_inline(self) -> list[StoredObject]:
        """A pack's worth of objects, or all. A page at a time, so that nobody waits long for the catalog."""
        found: list[StoredObject] = []
        while not fill_a_pack(found):
            page = await self._tools.catalog.inline(after=found[-1] if found else None, limit=OBJECTS_PER_LOOK)
            found += page
            if len(page) < OBJECTS_PER_LOOK:
                break
        return found

    async def _pack_some(self, found: Sequence[StoredObject]) -> int:
        """One pack of the first of them; how many went into it. Raises when any of them could not be read."""
        packing, keep_until_s = Packing(), 0
        failed: MaillonError | None = None
        for stamp, group in groupby(found, key=lambda stored: stored.stamp):
            together = list(group)
            try:
                sealed = await self._read_together(together)
            except MaillonError as error:
                log.warning("pack.entry-unreadable", stamp=stamp, objects=len(together), error=str(error))
                failed = error
                continue
            added = sum(1 for _ in takewhile(packing.add, map(_small_inline, together, sealed)))
            keep_until_s = max([keep_until_s, *(stored.retain_until_s for stored in together[:added])])
            if added < len(together):
                break
        if len(packing):
            await self._write(packing, keep_until_s)
        if failed is not None:
            raise failed
        return len(packing)

    async def _read_together(self, objects: Sequence[StoredObject]) -> list[bytes]:
        """The sealed bytes of objects of one entry: it is read once for all of them."""
        places = [_inline(stored) for stored in objects]
        start = min(at.offset for at in places)
        end = max(at.offset + at.size_bytes for at in places)
        together = await self._tools.journal.read_inline(InlineAt(places[0].stamp, start, end - start, b""))
        return [together[at.offset - start :][: at.size_bytes] for at in places]

    async def _living_if_readable(self, pack: StoredPack) -> list[tuple[SmallObject, int]]:
        """`_living`; nothing while too few of its holders answer: the pack waits for the next time."""
        try:
            return await self._living(pack)
        except MaillonError as error:
            log.warning("pack.unreadable", block=pack.block.block, error=str(error))
            return []

    async def _living(self, pack: StoredPack) -> list[tuple[SmallObject, int]]:
        """What of the pack is still named, and until when it must be kept."""
        plain = await fetch_block(self._tools.blocks, pack.block)
        directory = read_directory(plain)
        living: list[StoredObject] = []
        for start in range(0, len(directory), OBJECTS_PER_LOOK):
            some = directory[start : start + OBJECTS_PER_LOOK]
            living += await self._tools.catalog.still_packed(pack.block.block, some)
        return [(_small_object(stored, plain), stored.retain_until_s) for stored in living]

    async def _write(self, packing: Packing, keep_until_s: int) -> None:
        """Store the pack, and then say so in the journal."""
        tools, plain = self._tools, packing.plain()
        await tools.host.faults.reach("pack.before-store")
        stamp = tools.journal.next_position
        with tools.unnamed.writing(stamp) as writing:
            pack = await store_block(tools.blocks, plain, tools.rules(), stamp, keep_until_s, writing)
            await tools.host.faults.reach("pack.before-journal")
            await writing.journal(tools.journal, ObjectsPacked(pack, packing.objects), [pack.block])
        await tools.host.faults.reach("pack.after-journal")
        log.debug("pack.holds", block=pack.block, versions=[one.version for one in packing.objects])
        log.info("pack.written", objects=len(packing), size_bytes=len(plain))

    async def _packs(self) -> AsyncIterator[StoredPack]:
        after: BlockId | None = None
        while True:
            some = await self._tools.catalog.packs(after=after, limit=PACKS_PER_LOOK)
            for pack in some:
                yield pack
            if len(some) < PACKS_PER_LOOK:
                return
            after = some[-1].block.block


def _inline(stored: StoredObject) -> InlineAt:
    if stored.inline is None:
        raise ValueError("the object is not inline")
    return stored.inline


def _small_inline(stored: StoredObject, sealed: bytes) -> SmallObject:
    return SmallObject(stored.bucket, stored.key, stored.version, sealed)


def _small_object(stored: StoredObject, plain: bytes) -> SmallObject:
    """The object as it lies in its pack's plain bytes."""
    if stored.packed is None:
        raise ValueError("the object is not packed")
    start = stored.packed.offset
    sealed = plain[start : start + stored.packed.size_bytes]
    return SmallObject(stored.bucket, stored.key, stored.version, sealed)
