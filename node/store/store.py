"""The store: a node's shares on its disks. What `put_share` acknowledged survives any crash of the machine.

A share goes to the disk with most room, or to the next when that one is full or failing; it is found on whichever
disk has it. A disk that is gone takes its shares with it and nothing else: the node goes on with the others, and
what it lost is repaired from other nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from node.host.ports import Buffer, Host
from node.logs import get_logger
from node.store.buffers import BufferPool
from node.store.compact import Compactor
from node.store.config import StoreConfig
from node.store.deleting import deletable, kept_until_s, labels_of
from node.store.layout import DropWork, PutWork, RebuildWork
from node.store.reading import ShareReader, Wanted
from node.store.shares import DiskState, ShareFacts, ShareKey, StoredShare, Usage, pack_share
from node.store.storedisk import StoreDisk, merge_namespaces
from node.store.visitors import Visitors
from node.store.volumes import Outcome
from protocol.coding.label import Label, ShareProof, Stamp
from protocol.errors import Damaged, Forged, MaillonError, Malformed, Missing, OverLimit, Refused, Unavailable
from protocol.ids import BlockId, NamespaceId

log = get_logger(__name__)

R = TypeVar("R")


class Store:
    """Usable while `run` runs. Every method is safe under concurrency and cancellation."""

    def __init__(self, host: Host, config: StoreConfig) -> None:
        self._host = host
        self._config = config
        self._pool = BufferPool()
        self._disks: tuple[StoreDisk, ...] = ()
        self._visitors = Visitors()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open and recover the disks, then serve until cancelled.

        Raises:
            Unavailable: `store-failing` when no disk can be opened.
        """
        disks = tuple(StoreDisk(self._host, disk, self._config, self._pool) for disk in self._config.disks)
        for disk in disks:
            await self._host.threads.run_blocking(disk.open)
        if not any(disk.is_open for disk in disks):
            raise Unavailable("store-failing")
        self._disks = tuple(disk for disk in disks if disk.is_open)
        try:
            async with trio.open_nursery() as nursery:
                for disk in self._disks:
                    await nursery.start(disk.writer.run)
                self._visitors.open()
                task_status.started()
                while True:
                    await trio.sleep(self._config.compact_every_s)
                    await self.compact()
        finally:
            with trio.CancelScope(shield=True):
                await self._visitors.close()
                for disk in self._disks:
                    await self._host.threads.run_blocking(disk.close)

    async def put_share(self, label: Label, proof: ShareProof, parts: Sequence[Buffer]) -> None:
        """Keep a share; durable on return, and done already when it is held already.

        The caller has checked that label, proof and bytes belong together. `parts` are his again when this returns
        or raises, cancellation included.

        Raises:
            Unavailable: `store-full` or `store-failing` when no disk took it, `store-closed`.
        """
        await self.put_encoded(ShareFacts.of(label, proof), parts)

    async def put_encoded(self, facts: ShareFacts, parts: Sequence[Buffer]) -> None:
        """`put_share` for who has label and proof encoded."""
        await self._put(_put_work(facts, parts))

    async def put_several(self, shares: Sequence[tuple[ShareFacts, Buffer]]) -> list[MaillonError | None]:
        """`put_encoded` for shares that arrive together: one write and one sync, and for each why it was not kept."""
        works = [_put_work(facts, [share]) for facts, share in shares]
        first = (await self._disks_for(works[0]))[:1]
        outcomes = await first[0].writer.submit_all(works) if first else [Outcome.FAILING] * len(works)
        errors = [
            None if outcome is Outcome.DONE else await self._try(work)
            for outcome, work in zip(outcomes, works, strict=True)
        ]
        for (facts, _share), error in zip(shares, errors, strict=True):
            if error is None:
                log.debug("share.kept", block=facts.block, share=facts.index)
            else:
                log.debug("share.not-kept", block=facts.block, share=facts.index, error=error.identifier)
        return errors

    async def _try(self, work: PutWork) -> MaillonError | None:
        try:
            await self._put(work)
        except MaillonError as error:
            return error
        return None

    async def _put(self, work: PutWork) -> None:
        outcomes = set()
        for disk in await self._disks_for(work):
            outcome = await disk.writer.submit(work)
            if outcome is Outcome.DONE:
                return
            outcomes.add(outcome)
        reason = "store-full" if outcomes == {Outcome.FULL} else "store-failing"
        raise Unavailable(reason if self._disks else "store-closed", size_bytes=work.size_bytes)

    async def _disks_for(self, work: PutWork) -> list[StoreDisk]:
        """The disk that has the share already, then the others by room."""
        if len(self._disks) < 2:
            return list(self._disks)

        def order() -> list[StoreDisk]:
            return sorted(
                self._disks,
                key=lambda disk: (
                    disk.volumes.index.find(work.key) is not None,
                    disk.room_bytes() - disk.writer.queued_bytes,
                ),
                reverse=True,
            )

        return await self._look(order)

    async def get_share(self, block: BlockId, index: int, *, first_leaf: int = 0, leaf_count: int = 0) -> StoredShare:
        """The share, or the leaves from `first_leaf` on (0 for `leaf_count` means to the end), checked.

        Raises:
            Missing: `share-missing`, `share-leaves`. Damaged: `share-damaged`.
        """
        key, wanted = ShareKey(block, index), Wanted(first_leaf, leaf_count)
        return await self._look(self._read, key, wanted)

    async def get_several(
        self, wanted: Sequence[tuple[ShareKey, Wanted]], *, room_bytes: int
    ) -> list[StoredShare | MaillonError]:
        """`get_share` for shares that are asked for together: for each, the share or why there is none.

        What comes after `room_bytes` are used up is not read, but answered with OverLimit(`payload-size`).
        """
        return await self._look(self._read_several, tuple(wanted), room_bytes)

    def _read_several(
        self, wanted: tuple[tuple[ShareKey, Wanted], ...], room_bytes: int
    ) -> list[StoredShare | MaillonError]:
        found: list[StoredShare | MaillonError] = []
        left_bytes = room_bytes
        for key, leaves in wanted:
            one = self._read_within(key, leaves, left_bytes)
            left_bytes -= len(one.data) if isinstance(one, StoredShare) else 0
            if isinstance(one, OverLimit):
                left_bytes = 0
            found.append(one)
        return found

    def _read_within(self, key: ShareKey, leaves: Wanted, room_bytes: int) -> StoredShare | MaillonError:
        too_much = OverLimit("payload-size", size_bytes=room_bytes + 1, limit_bytes=room_bytes)
        if room_bytes <= 0:
            return too_much
        try:
            share = self._read(key, leaves)
        except (Missing, Damaged) as error:
            _raise_index_damage(error)
            return error
        if len(share.data) > room_bytes:
            share.release()
            return too_much
        return share

    async def read_into(
        self, shares: Sequence[tuple[ShareKey, memoryview]], *, check_leaves: bool
    ) -> list[ShareFacts | MaillonError]:
        """Whole shares into buffers of their sizes: for each its facts, or why it could not be read.

        Without `check_leaves` the caller is to prove the bytes: whoever has the key has a seal for that.
        """
        return await self._look(partial(self._read_all_into, tuple(shares), check_leaves=check_leaves))

    def _read_all_into(
        self, shares: tuple[tuple[ShareKey, memoryview], ...], *, check_leaves: bool
    ) -> list[ShareFacts | MaillonError]:
        found: list[ShareFacts | MaillonError] = []
        for key, into in shares:
            read = partial(ShareReader.read_into, key=key, into=into, check_leaves=check_leaves)
            try:
                found.append(self._on_any_disk(key, read))
            except (Missing, Damaged, Forged) as error:
                _raise_index_damage(error)
                found.append(error)
        return found

    async def _look(self, work: Callable[..., R], *arguments: object) -> R:
        """Do `work` in a thread; should an index turn out to be damaged, make it anew and do it again."""
        async with self._visitors.visit():
            try:
                return await self._host.threads.run_blocking(work, *arguments)
            except Damaged as error:
                if error.identifier != "index-damaged":
                    raise
                log.warning("index-damaged", reason=str(error))
            for disk in self._disks:
                await disk.writer.submit(RebuildWork())
            return await self._host.threads.run_blocking(work, *arguments)

    def _read(self, key: ShareKey, wanted: Wanted) -> StoredShare:
        return self._on_any_disk(key, lambda reader: reader.read(key, wanted))

    def _on_any_disk(self, key: ShareKey, read: Callable[[ShareReader], R]) -> R:
        worst: Missing | Damaged = Missing("share-missing", block=key.block, index=key.index)
        for disk in self._disks:
            try:
                return read(disk.reader)
            except Missing as error:
                if error.identifier != "share-missing":
                    raise
            except Damaged as error:
                _raise_index_damage(error)
                worst = error
        raise worst

    async def get_label(self, block: BlockId) -> ShareFacts:
        """Label and proof of any share of the block that is held. Raises Missing(`share-missing`)."""
        return await self._look(self._facts, block)

    def _facts(self, block: BlockId) -> ShareFacts:
        for disk in self._disks:
            for index, _ in disk.volumes.index.spots(block):
                try:
                    return disk.reader.facts(ShareKey(block, index))
                except (Missing, Damaged) as error:
                    _raise_index_damage(error)
        raise Missing("share-missing", block=block, index=0)

    async def held(self, blocks: Sequence[BlockId]) -> tuple[int, ...]:
        """For each block, a bit mask of the shares that are held and not known to be damaged."""
        return await self._look(self._held, tuple(blocks))

    def _held(self, blocks: tuple[BlockId, ...]) -> tuple[int, ...]:
        masks = []
        for block in blocks:
            mask = 0
            for disk in self._disks:
                for index, spot in disk.volumes.index.spots(block):
                    mask |= 0 if spot.is_damaged else 1 << index
            masks.append(mask)
        return tuple(masks)

    async def delete_share(self, block: BlockId, index: int) -> None:
        """Delete a share for good; durable on return. A share that is not held is deleted already.

        Raises:
            Refused: `share-kept` while its label says that it must stay.
            Unavailable: `store-full`, `store-failing`, `store-closed`.
        """
        key = ShareKey(block, index)
        until_s = self._still_s(await self._look(lambda: kept_until_s(labels_of(self._disks, key))))
        if until_s:
            raise Refused("share-kept", block=block, index=index, until_s=until_s)
        await self._drop([key])

    async def release(
        self, namespace: NamespaceId, blocks: Sequence[BlockId], *, horizon: Stamp | None = None
    ) -> tuple[int, ...]:
        """Delete all shares of the namespace's blocks for good, but for those that must stay; durable on return.
        With a horizon, those that are stamped before it, and no other.

        For each block, 0 when nothing of that is left here, or until when it must stay. Another namespace's blocks
        count as not held.

        Raises:
            Unavailable: `store-full`, `store-failing`, `store-closed`; what was not deleted can be asked for again.
        """
        wanted = tuple(blocks)
        held = await self._look(lambda: [deletable(self._disks, namespace, block, horizon) for block in wanted])
        until_s = tuple(self._still_s(found.kept_until_s) for found in held)
        keys = [key for found, until in zip(held, until_s, strict=True) if not until for key in found.keys]
        await self._drop(keys)
        for key in keys:
            log.debug("share.released", block=key.block, share=key.index)
        return until_s

    def _still_s(self, kept_until_s: int) -> int:
        """Until when, by this machine's own clock; 0 once that is past."""
        return kept_until_s if kept_until_s > self._host.wall.now_s() else 0

    async def blocks_of(self, namespace: NamespaceId, first: bytes, last: bytes, limit: int) -> tuple[BlockId, ...]:
        """The blocks from `first` to `last` of which there are shares here for the namespace, in order."""

        def find() -> tuple[BlockId, ...]:
            found = {
                block for disk in self._disks for block in disk.volumes.index.blocks_of(namespace, first, last, limit)
            }
            return tuple(sorted(found)[:limit])

        return await self._look(find)

    async def _drop(self, keys: Sequence[ShareKey]) -> None:
        """Delete them wherever they may be, with one write and sync for each disk."""
        for disk in self._disks:
            works = [DropWork(key) for key in keys if disk.volumes.may_hold(key)]
            for outcome in await disk.writer.submit_all(works):
                if outcome is not Outcome.DONE:
                    raise Unavailable("store-full" if outcome is Outcome.FULL else "store-failing", size_bytes=0)

    async def list_shares(self, after: ShareKey | None, limit: int) -> tuple[ShareKey, ...]:
        """The next shares in the order of their key, from the first when `after` is None."""
        return await self._look(self._list, after, limit)

    def _list(self, after: ShareKey | None, limit: int) -> tuple[ShareKey, ...]:
        found = {key for disk in self._disks for key in disk.volumes.index.after(after, limit)}
        return tuple(sorted(found)[:limit])

    async def compact(self) -> int:
        """Give back volumes that are mostly dead. Returns how many."""
        removed = 0
        for disk in self._disks:
            try:
                removed += await Compactor(self._host, self._config, disk).compact()
            except (OSError, Damaged, Malformed, Unavailable) as error:
                # Space comes back later, or not: no reason to stop serving.
                log.warning("compaction-failed", disk=disk.path, reason=str(error))
        return removed

    def stored_bytes(self, namespace: NamespaceId) -> int:
        """Payload bytes kept for the namespace."""
        return sum(disk.volumes.index.stored_bytes(namespace) for disk in self._disks)

    def usage(self) -> Usage:
        disks = tuple(disk.volumes.usage(disk.path) for disk in self._disks)
        writable = [disk for disk in disks if disk.state is not DiskState.FAILING]
        return Usage(
            capacity_bytes=sum(disk.capacity_bytes for disk in disks),
            used_bytes=sum(disk.used_bytes for disk in disks),
            room_bytes=sum(disk.room_bytes for disk in writable),
            shares=sum(disk.shares for disk in disks),
            namespaces=merge_namespaces(disk.volumes.index for disk in self._disks),
            disks=disks,
        )


def _put_work(facts: ShareFacts, parts: Sequence[Buffer]) -> PutWork:
    payload_bytes = sum(memoryview(part).nbytes for part in parts)
    return PutWork(facts.key, facts.namespace, pack_share(facts), tuple(parts), payload_bytes)


def _raise_index_damage(error: MaillonError) -> None:
    """Damage to one share is that share's; damage to the index is dealt with above."""
    if error.identifier == "index-damaged":
        raise error
