"""What a node suffers from in every life until it is cured: a disk that errs, an armed fault point, a bad version.

The faults of a host end with the life of its process, as they should: a machine that comes back is a new one. An ill
that lasts is told to each new life when it starts.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from sim.faults.kinds import Armed, DiskError
from sim.federation.federation import Federation
from sim.host.streams import stream

# A service manager waits about so long before it starts a crashed program again.
RESTART_S: Final = 3.0
SLOW_VERSION_S: Final = 0.2
_STORED: Final = ("serve.before-put-answer", "serve.before-append-answer")


@dataclass(frozen=True, slots=True)
class Ailment:
    """Operations of a disk that fail, until it is well."""

    point: str
    error: int
    chance: float


class Ills:
    """The lasting ills of all nodes. `revive` starts a node again that a service manager looks after."""

    def __init__(self, federation: Federation, seed: int, revive: Callable[[str], None]) -> None:
        self._federation = federation
        self._seed = seed
        self._revive = revive
        self._ailments: dict[str, list[Ailment]] = {}
        self._armed: dict[str, list[Armed]] = {}
        self._versions: dict[str, str] = {}
        self._told = 0

    def ail(self, node: str, fault: DiskError) -> None:
        """From now on the node's disk errs so."""
        ailment = Ailment(fault.point, getattr(errno, fault.error), fault.chance)
        self._ailments.setdefault(node, []).append(ailment)
        self.afflict(node)

    def arm(self, fault: Armed) -> None:
        """The node ends at this point, once: in this life, or in the next that comes by it."""
        self._armed.setdefault(fault.node, []).append(fault)
        self.afflict(fault.node)

    def update(self, node: str, version: str) -> None:
        """The node's next lives run this version."""
        self._versions[node] = version
        self._federation.world.slow(node, SLOW_VERSION_S if version == "slow" else 0.0)

    def version(self, node: str) -> str:
        """What the node runs."""
        return self._versions.get(node, "good")

    def afflict(self, node: str) -> None:
        """Tell the node's present life what it suffers from."""
        faults = self._federation.world.faults(node)
        self._told += 1
        for place, ailment in enumerate(self._ailments.get(node, [])):
            numbers = stream(self._seed, "disk-error", node, str(place), str(self._told))
            faults.on(ailment.point, _failing(ailment, numbers))
        for point in _STORED:
            if self.version(node) == "mute":
                faults.on(point, trio.sleep_forever)
            elif self.version(node) == "crashing":
                faults.on(point, lambda: self._crash(node))
        for armed in self._armed.get(node, []):
            faults.on(armed.point, self._trap(armed))

    def disk_well(self, node: str) -> None:
        """The node's disk does what it is told, at once, and has room."""
        faults = self._federation.world.faults(node)
        for ailment in self._ailments.pop(node, []):
            faults.clear(ailment.point)
        for platter in self._federation.platters(node):
            platter.leave_room(None)
        self._federation.world.slow(node, SLOW_VERSION_S if self.version(node) == "slow" else 0.0)

    def cure(self) -> list[str]:
        """Nobody suffers from anything any more. Returns who ran a bad version, and has to be started anew."""
        bad = sorted(node for node, version in self._versions.items() if version != "good")
        self._versions.clear()
        for node, armed in sorted(self._armed.items()):
            for each in armed:
                self._federation.world.faults(node).clear(each.point)
                self._federation.world.trace.record("never-reached", node=node, point=each.point)
        self._armed.clear()
        for node in self._federation.cast.names:
            self.disk_well(node)
        return bad

    def _trap(self, armed: Armed) -> Callable[[], None]:
        left = [armed.passes]

        def spring() -> None:
            if left[0] > 0:
                left[0] -= 1
                return
            waiting = self._armed.get(armed.node, [])
            if armed not in waiting:
                return
            waiting.remove(armed)
            self._federation.world.trace.record("reached", node=armed.node, point=armed.point, action=armed.action)
            if armed.action == "kill":
                self._federation.lives.kill(armed.node)
            else:
                self._federation.lives.cut_power(armed.node)

        return spring

    def _crash(self, node: str) -> None:
        self._federation.lives.kill(node)
        self._revive(node)


def _failing(ailment: Ailment, numbers: random.Random) -> Callable[[], None]:
    def act() -> None:
        if numbers.random() < ailment.chance:
            raise OSError(ailment.error, os.strerror(ailment.error))

    return act
