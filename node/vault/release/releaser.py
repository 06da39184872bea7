"""The releaser: tells holders which blocks are needed no more, until every one of them has heard it.

A block that loses its last reference (its object replaced or deleted, its pack rewritten) gets a row in the catalog
in the same step: who is to be told. So what is to be released follows from the journal alone, and a gateway that
crashes, or another that takes over, goes on with it. Every `release_every` the releaser looks at some of these rows,
round and round. It leaves alone what it sees for the first time and what somebody reads now, and tells the others'
holders, many blocks at a time. A block that all its holders have let go of, or that only holders still lack who are
no members any more, is journaled as released, and its row goes.

Uploads that no put of this gateway works on any more are aborted in the same rounds, and what failed writes left
behind (`unnamed`) is released with the rest.

Who has confirmed is kept in memory only, as telling a holder again does no harm. Shares that are locked are asked for
again when their time has come. While a change may yet turn up of which its caller heard nothing, nobody is told: it
may be a copy that takes a block up again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.catalog import Catalog, PendingRelease
from node.vault.holders import Holders
from node.vault.journal.writer import JournalWriter
from node.vault.pins import Pins
from node.vault.release.unnamed import Unnamed
from protocol.errors import MaillonError
from protocol.ids import BlockId, NamespaceId, NodeId
from protocol.keys.signing import SigningKey
from protocol.limits import BLOCKS_PER_RELEASE_MAX
from protocol.namespace.changes import BLOCKS_PER_CHANGE_MAX, BlocksReleased, UploadAborted
from protocol.namespace.releases import sign_release

log = get_logger(__name__)

LOOKED_AT_PER_ROUND: Final = BLOCKS_PER_CHANGE_MAX
REMEMBERED_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class ReleaserTools:
    """What releasing one namespace's blocks works with. `is_member` says whether a node may still hold anything."""

    host: Host
    namespace: NamespaceId
    writer: SigningKey
    holders: Holders
    journal: JournalWriter
    catalog: Catalog
    pins: Pins
    unnamed: Unnamed
    is_member: Callable[[NodeId], bool]
    release_every_s: float


@dataclass(slots=True)
class _Progress:
    """What is known of one block: who let go of it, and until when others must keep it."""

    let_go: set[NodeId] = field(default_factory=set)
    kept_until_s: dict[NodeId, int] = field(default_factory=dict)


class Releaser:
    """Looks after the released blocks of one namespace."""

    def __init__(self, tools: ReleaserTools) -> None:
        self._tools = tools
        self._progress: dict[BlockId, _Progress] = {}
        self._after: BlockId | None = None
        self._uploads: frozenset[bytes] = frozenset()

    @property
    def unnamed_count(self) -> int:
        """How many blocks of failed writes are to be released besides those of the catalog."""
        return len(self._tools.unnamed.blocks)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await trio.sleep(self._tools.release_every_s)
            try:
                await self.abort_uploads()
                await self.round()
            except MaillonError as error:  # the catalog is being rebuilt, the journal's holders are away
                log.info("release.not-now", error=str(error))

    async def round(self) -> int:
        """Tell the holders of some blocks; how many blocks are released for good."""
        if self._tools.journal.in_doubt:
            await self._tools.journal.settle()
        due = await self._due()
        if not due:
            return 0
        await self._tools.host.faults.reach("release.before-send")
        async with trio.open_nursery() as nursery:
            for node, blocks in sorted(self._questions(due).items()):
                nursery.start_soon(self._tell, node, blocks)
        await self._tools.host.faults.reach("release.after-send")
        done = [pending.block for pending in due if self._is_done(pending)]
        await self._journal(tuple(block for block in done if block not in self._tools.unnamed.blocks))
        for block in done:
            self._progress.pop(block, None)
            self._tools.unnamed.blocks.pop(block, None)
        for block in done:
            log.debug("block.released", block=block)
        log.info("release.round", released=len(done), tried=len(due))
        return len(done)

    async def abort_uploads(self) -> int:
        """Abort the uploads that nobody goes on with, now and a round ago; how many these were."""
        found = await self._tools.catalog.uploads()
        idle = frozenset(upload for upload in found if not self._tools.pins.holds(upload))
        dead = sorted(idle & self._uploads)
        self._uploads = idle
        if dead:
            await self._tools.journal.append([UploadAborted(upload) for upload in dead])
        return len(dead)

    async def _journal(self, released: tuple[BlockId, ...]) -> None:
        if released:
            await self._tools.journal.append([BlocksReleased(released)])
            await self._tools.host.faults.reach("release.after-journal")

    async def _due(self) -> list[PendingRelease]:
        """The next blocks that may go now; what comes after them is looked at in the next round."""
        found = await self._tools.catalog.releases(after=self._after, limit=LOOKED_AT_PER_ROUND)
        if self._tools.journal.in_doubt:
            return []
        self._after = found[-1].block if len(found) == LOOKED_AT_PER_ROUND else None
        due = []
        for pending in (*found, *self._unnamed()):
            if pending.block not in self._progress:
                self._remember(pending.block)
            elif not self._tools.pins.holds(pending.block):
                due.append(pending)
        return due

    def _unnamed(self) -> list[PendingRelease]:
        return [PendingRelease(block, nodes) for block, nodes in self._tools.unnamed.blocks.items()]

    def _remember(self, block: BlockId) -> None:
        if len(self._progress) >= REMEMBERED_MAX:
            self._progress.clear()
        self._progress[block] = _Progress()

    def _known(self, block: BlockId) -> _Progress:
        return self._progress.setdefault(block, _Progress())

    def _questions(self, due: Sequence[PendingRelease]) -> dict[NodeId, list[BlockId]]:
        """Who is to be told now, and of what: those who answer and have not let go yet."""
        tools, now_s = self._tools, self._tools.host.wall.now_s()
        away = tools.holders.unreachable()
        questions: dict[NodeId, list[BlockId]] = {}
        for pending in due:
            known = self._known(pending.block)
            for node in pending.nodes:
                waiting = known.kept_until_s.get(node, 0) > now_s
                if tools.is_member(node) and node not in away and node not in known.let_go and not waiting:
                    questions.setdefault(node, []).append(pending.block)
        return questions

    def _is_done(self, pending: PendingRelease) -> bool:
        let_go = self._known(pending.block).let_go
        return all(node in let_go or not self._tools.is_member(node) for node in pending.nodes)

    async def _tell(self, node: NodeId, blocks: Sequence[BlockId]) -> None:
        """As much as the holder obeys; the rest waits for another round."""
        tools = self._tools
        for start in range(0, len(blocks), BLOCKS_PER_RELEASE_MAX):
            some = tuple(blocks[start : start + BLOCKS_PER_RELEASE_MAX])
            release = sign_release(tools.writer, tools.namespace, tools.journal.next_position.epoch, some)
            try:
                kept_until_s = await tools.holders.release(node, release)
            except MaillonError as error:
                log.info("release.holder-failed", node=tools.holders.name(node), error=str(error))
                return
            for block, until_s in zip(some, kept_until_s, strict=True):
                self._note(node, block, until_s)

    def _note(self, node: NodeId, block: BlockId, until_s: int) -> None:
        known = self._known(block)
        if until_s:
            known.kept_until_s[node] = until_s
        else:
            known.let_go.add(node)
