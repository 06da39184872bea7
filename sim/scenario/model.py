"""What a scenario says: the federation, its network, its work, what happens to it, and what must then hold.

Each section of the file is a frozen dataclass and each key a field, declared with its default and its sentence, as
in a node's own configuration: docs/scenarios.md is generated from here. A run has four parts: the federation is
settled in; then for `safety_s` faults strike while clients work, and no promise may be broken; then the faults stop,
and within `heal_within_s` everything must be whole again; at last everything acknowledged is read back.
"""
# ruff: noqa: RUF009 (the sections are frozen, so one default instance can serve every scenario)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from node.config import GossipSection, StoreSection, TransportSection, UpkeepSection, VaultSection
from node.declared import REQUIRED, SIZE, setting
from sim.faults.kinds import Planned


@dataclass(frozen=True, slots=True)
class FederationSection:
    """Who takes part. Nodes are dealt to organisations, zones and jurisdictions in turn."""

    nodes: int = setting(6, "How many nodes there are.", least=1)
    organisations: int = setting(0, "How many organisations they belong to; 0: each node to one of its own.")
    zones: int = setting(0, "How many sites they stand on; 0: each node on one of its own.")
    jurisdictions: tuple[str, ...] = setting(("FR",), "Where the organisations are, in turn.")
    capacity_bytes: int = setting(10**12, "What each node offers.", form=SIZE, least=1)
    code: str = setting("auto", 'The code of every class, such as "3/6"; "auto" follows the preset.')
    margin: int = setting(1, "With a code: how many losses a block survives when it was just acknowledged.")
    data_class: str = setting("internal", "The class of the namespaces.")
    gateways: int = setting(1, "How many nodes are the gateway of a namespace each, from n1 on.", least=1)
    pending: int = setting(
        0, "How many of the nodes, the last ones, are of one more organisation that is invited but not admitted."
    )


@dataclass(frozen=True, slots=True)
class NetworkSection:
    """The links between any two nodes, while no fault says otherwise."""

    latency_min_ms: float = setting(1.0, "The shortest way from one node to another.")
    latency_max_ms: float = setting(5.0, "The longest way.")
    dial_loss: float = setting(0.0, "The chance that opening a connection fails.", most=1)
    send_loss: float = setting(0.0, "The chance that a message breaks its connection.", most=1)
    bandwidth_mbit: float = setting(0.0, "What each node can send in a second; 0: any amount.")


@dataclass(frozen=True, slots=True)
class NodeSections:
    """The nodes' own configuration, key for key as in docs/configuration.md."""

    bulk: str = setting("tls", "How share bytes travel.", choices=("tls", "sealed"))
    store: StoreSection = setting(StoreSection(), "")
    transport: TransportSection = setting(TransportSection(), "")
    gossip: GossipSection = setting(GossipSection(), "")
    vault: VaultSection = setting(VaultSection(), "")
    upkeep: UpkeepSection = setting(UpkeepSection(), "")


@dataclass(frozen=True, slots=True)
class WorkloadSection:
    """What clients do at each gateway while the faults strike. Waits are exponential."""

    clients: int = setting(2, "How many clients each gateway has.")
    pause_s: float = setting(1.0, "How long a client thinks between two calls, in the mean.", least=0.001)
    keys: int = setting(12, "How many keys the clients write to.", least=1)
    small_bytes: int = setting(4096, "Half of the objects have up to this size.", form=SIZE, least=1)
    large_bytes: int = setting(200_000, "The other half have up to this size.", form=SIZE, least=1)
    puts: int = setting(5, "Of all calls, how many write, against the weights below.")
    gets: int = setting(4, "How many read.")
    removes: int = setting(1, "How many delete.")
    lists: int = setting(1, "How many list.")


@dataclass(frozen=True, slots=True)
class PhasesSection:
    """How long the parts of a run take, in virtual seconds."""

    safety_s: float = setting(60.0, "Faults strike and clients work for so long.", least=0)
    heal_within_s: float = setting(120.0, "After the faults everything must be whole within this.", least=0)
    check_every_s: float = setting(5.0, "How often what must always hold is checked.", least=0.1)


@dataclass(frozen=True, slots=True)
class ExpectSection:
    """What must hold beyond safety, which always must."""

    healed: bool = setting(True, "Whether everything must be whole again once the faults stop.")
    full: bool = setting(False, "Whether every block must then have all its shares, which needs repair.")
    needs_repair: bool = setting(False, "The scenario fails by this alone until the federation heals itself.")


# Where a machine that stops at the wrong moment has most to lose: see `Faults.reach` in the node's code.
POINTS: Final = (
    "vault.before-spread", "vault.after-spread", "vault.before-journal", "vault.after-journal",
    "journal.before-own-copy", "journal.after-own-copy", "serve.before-put-answer", "serve.before-append-answer",
    "serve.before-promise-answer", "serve.before-accept-answer", "serve.before-prepare-answer",
    "succession.before-promise", "succession.after-promise", "succession.after-adopt", "succession.before-accept",
    "succession.after-accept", "succession.before-open", "succession.after-open", "succession.after-card",
    "release.before-send", "release.after-send", "release.before-delete", "release.after-journal",
    "pack.before-store", "pack.before-journal", "pack.after-journal", "disk.write", "disk.sync", "disk.punch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChurnSection:
    """Nodes that come and go all the time, each by itself."""

    model: str = setting(
        "none",
        "How long nodes stay up and down: drawn from an exponential or a Weibull distribution, or read from a file.",
        choices=("none", "exponential", "weibull", "trace"),
    )
    up_s: float = setting(60.0, "How long a node stays up, in the mean.", least=0.01)
    down_s: float = setting(10.0, "How long it stays down, in the mean.", least=0.01)
    shape: float = setting(
        0.7, "Of the Weibull distribution: below 1, who has been up for long stays up longer.", least=0.05
    )
    end: str = setting("kill", "How a node goes down.", choices=("kill", "power-cut", "stop"))
    trace: str = setting("", "The file of up and down times, beside the scenario: lines of node,seconds,up or down.")
    spared: tuple[str, ...] = setting((), "Nodes that stay up.")


@dataclass(frozen=True, slots=True)
class ChanceSection:
    """Faults drawn from the seed, each so often in the mean over the whole federation; 0: never."""

    kill_every_s: float = setting(0.0, "A process is killed.")
    power_every_s: float = setting(0.0, "A machine loses its power, and what was not synced.")
    down_s: float = setting(10.0, "How long such a node stays away, in the mean.", least=0.01)
    point_every_s: float = setting(0.0, "A machine loses its power at a fault point, drawn from `points`.")
    points: tuple[str, ...] = setting(POINTS, "The fault points for that: one or more of those of `armed`.")
    wipe_every_s: float = setting(0.0, "A node loses its disks, but not its identity.")
    wipes_most: int = setting(1, "How many nodes may lose their disks in one run.")
    partition_every_s: float = setting(0.0, "Some nodes are cut off from the others, in one direction or both.")
    slow_every_s: float = setting(0.0, "A node's disk or links become slow.")
    rot_every_s: float = setting(0.0, "Bits flip on a disk.")
    disk_every_s: float = setting(0.0, "A disk returns errors, or is full.")
    clock_every_s: float = setting(0.0, "A node's wall clock jumps.")
    lossy_every_s: float = setting(0.0, "Links lose messages.")
    liar_every_s: float = setting(0.0, "A node starts to lie.")
    liars_most: int = setting(1, "How many nodes may lie in one run.")
    lasting_s: float = setting(8.0, "How long such a state lasts, in the mean.", least=0.01)
    away_most: int = setting(1, "How many nodes may be away, cut off or lying at one time.")


@dataclass(frozen=True, slots=True)
class Scenario:
    """The whole file. `name` and `summary` stand at its top; `[[fault]]` sections plan faults by hand."""

    name: str = setting(REQUIRED, "A short name, as the file's: letters, digits, spaces and hyphens.")
    summary: str = setting("", "What it is about, in a sentence.")
    federation: FederationSection = setting(FederationSection(), "")
    network: NetworkSection = setting(NetworkSection(), "")
    node: NodeSections = setting(NodeSections(), "")
    workload: WorkloadSection = setting(WorkloadSection(), "")
    phases: PhasesSection = setting(PhasesSection(), "")
    churn: ChurnSection = setting(ChurnSection(), "")
    chance: ChanceSection = setting(ChanceSection(), "")
    expect: ExpectSection = setting(ExpectSection(), "")
    faults: tuple[Planned, ...] = setting((), "")


def unplanned(table: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The file's table without its `[[fault]]` sections, and those."""
    return {key: value for key, value in table.items() if key != "fault"}, table.get("fault", [])
