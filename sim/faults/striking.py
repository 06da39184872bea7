"""Doing faults to a running federation, and undoing all of them when the safety phase ends.

A fault that finds nothing to strike (a process to kill that does not run) does nothing, so that any part of a list
of faults is a list of faults.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from node.logs import get_logger
from protocol.errors import MaillonError
from sim.byzantine import LIES
from sim.faults import kinds
from sim.faults.kinds import Fault, Planned
from sim.faults.listing import table_of
from sim.federation.federation import Federation
from sim.federation.lives import Begin, Lost
from sim.host.network import Conditions
from sim.host.streams import stream

_MEGABIT_BYTES = 125_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ailment:
    """Operations of a disk that fail, until it is well: in every life of its node."""

    point: str
    error: int
    chance: float


class Striker:
    """One run's faults. What a disk suffers from lasts longer than the life in which it began."""

    def __init__(self, federation: Federation, seed: int) -> None:
        self._federation = federation
        self._seed = seed
        self._ailments: dict[str, list[Ailment]] = {}
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
        for name in federation.cast.names:
            self._disk_well(name)
            federation.world.wall(name).skew_s = 0
        for name in sorted({*self._lies, *self._sick}):
            self._end(name)
        for name in federation.names:
            await self._start(name)

    async def _do(self, fault: Fault) -> None:
        match fault:
            case (
                kinds.Kill() | kinds.PowerCut() | kinds.Stop() | kinds.Start() | kinds.Wipe() | kinds.Destroy()
                | kinds.RollBack() | kinds.Lie()
            ):  # fmt: skip
                await self._do_to_life(fault)
            case kinds.DiskError() | kinds.DiskFull() | kinds.DiskSlow() | kinds.DiskWell() | kinds.Rot():
                self._do_to_disk(fault)
            case kinds.Partition() | kinds.Silence() | kinds.Heal() | kinds.Links() | kinds.LinksWell():
                self._do_to_links(fault)
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
            case kinds.Lie():
                self._end(node)
                self._lies[node] = fault.lie
                await self._start(node, LIES[fault.lie](federation, node))

    def _do_to_disk(self, fault: kinds.OfDisk) -> None:
        node = fault.node
        match fault:
            case kinds.DiskError():
                ailment = Ailment(fault.point, getattr(errno, fault.error), fault.chance)
                self._ailments.setdefault(node, []).append(ailment)
                self._sick.add(node)
                self._afflict(node)
            case kinds.DiskFull():
                self._sick.add(node)
                for platter in self._federation.platters(node):
                    platter.leave_room(fault.free_bytes)
            case kinds.DiskSlow():
                self._federation.world.slow(node, fault.delay_ms / 1000)
            case kinds.DiskWell():
                self._disk_well(node)
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
        self._afflict(node)
        try:
            await federation.start(node, begin)
        except (MaillonError, Lost, OSError) as error:
            # A sick disk may keep a node from starting: that is one more thing that goes wrong.
            federation.world.trace.record("node-start-failed", node=node, error=repr(error))

    def _afflict(self, node: str) -> None:
        """Tell the node's present life what its disk suffers from."""
        faults = self._federation.world.faults(node)
        for place, ailment in enumerate(self._ailments.get(node, [])):
            numbers = stream(self._seed, "disk-error", node, str(place), str(self._struck))
            faults.on(ailment.point, _failing(ailment, numbers))

    def _disk_well(self, node: str) -> None:
        faults = self._federation.world.faults(node)
        for ailment in self._ailments.pop(node, []):
            faults.clear(ailment.point)
        for platter in self._federation.platters(node):
            platter.leave_room(None)
        self._federation.world.slow(node, 0.0)

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


def _failing(ailment: Ailment, numbers: random.Random) -> Callable[[], None]:
    def act() -> None:
        if numbers.random() < ailment.chance:
            raise OSError(ailment.error, os.strerror(ailment.error))

    return act
