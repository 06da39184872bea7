"""Gateways of one namespace and the members that hold its journal, for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from node.mesh.returns import Returns
from node.store.journals import JournalStore
from node.vault.catalog.catalog import Catalog
from node.vault.journal.discover import discover
from node.vault.journal.own_copy import OwnCopy
from node.vault.journal.preparing import prepare_next
from node.vault.journal.reader import Epochs
from node.vault.journal.succeed import Ended
from node.vault.journal.takeover import Succeeded, Successor, require_ours
from node.vault.journal.tools import JournalTimers, JournalTools, Known
from node.vault.journal.writer import JournalWriter
from protocol.errors import MaillonError
from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.changes import BucketCreated, Checkpoint
from protocol.namespace.journal import Opening
from protocol.namespace.quorums import JournalQuorum, quorum
from protocol.namespace.root import Root, certify_writer
from sim.host.world import World
from tests.support.federations import seed
from tests.support.journals import Members, key_of, name_of, node

TIMERS = JournalTimers(
    ask_deadline_s=5, append_deadline_s=8, start_wait_s=10, tails_grace_s=1, retry_first_s=0.1, retry_most_s=2
)
BUCKET = BucketCreated("photos", 1)


@dataclass(slots=True)
class Scene:
    """Members 0 to `count` - 1; what survives a restart of any of them is here. Member 0 is the usual gateway."""

    world: World
    members: Members
    count: int
    root: Root = field(default_factory=lambda: Root(seed("namespace photos")))
    timers: JournalTimers = TIMERS
    first: Opening | None = None
    gone: frozenset[NodeId] = frozenset()
    stopped: list[MaillonError] = field(default_factory=list)
    returns: Returns = field(default_factory=Returns)

    @property
    def own(self) -> JournalStore:
        return self.members[0].store

    def others(self) -> list[NodeId]:
        return [node(number) for number in range(1, self.count)]

    def set_mood(self, mood: str, *numbers: int) -> None:
        self.members.set_mood(mood, *numbers)

    def tools(self, number: int = 0, *, generation: int = 1) -> JournalTools:
        """What member `number` writes with."""
        writer = SigningKey.from_seed(seed(f"writer {number} {generation}"))
        certificate = certify_writer(self.root, writer.public, node(number), generation=generation, from_epoch=1)
        return JournalTools(
            host=self.world.host(name_of(number)),
            me=node(number),
            namespace=self.root.namespace,
            local=self.members[number].store,
            ask=self.members.ask_as(number),
            timers=self.timers,
            wrapping_key=self.root.wrapping_key,
            name_of=lambda name: next(f"node-{one.number}" for one in self.members.of.values() if one.node == name),
            node_key=key_of(number),
            writer_key=writer,
            certificate=certificate,
            next_holders=self._next_holders,
            returns=self.returns,
        )

    def _next_holders(self, excluded: frozenset[NodeId]) -> tuple[tuple[NodeId, ...], JournalQuorum]:
        there = [node(number) for number in range(self.count) if node(number) not in excluded | self.gone]
        size = quorum(len(there))
        return tuple(there[: size.r]), size

    async def create(self) -> Known:
        """The first epoch, open at its holders."""
        tools = self.tools()
        self.first = await prepare_next(tools, None, None)
        for line in tools.lines(self.first):
            await line.open(b"")
        return Known(self.first, None)

    async def become_writer(self, number: int = 0, *, is_forced: bool = False, generation: int = 1) -> Succeeded:
        """As a gateway that starts."""
        tools = self.tools(number, generation=generation)
        known = await discover(tools, self.first, [node(number) for number in range(self.count)])
        if not is_forced:
            require_ours(tools, known)
        return await Successor(tools).become_writer(known, is_forced=is_forced)

    async def end_epoch(self, known: Known, copy: OwnCopy) -> Ended:
        """For a roll-over of member 0."""
        return await Successor(self.tools()).end_epoch(known, copy)

    @asynccontextmanager
    async def running(
        self, number: int = 0, *, succeeded: Succeeded | None = None, is_forced: bool = False
    ) -> AsyncIterator[tuple[JournalWriter, Catalog]]:
        """One life of a gateway."""
        if succeeded is None and self.first is None:
            succeeded = Succeeded(await self.create(), 0)
        if succeeded is None:
            succeeded = await self.become_writer(number, is_forced=is_forced)
        tools = self.tools(number)
        catalog = Catalog(tools.host, self.root.namespace)
        await catalog.open()
        writer = JournalWriter(tools, Epochs(tools, succeeded.known), succeeded.known, catalog, no_tables)

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            try:
                await writer.run(task_status=task_status)
            except MaillonError as error:
                self.stopped.append(error)

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            yield writer, catalog
            nursery.cancel_scope.cancel()
        await catalog.close()

    async def entries(self, number: int, epoch: int = 1) -> tuple[bytes, ...]:
        """What a member keeps of an epoch."""
        return await self.members[number].store.read(self.root.namespace, epoch, 0, 2**30)

    async def lengths(self, epoch: int = 1) -> list[int]:
        return [len(await self.entries(number, epoch)) for number in range(1, self.count)]

    async def agree(self, epoch: int = 1) -> bool:
        """All holders have all of our own copy."""
        own = await self.entries(0, epoch)
        return all([await self.entries(number, epoch) == own for number in range(1, self.count)])

    async def until_agreed(self, epoch: int = 1) -> None:
        with trio.fail_after(60):
            while not await self.agree(epoch):  # noqa: ASYNC110
                await trio.sleep(0.05)


async def no_tables(_checkpoint: Checkpoint) -> None:
    raise AssertionError("nobody made a checkpoint")


@asynccontextmanager
async def scene(count: int = 6, *, seed: int = 1) -> AsyncIterator[Scene]:
    """Members with empty disks."""
    world = World(seed)
    async with trio.open_nursery() as nursery:
        members = Members(world, nursery)
        for number in range(count):
            await members.start(number)
        yield Scene(world, members, count)
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 (the clock is virtual, and the condition anything)
            await trio.sleep(0.05)
