"""A gateway with its journal's writer and holders in memory, for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from node.host.ports import Host
from node.vault.catalog.catalog import Catalog
from node.vault.journal.writer import JournalTimers, JournalWriter
from node.vault.secrets import GatewaySecrets, WrappingKey
from protocol.errors import MaillonError
from protocol.ids import NodeId
from protocol.namespace.changes import BucketCreated
from protocol.namespace.journal import encode_opening
from protocol.namespace.quorums import quorum
from sim.host.world import World
from tests.support.journals import FakeMesh, MemoryJournal
from tests.support.namespaces import Tenant, node, tenant

TIMERS = JournalTimers(
    ask_deadline_s=5, append_deadline_s=8, start_wait_s=10, tails_grace_s=1, retry_first_s=0.1, retry_most_s=2
)
BUCKET = BucketCreated("photos", 1)


@dataclass(slots=True)
class Scene:
    """A gateway and its holders. What survives a restart of the gateway is here."""

    host: Host
    tenant: Tenant
    mesh: FakeMesh
    own: MemoryJournal
    stopped: list[MaillonError] = field(default_factory=list)

    @property
    def me(self) -> NodeId:
        return self.tenant.certificate.node

    def others(self) -> list[NodeId]:
        return [holder for holder in self.tenant.opening.holders if holder != self.me]

    def set_mood(self, mood: str, *numbers: int) -> None:
        for number in numbers:
            self.mesh.holders[node(number)].mood = mood

    def lengths(self) -> list[int]:
        return [self.mesh.holders[other].journal.tip.length for other in self.others()]

    def agree(self) -> bool:
        """All holders have all of our own copy."""
        return all(self.mesh.holders[other].journal.entries == self.own.entries for other in self.others())

    async def open_everywhere(self) -> None:
        for journal in (self.own, *(holder.journal for holder in self.mesh.holders.values())):
            await journal.open(encode_opening(self.tenant.opening))

    @asynccontextmanager
    async def running(self, timers: JournalTimers = TIMERS) -> AsyncIterator[tuple[JournalWriter, Catalog]]:
        """One life of the gateway."""
        one = self.tenant
        wrapping = (WrappingKey(1, one.root.wrapping_key(1)),)
        secrets = GatewaySecrets(
            "photos", "public", one.root.namespace, one.writer.seed, one.certificate, wrapping, b""
        )
        catalog = Catalog(self.host, one.opening.namespace)
        writer = JournalWriter(
            self.host,
            me=self.me,
            opening=one.opening,
            secrets=secrets,
            local=self.own,
            ask=self.mesh.ask,
            catalog=catalog,
            timers=timers,
            name_of=lambda name: f"node-{self.others().index(name) + 1}",
        )

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


def scene(holders: int = 6) -> Scene:
    nodes = tuple(node(number) for number in range(holders))
    one = tenant(holders=nodes, rule=quorum(holders))
    return Scene(World(1).host("gateway"), one, FakeMesh(nodes[1:]), MemoryJournal())


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 (the clock is virtual, and the condition anything)
            await trio.sleep(0.05)
