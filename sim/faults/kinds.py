"""The kinds of fault, each a value: what happens to whom. When, stands beside it in a `Planned`.

A fault is an event, not a state with a length: what begins with one fault ends with another, or with the safety
phase. So a list of faults can be made shorter one by one, and what is left still means something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from node.declared import REQUIRED, SIZE, setting
from sim.faults.lies import LIES
from sim.faults.points import POINTS


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL: the process ends between two instructions; what it wrote stays written."""

    KIND: ClassVar[str] = "kill"
    node: str = setting(REQUIRED, "Whose process.")


@dataclass(frozen=True, slots=True)
class PowerCut:
    """The machine ends: of what was not synced, any part is kept, lost or torn."""

    KIND: ClassVar[str] = "power-cut"
    node: str = setting(REQUIRED, "Whose machine.")


@dataclass(frozen=True, slots=True)
class Stop:
    """The process is told to stop, signs off and says goodbye."""

    KIND: ClassVar[str] = "stop"
    node: str = setting(REQUIRED, "Which node.")


@dataclass(frozen=True, slots=True)
class Start:
    """A node that was away starts again."""

    KIND: ClassVar[str] = "start"
    node: str = setting(REQUIRED, "Which node.")


@dataclass(frozen=True, slots=True)
class Wipe:
    """The machine ends, and its disks come back empty but for the node's identity and records."""

    KIND: ClassVar[str] = "wipe"
    node: str = setting(REQUIRED, "Whose disks.")


@dataclass(frozen=True, slots=True)
class Destroy:
    """The machine ends and never comes back, not even when the faults stop."""

    KIND: ClassVar[str] = "destroy"
    node: str = setting(REQUIRED, "Which node.")


@dataclass(frozen=True, slots=True)
class RollBack:
    """The machine ends, and its disks come back as they were when it last started."""

    KIND: ClassVar[str] = "roll-back"
    node: str = setting(REQUIRED, "Whose disks.")


@dataclass(frozen=True, slots=True)
class Armed:
    """The node ends when it next comes by a named fault point: between any two instructions that have one."""

    KIND: ClassVar[str] = "armed"
    node: str = setting(REQUIRED, "Which node.")
    point: str = setting(REQUIRED, "The fault point, as the node's code names it.", choices=POINTS)
    action: str = setting("power-cut", "How it ends.", choices=("power-cut", "kill"))
    passes: int = setting(0, "How many times it passes the point unharmed.")


@dataclass(frozen=True, slots=True)
class Overwrite:
    """The machine ends, and somebody has written garbage over its files, each as long as before."""

    KIND: ClassVar[str] = "overwrite"
    node: str = setting(REQUIRED, "Whose disks.")
    where: str = setting("", "Which files: those whose path begins so; all but the node's identity if empty.")


@dataclass(frozen=True, slots=True)
class Update:
    """The node starts again as another version of the program, and stays one until the next update."""

    KIND: ClassVar[str] = "update"
    node: str = setting(REQUIRED, "Which node.")
    version: str = setting(
        "good",
        "What is wrong with it: nothing; it dies whenever it has stored something, and is started again; each use of "
        "the disk takes long; it stores, and never says so.",
        choices=("good", "crashing", "slow", "mute"),
    )


@dataclass(frozen=True, slots=True)
class DiskError:
    """From now on a disk operation fails with an errno, until `disk-well`."""

    KIND: ClassVar[str] = "disk-error"
    node: str = setting(REQUIRED, "Whose disk.")
    point: str = setting(
        "disk.write",
        "Which operation.",
        choices=("disk.read", "disk.write", "disk.sync", "disk.open", "disk.punch", "disk.remove"),
    )
    error: str = setting("EIO", "The errno.", choices=("EIO", "ENOSPC"))
    chance: float = setting(1.0, "How likely each such operation is to fail.", most=1)


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The disk has so much room left, and no more, until `disk-well`."""

    KIND: ClassVar[str] = "disk-full"
    node: str = setting(REQUIRED, "Whose disk.")
    free_bytes: int = setting(0, "What is left.", form=SIZE)


@dataclass(frozen=True, slots=True)
class DiskSlow:
    """Every use of the disk takes so long, until `disk-well`."""

    KIND: ClassVar[str] = "disk-slow"
    node: str = setting(REQUIRED, "Whose disk.")
    delay_ms: float = setting(500.0, "How long.")


@dataclass(frozen=True, slots=True)
class DiskWell:
    """The disk works again."""

    KIND: ClassVar[str] = "disk-well"
    node: str = setting(REQUIRED, "Whose disk.")


@dataclass(frozen=True, slots=True)
class Rot:
    """Bits flip at rest, on places drawn from the seed."""

    KIND: ClassVar[str] = "rot"
    node: str = setting(REQUIRED, "Whose disk.")
    bits: int = setting(1, "How many.", least=1)
    where: str = setting("volumes", "Which files: those whose path begins so.")


@dataclass(frozen=True, slots=True)
class Partition:
    """What these nodes send to the others is held back, and what those send to them, until `heal`."""

    KIND: ClassVar[str] = "partition"
    nodes: tuple[str, ...] = setting(REQUIRED, "The nodes on one side.")
    direction: str = setting("both", "Which way nothing comes through.", choices=("both", "out", "in"))


@dataclass(frozen=True, slots=True)
class Silence:
    """The node's packets vanish without a word, until `heal`."""

    KIND: ClassVar[str] = "silence"
    node: str = setting(REQUIRED, "Which node.")


@dataclass(frozen=True, slots=True)
class Heal:
    """Every partition and silence ends."""

    KIND: ClassVar[str] = "heal"


@dataclass(frozen=True, slots=True)
class Links:
    """The links of these nodes (none named: of all) become so, until `links-well`."""

    KIND: ClassVar[str] = "links"
    nodes: tuple[str, ...] = setting((), "Whose links.")
    latency_min_ms: float = setting(1.0, "The shortest way.")
    latency_max_ms: float = setting(5.0, "The longest way.")
    dial_loss: float = setting(0.0, "The chance that opening a connection fails.", most=1)
    send_loss: float = setting(0.0, "The chance that a message breaks its connection before it arrives.", most=1)
    answer_loss: float = setting(
        0.0,
        "The chance that a connection breaks after a message arrived, so that what it asked is asked twice.",
        most=1,
    )
    bandwidth_mbit: float = setting(0.0, "What each of the nodes can send in a second; 0: any amount.")


@dataclass(frozen=True, slots=True)
class LinksWell:
    """All links are again as the scenario says."""

    KIND: ClassVar[str] = "links-well"


@dataclass(frozen=True, slots=True)
class Clock:
    """The node's wall clock is wrong from now on, by so much."""

    KIND: ClassVar[str] = "clock"
    node: str = setting(REQUIRED, "Whose clock.")
    skew_s: int = setting(0, "How much it is ahead; negative: behind.", least=-(10**9))


@dataclass(frozen=True, slots=True)
class Lie:
    """The node starts again with its own key, but obeys the rules no more, until it is started anew."""

    KIND: ClassVar[str] = "lie"
    node: str = setting(REQUIRED, "Which node.")
    lie: str = setting(REQUIRED, "What it does: see docs/simulator.md.", choices=LIES)


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The node takes over the namespace of a gateway: by the secrets it has, or else by the recovery sheet."""

    KIND: ClassVar[str] = "take-over"
    node: str = setting(REQUIRED, "Which node becomes the writer.")
    gateway: str = setting(REQUIRED, "Whose namespace: the node that created it.")


@dataclass(frozen=True, slots=True)
class Leave:
    """The node says for all to know that it is leaving: it serves what it holds, and is given nothing new."""

    KIND: ClassVar[str] = "leave"
    node: str = setting(REQUIRED, "Which node.")


@dataclass(frozen=True, slots=True)
class Expel:
    """The organisation of this node is expelled: all others vote for it, one after the other."""

    KIND: ClassVar[str] = "expel"
    node: str = setting(REQUIRED, "A node of the organisation.")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Every client asks so many times as often as before."""

    KIND: ClassVar[str] = "crowd"
    factor: float = setting(10.0, "How many times as often; 1: as the scenario says.", least=0.001)


OfLife = Kill | PowerCut | Stop | Start | Wipe | Destroy | RollBack | Overwrite | Armed | Update | Lie
OfDisk = DiskError | DiskFull | DiskSlow | DiskWell | Rot
OfLinks = Partition | Silence | Heal | Links | LinksWell
OfPeople = TakeOver | Leave | Expel | Crowd
Fault = OfLife | OfDisk | OfLinks | OfPeople | Clock

KINDS: Final[Mapping[str, type[Fault]]] = {
    kind.KIND: kind
    for kind in (
        Kill, PowerCut, Stop, Start, Armed, Update, Wipe, Destroy, RollBack, Overwrite, DiskError, DiskFull, DiskSlow,
        DiskWell, Rot, Partition, Silence, Heal, Links, LinksWell, Clock, Lie, TakeOver, Leave, Expel, Crowd,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """`fault` happens `at_s` virtual seconds after the safety phase began."""

    at_s: float
    fault: Fault


def nodes_of(fault: Fault) -> tuple[str, ...]:
    """The nodes that a fault names."""
    if isinstance(fault, Partition | Links):
        return fault.nodes
    if isinstance(fault, TakeOver):
        return (fault.node, fault.gateway)
    return () if isinstance(fault, Heal | LinksWell | Crowd) else (fault.node,)
