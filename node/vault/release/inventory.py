"""Inventories: what holders keep for a namespace is compared with what its catalog names, and the rest is freed.

A gateway that died in the middle of a write, or of a checkpoint, left shares that nobody remembers. From time to time
the gateway goes through the space of block ids part by part. For each part it fixes the horizon (`Unnamed.horizon`),
finds out what the catalog names (`NamedBlocks`), and compares that with every holder that answers, in round trips and
bytes in proportion to the difference. What a holder keeps beyond that, and the catalog does not name anywhere, is
stray: the holder is told that what of it was stamped before the horizon may go.

A block that the catalog names is left alone wherever it is: a share too many does no harm, and goes as a stray once
its block is released. Blocks to be released are named, and the releaser's. What a holder should have and lacks is
warned of, unless the catalog names it there no more once they are compared. A holder can claim anything, and only its
own shares go; how much it may claim, how long it may take, and what is remembered of it are bounded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.catalog import Catalog
from node.vault.catalog.named import NamedBlocks, placed
from node.vault.holders import Holders
from node.vault.journal.writer import JournalWriter
from node.vault.release.unnamed import Unnamed
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, OverLimit
from protocol.ids import BlockId, NamespaceId, NodeId
from protocol.keys.signing import SigningKey
from protocol.limits import BLOCKS_PER_RELEASE_MAX, INVENTORY_BLOCKS_MAX
from protocol.members import reconcile
from protocol.members.reconcile import Session, Trie
from protocol.namespace.changes import BlockRef, Checkpoint
from protocol.namespace.inventories import PART_BITS_MAX, Part, sign_stray_release
from protocol.requests import CompareBlocks

log = get_logger(__name__)

# A gateway that starts takes its first inventory after this, if not before: it may have died with a write under way.
FIRST_AFTER_S: Final = 600.0
# Half of what a holder may have in a part: it may have more than the catalog knows of.
NAMED_MAX: Final = INVENTORY_BLOCKS_MAX // 2
STRAYS_MAX: Final = 8_192
COMPARE_MOST_S: Final = 300.0
# A holder that says that it has too much is asked in parts that are smaller by so many bits at most.
SPLITS_MAX: Final = 4
_TOO_MANY: Final = "inventory-part-size"


@dataclass(frozen=True, slots=True)
class InventoryTools:
    """What taking the inventories of one namespace works with.

    `table_blocks` reads which blocks a checkpoint's tables are; `members` are all nodes that may hold anything.
    """

    host: Host
    namespace: NamespaceId
    writer: SigningKey
    holders: Holders
    journal: JournalWriter
    catalog: Catalog
    unnamed: Unnamed
    table_blocks: Callable[[Checkpoint], Awaitable[Sequence[BlockRef]]]
    members: Callable[[], Sequence[NodeId]]
    every_s: float


class Inventory:
    """Takes the inventories of one namespace."""

    def __init__(self, tools: InventoryTools) -> None:
        self._tools = tools

    async def run(self) -> None:
        """Work until cancelled."""
        await trio.sleep(min(FIRST_AFTER_S, self._tools.every_s))
        while True:
            try:
                await self.take()
            except MaillonError as error:  # the catalog is being rebuilt, a manifest cannot be read now
                log.info("inventory.not-now", error=str(error))
            await trio.sleep(self._tools.every_s)

    async def take(self) -> int:
        """Compare everything once; of how many strays holders let go.

        Raises:
            MaillonError: why it could not go on; what was freed is freed.
        """
        freed = 0
        parts = [Part(0, 0)]
        while parts:
            part = parts.pop()
            try:
                freed += await self._take_part(part)
            except OverLimit as error:
                if error.identifier != _TOO_MANY:
                    raise
                parts += part.halves()
        log.info("inventory.taken", freed=freed)
        return freed

    async def _take_part(self, part: Part) -> int:
        """Raises OverLimit(`inventory-part-size`) when the catalog names too much in it to be held in memory."""
        tools = self._tools
        named = NamedBlocks(tools.catalog, tools.namespace, part, NAMED_MAX)
        await named.begin()
        try:
            tip = tools.catalog.tip
            horizon = tools.unnamed.horizon(Stamp(tip.epoch, tip.length), tools.journal.next_position)
            checkpoint = tools.catalog.checkpoint
            if checkpoint is not None:
                named.add(map(placed, (checkpoint.manifest, *await tools.table_blocks(checkpoint))))
            await named.read()
            return await self._free_everywhere(_Look(part, horizon, named))
        finally:
            named.end()

    async def _free_everywhere(self, look: _Look) -> int:
        tools, freed = self._tools, 0

        async def free_at(node: NodeId) -> None:
            nonlocal freed
            try:
                let_go = await self._free_at(look, node, look.part)
                freed += let_go
            except MaillonError as error:
                self._note(node, error)

        away = tools.holders.unreachable()
        async with trio.open_nursery() as nursery:
            for node in tools.members():
                if node not in away:
                    nursery.start_soon(free_at, node)
        return freed

    async def _free_at(self, look: _Look, node: NodeId, part: Part) -> int:
        """One holder: in smaller parts when it has too much for one, though not in ever smaller ones."""
        try:
            shown = await self._shown(look, node, part)
        except OverLimit as error:
            if error.identifier != _TOO_MANY or part.bits in (look.part.bits + SPLITS_MAX, PART_BITS_MAX):
                raise
            return sum([await self._free_at(look, node, half) for half in part.halves()])
        knows = self._tools.unnamed.knows
        strays = [block for block in shown if part.holds(block) and block not in look.named and not knows(block)]
        return await self._free(look, node, strays)

    async def _shown(self, look: _Look, node: NodeId, part: Part) -> list[BlockId]:
        """What the node has, as far as it shows it, beyond what the catalog knows to be there."""
        tools, there = self._tools, look.named.at(node, part)
        if node == tools.holders.me:
            return sorted({*await tools.holders.own_blocks(tools.namespace, part, INVENTORY_BLOCKS_MAX)} - {*there})
        salt = tools.host.entropy.random_bytes(reconcile.SALT_BYTES)
        session = Session(await tools.host.threads.run_blocking(Trie, salt, there), wanted_max=STRAYS_MAX)
        with trio.move_on_after(COMPARE_MOST_S):
            await self._compare(node, part, session)
        if session.finished and session.offered:
            await self._warn(look, node, [BlockId(identity) for identity in session.offered])
        return [BlockId(identity) for identity in sorted(session.wanted)]

    async def _warn(self, look: _Look, node: NodeId, lacking: Sequence[BlockId]) -> None:
        """Of damage only: what was released or moved since the catalog was read is rightly not there any more."""
        lost = await look.named.unchanged(lacking)
        if lost:
            log.warning("inventory.holder-lacks", node=self._tools.holders.name(node), blocks=len(lost))

    async def _compare(self, node: NodeId, part: Part, session: Session) -> None:
        """As far as the node goes along: what it showed by then is as good as the whole."""
        tools, epoch = self._tools, self._tools.journal.next_position.epoch
        while (question := session.question()) is not None:
            message = reconcile.encode_question(question)
            reply = await tools.holders.compare(node, CompareBlocks(tools.namespace, epoch, part, message))
            try:
                session.take(reconcile.decode_answers(reply.message))
            except MaillonError as error:
                self._note(node, error)
                return

    async def _free(self, look: _Look, node: NodeId, strays: Sequence[BlockId]) -> int:
        """Have the node free what of these is old enough; of how many blocks nothing old is left there."""
        tools, freed = self._tools, 0
        for start in range(0, len(strays), BLOCKS_PER_RELEASE_MAX):
            some = tuple(strays[start : start + BLOCKS_PER_RELEASE_MAX])
            epoch = tools.journal.next_position.epoch
            release = sign_stray_release(tools.writer, tools.namespace, epoch, look.horizon, some)
            await tools.host.faults.reach("inventory.before-send")
            freed += (await tools.holders.release_strays(node, release)).count(0)
        if strays:
            log.info("inventory.strays", node=tools.holders.name(node), blocks=len(strays), freed=freed)
        return freed

    def _note(self, node: NodeId, error: MaillonError) -> None:
        log.info("inventory.holder-failed", node=self._tools.holders.name(node), error=str(error))


@dataclass(frozen=True, slots=True)
class _Look:
    """One part, what is named in it, and before when what is not may go."""

    part: Part
    horizon: Stamp
    named: NamedBlocks
