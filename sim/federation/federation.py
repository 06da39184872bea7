"""A scenario's federation in a world: settled in, started, asked, wiped and brought back.

The nodes are the real ones, on hosts of the world; what differs between scenarios is who they are (`cast`), their
configuration, and the network and disks they meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

import trio

from node.admin.services import Services
from node.app import start_node
from node.config import Config, DiskSection, NodeSection
from node.folder import NodeFolder
from node.host.ports import Host
from protocol.members.charter import Standing
from protocol.placement.classes import standard_classes
from sim.faults.kinds import RollBack
from sim.federation.cast import Actor, Cast, House
from sim.federation.genesis import Genesis, found
from sim.federation.lives import Begin, Lives
from sim.host.disk import Platter
from sim.host.world import World
from sim.scenario.dealing import deal
from sim.scenario.model import Scenario
from sim.scenario.reading import code_of

CEILING_BYTES = 2**50
# What a node keeps when its disks are lost: who it is, and who the others are.
KEPT = ("format", "maillon.toml", "keys", "organisation", "membership", "records")


def cast_of(scenario: Scenario) -> Cast:
    """The nodes, as the scenario deals them to organisations and zones."""
    seats = deal(scenario.federation)
    houses = {
        seat.organisation: House(
            seat.organisation, Standing(seat.jurisdiction, "association", (), CEILING_BYTES), seat.is_pending
        )
        for seat in seats
    }
    return Cast(
        tuple(
            Actor(seat.number, houses[seat.organisation], seat.zone, scenario.federation.capacity_bytes)
            for seat in seats
        )
    )


def config_of(scenario: Scenario, actor: Actor) -> Config:
    """The configuration of one node."""
    given = scenario.node
    return Config(
        bulk=given.bulk,
        engine="auto",
        node=NodeSection(name=actor.name, zone=actor.zone, listen=actor.address),
        store=replace(given.store, disks=(DiskSection(capacity_bytes=actor.capacity_bytes),)),
        transport=given.transport,
        gossip=given.gossip,
        vault=given.vault,
        upkeep=given.upkeep,
    )


class Federation:
    """The running federation of one scenario."""

    def __init__(self, scenario: Scenario, world: World, nursery: trio.Nursery) -> None:
        self.scenario = scenario
        self.world = world
        self.cast = cast_of(scenario)
        self.lives = Lives(world, nursery)
        self.configs: Mapping[str, Config] = {actor.name: config_of(scenario, actor) for actor in self.cast.actors}
        # Destroyed for good; voted out; and those that said they leave.
        self.gone: set[str] = set()
        self.expelled: set[str] = set()
        self.leaving: set[str] = set()
        # Who did not start as the honest do, at any time so far.
        self.liars: set[str] = set()
        self._rolled_back = {planned.fault.node for planned in scenario.faults if isinstance(planned.fault, RollBack)}
        self._copies: dict[str, list[Platter]] = {}
        code = code_of(scenario)
        classes = tuple(replace(each, code=code) for each in standard_classes())
        self.genesis: Genesis = found(self.cast, classes, tuple(self.configs.values()))

    async def settle_in(self) -> None:
        """Make every node's folder."""
        for actor in self.cast.actors:
            await self.genesis.settle_in(actor, self.world.host(actor.name), self.configs[actor.name])

    @property
    def names(self) -> tuple[str, ...]:
        """Of all nodes that there are, running or not."""
        return tuple(name for name in self.cast.names if name not in self.gone)

    @property
    def running(self) -> dict[str, Services]:
        """What runs, in the order of the names."""
        return {name: self.lives.running[name].services for name in self.cast.names if name in self.lives.running}

    async def start(self, name: str, begin: Begin | None = None) -> Services:
        """Run a node; `begin` in place of the honest start."""
        self.world.trace.record("node-started", node=name)
        if begin is not None:
            self.liars.add(name)
        if name in self._rolled_back:
            self._copies[name] = [platter.copied() for platter in self.platters(name)]
        return await self.lives.start(name, begin or self.honestly(name))

    def honestly(self, name: str) -> Begin:
        """The real node."""

        async def begin(nursery: trio.Nursery, host: Host) -> Services:
            return await start_node(nursery, host, NodeFolder(host.disk, name), self.configs[name])

        return begin

    def wipe(self, name: str) -> None:
        """The machine ends; its disks come back empty but for what says who it is."""
        self.lives.cut_power(name)
        self.empty(name)

    def empty(self, name: str) -> None:
        """Take everything from a dead node's disks but what says who it is."""
        for platter, path in self.losable(name, ""):
            del platter.files[path]
        self.forget_indexes(name)

    def forget_indexes(self, name: str) -> None:
        """Take all databases from a dead node's disks: they are caches."""
        for platter in self.platters(name):
            platter.databases.clear()

    def roll_back(self, name: str) -> None:
        """A dead node's disks are again as they were when it last started."""
        for platter, copy in zip(self.platters(name), self._copies.get(name, []), strict=False):
            platter.become(copy)

    def platters(self, name: str) -> tuple[Platter, ...]:
        """The node's disks."""
        return self.world.platters(name)

    def losable(self, name: str, beginning: str) -> list[tuple[Platter, PurePath]]:
        """Those of its files whose path begins so, and that do not say who it is."""
        own = self.world.platter(name)
        return [
            (platter, path)
            for platter, path in self.files(name, beginning)
            if platter is not own or path.parts[0] not in KEPT
        ]

    def files(self, name: str, beginning: str) -> list[tuple[Platter, PurePath]]:
        """The node's files whose path begins so, on all its disks, in order."""
        return [
            (platter, path)
            for platter in self.platters(name)
            for path in sorted(platter.files)
            if str(path).startswith(beginning)
        ]
