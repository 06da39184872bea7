"""Doing faults to a running federation, and undoing all of them when the safety phase ends.

A fault that finds nothing to strike (a process to kill that does not run) does nothing, so that any part of a list
of faults is a list of faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import trio

from protocol.errors import MaillonError
from sim.byzantine import LIARS
from sim.faults import kinds
from sim.faults.ills import RESTART_S, Ills
from sim.faults.kinds import Fault, Planned
from sim.faults.listing import table_of
from sim.faults.people import People
from sim.federation.federation import Federation
from sim.federation.lives import Begin, Lost
from sim.host.network import Conditions
from sim.host.streams import stream
from sim.oracle.clients import Patron

_MEGABIT_BYTES = 125_000


class Striker:
    """One run's faults. What takes people time goes on in `nursery` while the next faults strike."""

    def __init__(
        self, federation: Federation, patrons: Mapping[str, Patron], seed: int, nursery: trio.Nursery
    ) -> None:
        self._federation = federation
        self._seed = seed
        self._nursery = nursery
        self._people = People(federation, patrons)
        self._ills = Ills(federation, seed, lambda node: nursery.start_soon(self._revive, node))
        self._lies: dict[str, str] = {}
        # A store whose disk failed it is only read until the next start: somebody has to see to it.
        self._sick: set[str] = set()
        self._struck = 0

    async def strike(self, planned: Planned) -> None:
        """Do one fault now."""
        self._struck += 1
        told = {name: value for name, value in table_of(planned).items() if name != "at_s"}
        self._federation.world.trace.record("fault", **told)
        await self._do(planned.fault)

    async def mend(self) -> None:
        """The faults stop: links and disks are well, clocks right, everybody who can runs honestly."""
        federation = self._federation
        federation.world.trace.record("faults-stop")
        federation.world.wires.heal()
        federation.world.wires.well()
        self._people.disperse()
        for name in federation.cast.names:
            federation.world.wall(name).skew_s = 0
        for name in sorted({*self._lies, *self._sick, *self._ills.cure()}):
            self._end(name)
        for name in federation.names:
            await self._start(name)

    async def take_over(self, node: str, patron: Patron) -> None:
        """As the fault of this name does, and come back when it is done or was refused."""
        await self._people.take_over(node, patron)

    async def _do(self, fault: Fault) -> None:
        match fault:
            case (
                kinds.Kill() | kinds.PowerCut() | kinds.Stop() | kinds.Start() | kinds.Wipe() | kinds.Destroy()
                | kinds.RollBack() | kinds.Overwrite() | kinds.Armed() | kinds.Update() | kinds.Lie()
            ):  # fmt: skip
                await self._do_to_life(fault)
            case kinds.DiskError() | kinds.DiskFull() | kinds.DiskSlow() | kinds.DiskWell() | kinds.Rot():
                self._do_to_disk(fault)
            case kinds.Partition() | kinds.Silence() | kinds.Heal() | kinds.Links() | kinds.LinksWell():
                self._do_to_links(fault)
            case kinds.TakeOver() | kinds.Leave() | kinds.Expel() | kinds.Crowd():
                self._nursery.start_soon(self._people.act, fault)
            case kinds.Clock(node, skew_s):
                self._federation.world.wall(node).skew_s = skew_s
            case _:
                assert_never(fault)

    async def _do_to_life(self, fault: kinds.OfLife) -> None:
        federation, node = self._federation, fault.node
        match fault:
            case kinds.Kill():
                self._end(node)
            case kinds.PowerCut():
                self._end(node, power=True)
            case kinds.Stop():
                if node in federation.running:
                    await federation.lives.stop(node)
            case kinds.Start():
                await self._start(node)
            case kinds.Wipe():
                self._end(node, power=True)
                federation.empty(node)
            case kinds.Destroy():
                self._end(node, power=True)
                federation.gone.add(node)
            case kinds.RollBack():
                self._end(node, power=True)
                federation.roll_back(node)
            case kinds.Overwrite():
                self._end(node, power=True)
                self._overwrite(node, fault.where)
            case kinds.Armed():
                self._ills.arm(fault)
            case kinds.Update():
                self._end(node)
                self._ills.update(node, fault.version)
                await self._start(node)
            case kinds.Lie():
                self._end(node)
                self._lies[node] = fault.lie
                await self._start(node, LIARS[fault.lie](federation, node))

    def _do_to_disk(self, fault: kinds.OfDisk) -> None:
        node = fault.node
        match fault:
            case kinds.DiskError():
                self._sick.add(node)
                self._ills.ail(node, fault)
            case kinds.DiskFull():
                self._sick.add(node)
                for platter in self._federation.platters(node):
                    platter.leave_room(fault.free_bytes)
            case kinds.DiskSlow():
                self._federation.world.slow(node, fault.delay_ms / 1000)
            case kinds.DiskWell():
                self._ills.disk_well(node)
            case kinds.Rot():
                self._rot(node, fault.bits, fault.where)

    def _do_to_links(self, fault: kinds.OfLinks) -> None:
        wires = self._federation.world.wires
        match fault:
            case kinds.Partition():
                self._part(fault.nodes, fault.direction)
            case kinds.Silence():
                wires.silence(fault.node)
            case kinds.Heal():
                wires.heal()
            case kinds.Links():
                wires.change(fault.nodes, conditions_of(fault))
            case kinds.LinksWell():
                wires.well()

    def _end(self, node: str, *, power: bool = False) -> None:
        self._lies.pop(node, None)
        lives = self._federation.lives
        if power:
            lives.cut_power(node)
        elif node in lives.running:
            lives.kill(node)

    async def _start(self, node: str, begin: Begin | None = None) -> None:
        federation = self._federation
        if node in federation.lives.running or node in federation.gone:
            return
        self._ills.afflict(node)
        try:
            await federation.start(node, begin)
        except (MaillonError, Lost, OSError) as error:
            # A sick disk may keep a node from starting: that is one more thing that goes wrong.
            federation.world.trace.record("node-start-failed", node=node, error=repr(error))

    async def _revive(self, node: str) -> None:
        """The service manager starts a crashed program again, as long as it crashes."""
        await trio.sleep(RESTART_S)
        if self._ills.version(node) == "crashing":
            await self._start(node)

    def _overwrite(self, node: str, where: str) -> None:
        numbers = stream(self._seed, "overwrite", node, str(self._struck))
        for platter, path in self._federation.losable(node, where):
            platter.overwrite(path, numbers)
        for platter in self._federation.platters(node):
            for path in sorted(platter.databases):
                if str(path).startswith(where):
                    platter.databases[path].damage()

    def _rot(self, node: str, bits: int, where: str) -> None:
        numbers = stream(self._seed, "rot", node, str(self._struck))
        files = [(platter, path) for platter, path in self._federation.files(node, where) if platter.files[path].seen]
        for _ in range(bits if files else 0):
            platter, path = numbers.choice(files)
            platter.flip_bit(path, numbers.randrange(8 * len(platter.files[path].seen)))

    def _part(self, nodes: tuple[str, ...], direction: str) -> None:
        wires = self._federation.world.wires
        for inside in nodes:
            for outside in [name for name in self._federation.cast.names if name not in nodes]:
                if direction in ("both", "out"):
                    wires.block(inside, outside)
                if direction in ("both", "in"):
                    wires.block(outside, inside)


def conditions_of(links: kinds.Links) -> Conditions:
    """The links as a fault says they are."""
    return Conditions(
        latency_min_s=links.latency_min_ms / 1000,
        latency_max_s=links.latency_max_ms / 1000,
        dial_loss=links.dial_loss,
        send_loss=links.send_loss,
        answer_loss=links.answer_loss,
        bandwidth_bytes_s=links.bandwidth_mbit * _MEGABIT_BYTES,
    )
