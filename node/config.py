"""A node's configuration: one TOML file, `maillon.toml`, read once at the start.

Each section of the file is a frozen dataclass below and each key one of its fields, declared with its default and
the text that explains it: docs/configuration.md is generated from these, so no key is undocumented. A key that
nobody declared is refused with the nearest known name, because a misspelt key that is silently ignored shows only
on the day it was needed. Sizes may be written "500 GB"; durations are seconds.
"""
# ruff: noqa: RUF009 (the sections are frozen, so one default instance can serve every configuration)

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node.declared import SIZE, setting


@dataclass(frozen=True, slots=True)
class NodeSection:
    """Who this node is and where it listens."""

    name: str = setting(
        "", "The node's name in the federation, unique in its organisation. `maillon init` writes it."
    )
    zone: str = setting("", "What fails together with this node: its site, building or power feed.")
    listen: str = setting("0.0.0.0:7400", "Where other nodes reach this one: `host:port` of a local interface.")
    advertise: tuple[str, ...] = setting(
        (), "Addresses that others should dial, if they differ from `listen` (a public name, a forwarded port)."
    )
    bulk_listen: str = setting(
        "", 'Where the plain connections of `bulk = "sealed"` arrive. Empty: any free port of the host of `listen`.'
    )
    bulk_advertise: str = setting("", "The address that others dial for `bulk_listen`, if it differs.")


@dataclass(frozen=True, slots=True)
class DiskSection:
    """One disk (or folder) that keeps shares. Repeat the section for several disks."""

    path: str = setting(
        "volumes",
        "The folder of the volumes; relative to the node's folder unless absolute. On a disk of its own, create a "
        "folder there and name one inside it (/mnt/disk1/maillon/volumes): if the disk is not mounted, it is then "
        "refused, not filled on the system's disk.",
    )
    capacity_bytes: int = setting(100 * 10**9, "How much the federation may store here, at most.", form=SIZE)
    reserve_bytes: int = setting(10**9, "Free space of the file system that is never used.", form=SIZE)


@dataclass(frozen=True, slots=True)
class StoreSection:
    """How shares are kept."""

    volume_size_bytes: int = setting(
        10**9, "A volume is sealed and a new one begun at about this size.", form=SIZE, least=10**6
    )
    batch_size_bytes: int = setting(
        16 * 10**6, "At most this many bytes are written before one fdatasync.", form=SIZE, least=10**6
    )
    compact_below_percent: int = setting(50, "Where holes are unsupported: a volume less full of use is rewritten.")
    compact_every_s: float = setting(3600.0, "How often volumes are looked at for that.", least=1)
    disks: tuple[DiskSection, ...] = setting((DiskSection(),), "The disks, one `[[store.disks]]` section for each.")


@dataclass(frozen=True, slots=True)
class TransportSection:
    """Connections to other nodes."""

    dial_timeout_s: float = setting(5.0, "A connection must stand within this.", least=0.01)
    handshake_s: float = setting(10.0, "A peer must have proven who it is within this.", least=0.01)
    ping_every_s: float = setting(15.0, "A peer that was silent for so long is pinged.", least=0.01)
    silent_after_s: float = setting(45.0, "A peer that stays silent for so long is given up.", least=0.01)
    idle_close_s: float = setting(300.0, "A connection that nobody used for so long is closed.", least=0.01)
    backoff_first_s: float = setting(0.2, "A failed dial is repeated after this; the wait then doubles.", least=0.001)
    backoff_most_s: float = setting(15.0, "The longest wait between two dials.", least=0.001)


@dataclass(frozen=True, slots=True)
class GossipSection:
    """How members find out about each other. All members of a federation should use similar values."""

    probe_interval_s: float = setting(1.0, "One other node is probed this often.", least=0.01)
    probe_timeout_s: float = setting(
        0.5, "A direct probe is lost after this; others are then asked to try.", least=0.01
    )
    helpers: int = setting(3, "How many others are asked to probe a node that did not answer.")
    suspicion_s: float = setting(4.0, "A suspected node has about this long to answer before it is down.", least=0.01)
    push_fanout: int = setting(3, "A new record is pushed to this many members.", least=1)
    push_interval_s: float = setting(0.2, "New records are gathered for so long before they are pushed.", least=0.001)
    reconcile_interval_s: float = setting(
        10.0, "Records are compared in full with one member this often.", least=0.01
    )
    reconcile_timeout_s: float = setting(60.0, "Such a comparison is given up after this.", least=0.01)
    ask_timeout_s: float = setting(10.0, "How long a member may take to answer a small request.", least=0.01)
    settle_s: float = setting(
        5.0, "A starting node listens for so long at most before it says where it is.", least=0.01
    )


@dataclass(frozen=True, slots=True)
class VaultSection:
    """How objects are written and read by a gateway."""

    straggler_wait_s: float = setting(1.0, "After this, k + margin durable shares of a block are enough to go on.")
    complete_after_s: float = setting(60.0, "Shares still missing after this are completed in the background.")
    pack_every_s: float = setting(60.0, "Small objects that fill a pack are moved out of the journal this often.")
    checkpoint_after_s: float = setting(
        3_600.0, "What changed is in a checkpoint's tables after this, or sooner when it is much.", least=1.0
    )
    settle_after_s: float = setting(
        60.0, "A checkpoint follows a change of writer or journal holders after this.", least=1.0
    )
    release_every_s: float = setting(10.0, "Holders are told this often what nothing refers to any more.")
    inventory_every_s: float = setting(
        86_400.0, "What holders keep is compared this often with the catalog, to free what cut-off writes left."
    )
    expire_every_s: float = setting(
        3_600.0, "Buckets with lifecycle rules are gone through this often, to delete what has expired."
    )
    journal_lease_s: float = setting(
        15.0,
        "A gateway serves nobody when too few of its journal's holders answered for so long. All gateways of a "
        "namespace must have the same value.",
        least=1,
    )
    journal_repair_after_s: float = setting(
        60.0, "The journal moves to better holders when some are away, or new ones there, for so long.", least=1
    )
    put_deadline_s: float = setting(30.0, "One holder may take this long to store a share.", least=0.01)
    get_deadline_s: float = setting(30.0, "One block must be read within this.", least=0.01)
    hedge_after_s: float = setting(0.5, "A read asks one more holder when an answer takes longer.", least=0.001)
    stall_s: float = setting(120.0, "A client that sends or takes no byte for so long is given up.", least=0.01)
    retry_s: float = setting(2.0, "A namespace that could not be opened is tried again after this.", least=0.01)
    follow_every_s: float = setting(
        1.0, "A gateway that follows another one looks this often for what that one wrote.", least=0.01
    )
    blocks_in_flight: int = setting(
        8, "Blocks of one object that travel at the same time; a put prepares as many again meanwhile.", least=1
    )
    desks: int = setting(
        16, "Blocks in memory for all objects together, besides four for copies; each takes up to 13 MB.", least=1
    )


@dataclass(frozen=True, slots=True)
class UpkeepSection:
    """What the node does unasked for what it holds for others."""

    journal_copy_after_s: float = setting(
        300.0, "While a gateway and holders of its journal are away for so long, the others copy the journal on."
    )
    journal_copy_every_s: float = setting(60.0, "How often a holder looks whether that is so.", least=0.01)


@dataclass(frozen=True, slots=True)
class S3Section:
    """The S3 door, for the programs that people already run. Without `listen` there is none."""

    listen: str = setting("", "Where programs reach it: `host:port` of a local interface. Empty: no S3 door.")
    endpoint: str = setting(
        "",
        "The URL that programs are told, if it differs from `listen` (a public name, a proxy): `https://s3.example.org`.",
    )
    region: str = setting("us-east-1", "The region that programs are told. They may sign for any.")
    certificate: str = setting(
        "",
        "The PEM file with the certificate of the public name and its chain, relative to the node's folder unless "
        "absolute; read again when it is renewed. Empty: plain HTTP, for this machine or behind a proxy.",
    )
    key: str = setting("", "The PEM file with the certificate's key. Empty: it stands in the certificate's file.")
    domains: tuple[str, ...] = setting(
        (),
        "Host names below which a bucket may be the first label (`BUCKET.s3.example.org`). Paths always work.",
    )
    website_domains: tuple[str, ...] = setting(
        (), "The same for static websites, which are also served under a host name that is a bucket's."
    )
    connections: int = setting(1_000, "At most so many programs are connected at once.", least=1)
    head_s: float = setting(15.0, "A request's head must be whole within this.", least=0.01)
    idle_s: float = setting(75.0, "A connection that waits for its next request is closed after this.", least=0.01)
    stall_s: float = setting(
        60.0, "A client that sends less than 64 KiB, or takes less than 512 KiB, in so long is given up.", least=0.01
    )
    drain_s: float = setting(10.0, "A stop waits for so long at most for what is in flight.", least=0)
    head_size_bytes: int = setting(64_000, "The longest head of a request.", form=SIZE, least=8_000)
    body_size_bytes: int = setting(5_500_000_000_000, "The longest body of a request.", form=SIZE, least=1)


@dataclass(frozen=True, slots=True)
class LogSection:
    """What the node says, on standard error."""

    level: str = setting("info", "The least serious messages shown.", choices=("debug", "info", "warning", "error"))
    format: str = setting("text", "For people, or one JSON document per line.", choices=("text", "json"))


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. The first two keys stand at its top, before any section."""

    bulk: str = setting(
        "tls",
        "How share bytes travel: inside TLS, or, because they are sealed and verified anyway, on a second plain "
        "connection (`sealed`), which costs less CPU and shows an eavesdropper which sealed bytes move.",
        choices=("tls", "sealed"),
    )
    engine: Literal["auto", "isal", "zfec"] = setting(
        "auto",
        "What does the arithmetic of erasure coding. `auto` takes ISA-L if found.",
        choices=("auto", "isal", "zfec"),
    )
    node: NodeSection = setting(NodeSection(), "")
    store: StoreSection = setting(StoreSection(), "")
    transport: TransportSection = setting(TransportSection(), "")
    gossip: GossipSection = setting(GossipSection(), "")
    vault: VaultSection = setting(VaultSection(), "")
    upkeep: UpkeepSection = setting(UpkeepSection(), "")
    s3: S3Section = setting(S3Section(), "")
    log: LogSection = setting(LogSection(), "")
