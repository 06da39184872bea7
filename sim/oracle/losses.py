"""What the faults took away, node by node: what a promise may be excused with, and nothing else may.

A power cut takes nothing that was acknowledged, nor does a disk that is full or errs for a while: a node must bear
those. A disk that was lost or overwritten takes all that the node held then; so does a lie, because a liar may have
thrown it away. Bits that rot may have taken a share: whether they did, the holder itself is asked.
"""

from __future__ import annotations

from sim.faults import kinds
from sim.faults.kinds import Fault
from sim.federation.cast import Cast

_TAKES_ALL = (kinds.Wipe, kinds.Destroy, kinds.RollBack, kinds.Overwrite, kinds.Lie)


class Losses:
    """Of one run, so far."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._all_s: dict[str, list[float]] = {}
        self._some: set[str] = set()
        self.rolled_back: set[str] = set()

    def note(self, fault: Fault, now_s: float) -> None:
        """This fault has struck."""
        if isinstance(fault, kinds.RollBack):
            self.rolled_back.add(fault.node)
        if isinstance(fault, _TAKES_ALL):
            self._all_s.setdefault(fault.node, []).append(now_s)
        elif isinstance(fault, kinds.Rot):
            self._some.add(fault.node)
        elif isinstance(fault, kinds.Expel):
            house = self._cast[fault.node].house
            for actor in self._cast.actors:
                if actor.house == house:
                    self._all_s.setdefault(actor.name, []).append(now_s)

    def took_any(self) -> bool:
        """Whether any share or entry may be lost at all."""
        return bool(self._all_s or self._some)

    def took_all_s(self, node: str, since_s: float) -> float | None:
        """When the node first lost all that it had held since then; None when it did not."""
        return min((at_s for at_s in self._all_s.get(node, []) if at_s >= since_s), default=None)

    def touched(self) -> set[str]:
        """The nodes whose disks something happened to."""
        return {*self._all_s, *self._some}

    def may_have_taken(self, node: str) -> bool:
        """Whether some of what the node holds may be unreadable."""
        return node in self._some
