"""A federation of whole nodes in the small deterministic world: `node.app.start_node`, all but the admin socket.

A township that grows makes folders, founds and joins its federation and admits its members by ballots, by the same
calls as the commands make; one that settles begins on the day after that. What clients do to a node's vault runs
inside that node's life, as an admin request does: when the node dies in the middle, the client is told nothing
(`Lost`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from node.admin import member_calls, members
from node.admin.services import Services
from node.app import start_node
from node.config import Config
from node.config_file import parse
from node.folder import NodeFolder, Organisation
from node.host.ports import Host
from node.membership import Entry, Newcomer, found
from node.membership import join as entry_for
from node.mesh.config import MeshConfig
from node.mesh.join import join, keep
from node.mesh.records_file import open_records
from node.vault.objects import NamespaceStatus
from protocol.ids import NodeId
from protocol.members.charter import Admissions, Charter, Quorum
from protocol.members.invitations import invitation_id, parse_invitation
from protocol.members.swim import Status
from protocol.placement.classes import Code, standard_classes
from sim.federation.lives import Life, Lives
from sim.host.network import Conditions
from sim.host.scheduling import run_deterministically
from sim.host.world import START_S, World
from sim.run.thrift import thrift
from tests.support.clients import Client
from tests.support.members import STANDING, Party
from tests.support.townspeople import founded

R = TypeVar("R")

VAULT = "straggler_wait_s = 1.0\nput_deadline_s = 20.0\nretry_s = 0.5\nstall_s = 20.0\nrelease_every_s = 2.0"
ADMITTED_BYTES = 10**11


class Township:
    """Organisations 1 to `size`, one node each, at `nK:7000` on hosts named `nK`; n1 is the gateway."""

    def __init__(self, world: World, nursery: trio.Nursery, *, bulk: str = "tls", code: Code | None = None) -> None:
        self.world = world
        self.lives = Lives(world, nursery)
        self.complete_after_s = 10.0
        self.pack_every_s = 60.0
        self.inventory_every_s = 86_400.0
        self.checkpoint_after_s = 3_600.0
        self.settle_after_s = 60.0
        self.journal_copy_after_s = 300.0
        self.desks = 16
        self.dress: Callable[[int, Host], Host] = lambda _number, host: host
        self._bulk = bulk
        self._code = code

    @property
    def houses(self) -> dict[int, Life]:
        """Who runs, by number."""
        return {int(name[1:]): life for name, life in self.lives.running.items()}

    async def grow(self, size: int) -> None:
        """Found, join and admit, one after the other; everybody runs and knows everybody."""
        await self._found()
        await self.start(1)
        for number in range(2, size + 1):
            await self.welcome(number)

    async def welcome(self, number: int) -> None:
        """One more: it joins, runs, and is admitted."""
        await self.join(number)
        await self.start(number)
        await self.until(self.agree)
        await self._admit(number)

    async def settle(self, size: int, *, namespace: str = "photos") -> Client:
        """A federation of so many on the day after it grew, and a namespace at n1."""
        numbers, standing = range(1, size + 1), dataclasses.replace(STANDING, capacity_ceiling_bytes=ADMITTED_BYTES)
        genesis = founded([self.config(number) for number in numbers], standing, self._code)
        for number, actor in zip(numbers, genesis.cast.actors, strict=True):
            await genesis.settle_in(actor, self.world.host(actor.name), self.config(number))
        for number in numbers:
            await self.start(number)
        await self.until(self.agree)
        await self.on(1, lambda services: services.vault.create_namespace(namespace))
        return self.client()

    def client(self, number: int = 1) -> Client:
        """Somebody who asks a node's vault, whatever life it is in."""
        return Client(lambda work: self.on(number, lambda services: work(services.vault)))

    # --- founding and joining ------------------------------------------------------------------------------------

    def config(self, number: int) -> Config:
        return parse(self.config_text(number))

    def folder(self, number: int) -> NodeFolder:
        return NodeFolder(self.world.host(name_of(number)).disk, name_of(number))

    async def _found(self) -> None:
        newcomer = self._newcomer(1)
        charter = Charter(
            name="Essai",
            founder=newcomer.organisation.lineage,
            founder_standing=STANDING,
            founded_s=START_S,
            admissions=Admissions.SPONSORED,
            quorum=Quorum.MAJORITY,
            founder_alone_up_to=3,
            classes=tuple(dataclasses.replace(each, code=self._code) for each in standard_classes()),
        )
        entry = found(newcomer, charter)
        await self._settle_in(1, entry)

    async def join(self, number: int) -> None:
        """With a fresh invitation of n1, on n`number`'s disk."""
        newcomer = self._newcomer(number)
        invited = await self.on(1, lambda services: members.invite(services, member_calls.Invite(3_600)))
        invitation = parse_invitation(invited.token)
        entry = entry_for(newcomer, invitation.federation, invitation=invitation_id(invitation))
        mesh_config = MeshConfig(listen=newcomer.config.node.listen)
        host = self.world.host(name_of(number))
        records = await join(host, newcomer.node_key, invitation, entry.records, mesh_config)
        await self._settle_in(number, Entry(entry.membership, (*records, *entry.records)))

    async def _settle_in(self, number: int, entry: Entry) -> None:
        records_file, view = await open_records(self.world.host(name_of(number)), entry.membership.federation)
        await keep(records_file, view, entry.records)
        self.folder(number).become_member(entry.membership)

    def _newcomer(self, number: int) -> Newcomer:
        party, folder = Party(number), self.folder(number)
        organisation = Organisation(f"organisation {number}", "", party.organisation.lineage(), taken_over=False)
        folder.create(self.config_text(number), party.key, organisation, party.organisation.key().seed)
        return Newcomer(self.config(number), folder.node_key(), folder.organisation(), folder.organisation_key())

    async def _admit(self, number: int) -> None:
        """By as many ballots as it takes, cast by those who are members already."""
        question = member_calls.Admit(f"organisation {number}", "FR", "association", (), ADMITTED_BYTES)
        for voter in range(1, number):
            line = await self.on(voter, lambda services: members.admit(services, question))
            if line.state == "decided" or voter >= line.needed:
                break
        await self.until(lambda: all(self._admitted(house, number) for house in self.houses.values()))

    def _admitted(self, house: Life, number: int) -> bool:
        facts = house.services.mesh.view.node(node_of(number))
        return facts is not None and facts.admitted

    def config_text(self, number: int) -> str:
        return (
            f'bulk = "{self._bulk}"\nengine = "zfec"\n[node]\nname = "{name_of(number)}"\n'
            f'zone = "zone-{number}"\nlisten = "{address_of(number)}"\n[vault]\n{VAULT}\ndesks = {self.desks}\n'
            f"complete_after_s = {self.complete_after_s}\npack_every_s = {self.pack_every_s}\n"
            f"inventory_every_s = {self.inventory_every_s}\n"
            f"checkpoint_after_s = {self.checkpoint_after_s}\nsettle_after_s = {self.settle_after_s}\n"
            f"[upkeep]\njournal_copy_after_s = {self.journal_copy_after_s}\njournal_copy_every_s = 5.0\n"
            f'[[store.disks]]\npath = "volumes"\ncapacity = {10**12}\n'
        )

    # --- lives and deaths ----------------------------------------------------------------------------------------

    async def start(self, number: int) -> Services:
        """Run the node in its present life."""

        async def begin(nursery: trio.Nursery, host: Host) -> Services:
            folder = NodeFolder(host.disk, name_of(number))
            return await start_node(nursery, self.dress(number, host), folder, self.config(number))

        return await self.lives.start(name_of(number), begin)

    def kill(self, number: int) -> None:
        """SIGKILL."""
        self.lives.kill(name_of(number))

    def cut_power(self, number: int) -> None:
        """What was not synced is gone, or torn, or not."""
        self.lives.cut_power(name_of(number))

    def on_reaching(self, number: int, point: str, act: Callable[[], None], *, times: int = 1) -> None:
        """Do `act` when n`number` reaches the fault point for the `times`-th time from now on."""
        faults = self.world.faults(name_of(number))
        last = faults.times_reached(point) + times

        def look() -> None:
            if faults.times_reached(point) == last:
                act()

        faults.on(point, look)

    async def on(self, number: int, work: Callable[[Services], Awaitable[R]]) -> R:
        """What its client gets: the outcome of `work`, run in the node's life. Raises its error, or Lost."""
        return await self.lives.on(name_of(number), work)

    # --- looking -------------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], bool], *, within_s: float = 120.0) -> float:
        """Wait for it; how long it took."""
        began_s = trio.current_time()
        with trio.fail_after(within_s):
            while not condition():  # noqa: ASYNC110 (the clock is virtual, and the condition anything)
                await trio.sleep(0.1)
        return trio.current_time() - began_s

    async def until_open(self, number: int = 1) -> None:
        """The node's namespaces can be used."""
        with trio.fail_after(120):
            while any(status.problem for status in await self.client(number).namespaces()):  # noqa: ASYNC110
                await trio.sleep(0.1)

    async def until_settled(self) -> None:
        """Everybody knows of everybody, and of every journal entry it is known whether it counts."""
        await self.until_open()
        await self.until(self.agree)
        with trio.fail_after(120):
            while not all(_is_settled(status) for status in await self.client().namespaces()):  # noqa: ASYNC110
                await trio.sleep(0.1)

    def agree(self) -> bool:
        """Every running node has the same records, and holds every running node for alive."""
        meshes = [house.services.mesh for house in self.houses.values()]
        running = {mesh.me for mesh in meshes}
        return all(mesh.view.ids() == meshes[0].view.ids() and mesh.live() == running for mesh in meshes)

    def sees(self, number: int, other: int, status: Status) -> bool:
        """What n`number` thinks of n`other`."""
        return self.houses[number].services.mesh.swim.status(node_of(other)) is status

    def number_of(self, node: NodeId) -> int:
        return next(number for number in range(1, 100) if node_of(number) == node)

    async def lacking(self, key: str) -> list[tuple[int, int]]:
        """Node and share index of every share of the object that is not where the catalog says, on running nodes."""
        absent = []
        for block in (await self.client().explain(key)).blocks:
            for share in block.shares:
                number, index = self.number_of(share.reason.node), share.reason.index
                house = self.houses.get(number)
                if house is None or not (await house.services.store.held([block.block]))[0] >> index & 1:
                    absent.append((number, index))
        return absent

    async def shares(self) -> dict[int, int]:
        """How many shares each running node keeps."""
        return {number: house.services.store.usage().shares for number, house in sorted(self.houses.items())}

    async def until_shares(self, wanted: Callable[[dict[int, int]], bool], *, within_s: float = 60.0) -> None:
        """Wait until so many are kept."""
        with trio.fail_after(within_s):
            while not wanted(await self.shares()):  # noqa: ASYNC110
                await trio.sleep(0.5)

    async def incomplete(self) -> int:
        """Blocks of which the catalog knows that shares are still to come."""
        return sum(status.incomplete_blocks for status in await self.client().namespaces())

    async def releasing(self) -> int:
        """Blocks of which some holders have not let go yet."""
        return sum(status.releasing_blocks for status in await self.client().namespaces())

    async def until_complete(self, *, within_s: float) -> float:
        began_s = trio.current_time()
        with trio.fail_after(within_s):
            while await self.incomplete():  # noqa: ASYNC110
                await trio.sleep(0.5)
        return trio.current_time() - began_s

    def fingerprint(self) -> str:
        """All that happened on the network, and every byte that is on any disk."""
        told = hashlib.sha256(self.world.trace.digest().encode())
        for number in sorted(self.houses):
            for path, contents in sorted(self.world.platter(name_of(number)).files.items()):
                told.update(f"{number} {path} {len(contents.seen)}".encode())
                told.update(contents.seen)
        return told.hexdigest()


def _is_settled(status: NamespaceStatus) -> bool:
    return status.journal is not None and status.journal.acknowledged == status.journal.length


def name_of(number: int) -> str:
    return f"n{number}"


def address_of(number: int) -> str:
    return f"{name_of(number)}:7000"


def node_of(number: int) -> NodeId:
    return Party(number).node


def in_a_township(
    main: Callable[[Township], Awaitable[R]],
    *,
    seed: int = 1,
    conditions: Conditions | None = None,
    bulk: str = "tls",
    code: Code | None = None,
) -> R:
    """Run `main` on virtual time; all nodes end when it returns."""

    async def live() -> R:
        async with trio.open_nursery() as nursery:
            result = await main(Township(World(seed, conditions), nursery, bulk=bulk, code=code))
            nursery.cancel_scope.cancel()
        return result

    with thrift():
        return run_deterministically(seed, live)
