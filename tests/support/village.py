"""A federation of whole meshes in the small deterministic world: grow it, kill it, part it, watch it agree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import trio

from node.host.ports import Host
from node.mesh.config import MeshConfig
from node.mesh.mesh import Mesh
from node.net.connection import Connection, connect, dispatch
from node.net.identity import Credentials
from node.net.settings import NetSettings
from protocol.ids import FederationId, NodeId
from protocol.members.governance import Ballot, Decision, make_ballot
from protocol.members.invitations import Invitation
from protocol.members.swim import Status
from protocol.wire.envelopes import Role
from sim.host.network import Conditions
from sim.host.scheduling import run_deterministically
from sim.host.world import START_S, World
from tests.support.members import Founded, Party, found
from tests.support.meshes import invite, join_with, make_mesh, until, write_records

R = TypeVar("R")


class Village:
    """Organisations 1 to `size`, one node each, at `nK:7000` on hosts named `nK`."""

    def __init__(self, world: World, nursery: trio.Nursery) -> None:
        self.world = world
        self.parties: dict[int, Party] = {}
        self.meshes: dict[int, Mesh] = {}
        self.configs: dict[int, MeshConfig] = {}
        self.founded: Founded = found(Party(1), (address_of(1),))
        self._nursery = nursery
        self._nonce = 0

    @property
    def federation(self) -> FederationId:
        return self.founded.federation

    async def grow(self, size: int) -> None:
        """Found, and have the others join one after the other; everybody runs."""
        self.parties[1] = self.founded.founder
        await write_records(self.world.host("n1"), self.federation, self.founded.records)
        await self.start(1)
        for number in range(2, size + 1):
            await self.join(number)
            await self.start(number)

    async def join(self, number: int, invitation: Invitation | None = None) -> None:
        party = self.parties[number] = Party(number)
        token = invitation or self.invitation()
        await join_with(self.world.host(party.name), party, token, address_of(number))

    def invitation(self, inviter: int = 1, *, for_s: int = 3_600) -> Invitation:
        self._nonce += 1
        expires_s = START_S + int(trio.current_time()) + for_s
        party, at = self.parties[inviter], (address_of(inviter),)
        return invite(party, self.federation, at, expires_s=expires_s, nonce=self._nonce)

    async def start(self, number: int, *, listen: str = "", **changes: object) -> Mesh:
        """Run the node in its present life. Its configuration stays for later starts."""
        config = self.configs.get(number, MeshConfig(listen=address_of(number)))
        config = replace(config, listen=listen or config.listen, **changes)  # type: ignore[arg-type]
        self.configs[number] = config
        party = self.parties[number]

        async def live(host: Host, started: trio.Event) -> None:
            mesh = await make_mesh(host, party, self.federation, config)
            self.meshes[number] = mesh
            async with trio.open_nursery() as nursery:

                async def run(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
                    await mesh.run(task_status=task_status)

                await nursery.start(run)
                started.set()

        started = trio.Event()
        self._nursery.start_soon(self.world.run_node, party.name, lambda host: live(host, started))
        await started.wait()
        return self.meshes[number]

    async def decide(self, decision: Decision) -> None:
        """The founder, whose ballot is the quorum of a young federation, decides."""
        founder, mesh = self.founded.founder, self.meshes[1]
        keys = founder.organisation
        ballot = Ballot(keys.lineage(), mesh.view.motion(decision), approve=True)
        await mesh.publish(make_ballot(keys.key(), self.federation, ballot))

    @asynccontextmanager
    async def at_the_door(
        self, visitor: Party, role: Role, *, of: int = 1, federation: FederationId | None = None
    ) -> AsyncIterator[Connection]:
        """A connection that `visitor` opens itself, without a mesh around it."""
        host = self.world.host(visitor.name)
        connection = await connect(
            await host.network.dial(address_of(of)),
            Credentials(role, federation or self.federation, visitor.key),
            expected=None,
            gate=lambda _role, _node: None,
            handler=dispatch({}),
            entropy=host.entropy,
            settings=NetSettings(),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run)
            yield connection
            connection.close()

    def kill(self, number: int) -> None:
        self.world.kill(f"n{number}")
        del self.meshes[number]

    def node(self, number: int) -> NodeId:
        return self.parties[number].node

    async def until(self, condition: Callable[[], bool], *, within_s: float = 120.0) -> float:
        """Wait for it; how long it took."""
        began_s = trio.current_time()
        await until(condition, *self.meshes.values(), within_s=within_s)
        return trio.current_time() - began_s

    def agree(self) -> bool:
        """Every running node has the same records, and holds every running node for alive."""
        meshes = list(self.meshes.values())
        running = {mesh.me for mesh in meshes}
        return all(mesh.view.ids() == meshes[0].view.ids() and mesh.live() == running for mesh in meshes)

    def all_see(self, number: int, status: Status) -> bool:
        node = self.node(number)
        return all(mesh.swim.status(node) is status for mesh in self.meshes.values() if mesh.me != node)


def address_of(number: int) -> str:
    return f"n{number}:7000"


def in_a_village(
    main: Callable[[Village], Awaitable[R]], *, seed: int = 1, conditions: Conditions | None = None
) -> R:
    """Run `main` on virtual time; all meshes end when it returns."""

    async def live() -> R:
        async with trio.open_nursery() as nursery:
            result = await main(Village(World(seed, conditions), nursery))
            nursery.cancel_scope.cancel()
        return result

    return run_deterministically(seed, live)
