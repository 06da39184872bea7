"""A small world: named nodes, each with a host in memory, on one network, all from one seed.

A test asks for `world.host("n1")`, gives it to unmodified node code, and then cuts its power, kills its process,
parts the network or rots its disk. A node has lives: after a crash `world.host("n1")` is the host of the next one, on
what the disk kept. To crash a node from within, run it by `world.run_node`: its tasks end with its life.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from node.host.ports import Host
from protocol.errors import Refused
from sim.host.disk import DISK_BYTES, MemoryDisk, Platter
from sim.host.faults import ChosenFaults
from sim.host.network import Conditions, MemoryNetwork, Wires
from sim.host.streams import SeededEntropy, stream
from sim.host.trace import Trace

R = TypeVar("R")

# Which node's code runs now, for whoever hears what it says.
speaking: ContextVar[str] = ContextVar("speaking", default="")

START_S = 1_800_000_000
OWN_DISK = ""


@dataclass(slots=True)
class VirtualWallClock:
    """See `ports.WallClock`; `skew_s` is how wrong this node's clock is."""

    skew_s: int = 0

    def now_s(self) -> int:
        return START_S + int(trio.current_time()) + self.skew_s


class InlineThreads:
    """See `ports.Threads`. Virtual time would jump past a real thread, so the work runs here: in no time at all, or
    on a slow machine in as long as that says."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def run_blocking(self, work: Callable[..., R], *arguments: object) -> R:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._machine.slow_s:
            with trio.CancelScope(shield=True):  # as a thread's work, it is not abandoned
                await trio.sleep(self._machine.slow_s)
        outcome = work(*arguments)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return outcome


@dataclass(slots=True)
class Life:
    """What ends with the process."""

    number: int
    faults: ChosenFaults = field(default_factory=ChosenFaults)
    scopes: list[trio.CancelScope] = field(default_factory=list)
    is_locked: bool = False


@dataclass(slots=True)
class Machine:
    """What stays: the disks, and a clock. `slow_s` is how long each blocking piece of work takes."""

    life: Life
    slow_s: float = 0.0
    platters: dict[str, Platter] = field(default_factory=dict)
    wall: VirtualWallClock = field(default_factory=VirtualWallClock)


class World:
    """Use one inside one trio run, on a clock that jumps (`autojump_clock`, or `run_deterministically`)."""

    def __init__(self, seed: int, conditions: Conditions | None = None, trace: Trace | None = None) -> None:
        self.trace = trace or Trace()
        self.wires = Wires(stream(seed, "network"), self.trace, conditions or Conditions())
        self._seed = seed
        self._machines: dict[str, Machine] = {}

    def host(self, name: str) -> Host:
        """The host of the node's present life."""
        machine = self._machine(name)
        life, faults = machine.life, machine.life.faults
        disk = MemoryDisk(self.platter(name), faults, name)
        return Host(
            network=MemoryNetwork(self.wires, name, life.number),
            disk=disk,
            entropy=SeededEntropy(stream(self._seed, "entropy", name, str(life.number))),
            wall=machine.wall,
            threads=InlineThreads(machine),
            faults=faults,
            open_index=disk.open_index,
            open_disk=lambda place: MemoryDisk(self.platter(name, place), faults, place.rpartition("/")[2]),
            lock=lambda: _hold_lock(life, name),
        )

    async def run_node(
        self,
        name: str,
        main: Callable[[Host], Awaitable[None]],
        *,
        task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run `main` as the node until it returns, its scope is cancelled, or the node dies."""
        life = self._machine(name).life
        speaking.set(name)
        with trio.CancelScope() as scope:
            life.scopes.append(scope)
            task_status.started(scope)
            try:
                await main(self.host(name))
            except BaseException:
                if not life.faults.is_dead:
                    raise
                # What the clean-up of a dead node met is nobody's error; its scope is cancelled, and says so here.
                await trio.lowlevel.checkpoint()

    def kill(self, name: str) -> None:
        """SIGKILL: the process ends at this instruction; the machine goes on, and with it what it had written."""
        for platter in self._machine(name).platters.values():
            platter.life += 1
        self._end_life(name)

    def cut_power(self, name: str) -> None:
        """The machine ends at this instruction: what was not synced is lost, or torn, or by chance kept."""
        machine = self._machine(name)
        numbers = stream(self._seed, "power", name, str(machine.life.number))
        for place in sorted(machine.platters):
            machine.platters[place].crash(numbers)
        self._end_life(name)

    def faults(self, name: str) -> ChosenFaults:
        return self._machine(name).life.faults

    def wall(self, name: str) -> VirtualWallClock:
        return self._machine(name).wall

    def platter(self, name: str, place: str = OWN_DISK, *, capacity_bytes: int = DISK_BYTES) -> Platter:
        """The node's disk; `capacity_bytes` counts when it is first asked for."""
        return self._machine(name).platters.setdefault(place, Platter(capacity_bytes))

    def slow(self, name: str, delay_s: float) -> None:
        """From now on each blocking piece of work of the node takes so long."""
        self._machine(name).slow_s = delay_s

    def platters(self, name: str) -> tuple[Platter, ...]:
        """All disks that the node has used, its own first."""
        machine = self._machine(name)
        return tuple(machine.platters[place] for place in sorted(machine.platters))

    def _machine(self, name: str) -> Machine:
        return self._machines.setdefault(name, Machine(Life(0)))

    def _end_life(self, name: str) -> None:
        machine = self._machine(name)
        ended, machine.life = machine.life, Life(machine.life.number + 1)
        self.trace.record("node-died", node=name)
        ended.faults.is_dead = True
        self.wires.kill(name)
        for scope in ended.scopes:
            scope.cancel()


@asynccontextmanager
async def _hold_lock(life: Life, name: str) -> AsyncIterator[None]:
    if life.is_locked:
        raise Refused("node-already-running", path=name)
    life.is_locked = True
    try:
        yield
    finally:
        life.is_locked = False
