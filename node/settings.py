"""From the sections of the configuration file to what each part of the node asks for.

The file is arranged for its reader, the parts' own settings for their code; here one becomes the other.
"""

from __future__ import annotations

from node.config import Config
from node.http.settings import HttpSettings
from node.mesh.config import MeshConfig
from node.net.settings import NetSettings
from node.s3.asking.settings import S3Settings
from node.store.config import DiskConfig, StoreConfig
from node.upkeep.journal_copies import CopyTimes
from node.vault.checkpoint.times import CheckpointTimes
from node.vault.config import VaultConfig
from node.vault.journal.tools import JournalTimers
from protocol.members.swim import SwimConfig
from protocol.wire.envelopes import Carriage

ANY_PORT = "0"


def mesh_config(config: Config) -> MeshConfig:
    """Where the node listens, and the mesh's timers."""
    gossip, transport = config.gossip, config.transport
    return MeshConfig(
        listen=config.node.listen,
        advertise=config.node.advertise,
        listen_bulk=_bulk_door(config),
        advertise_bulk=config.node.bulk_advertise,
        swim=SwimConfig(
            probe_interval_s=gossip.probe_interval_s,
            probe_timeout_s=gossip.probe_timeout_s,
            helpers=gossip.helpers,
            suspicion_s=gossip.suspicion_s,
        ),
        net=net_settings(config),
        push_fanout=gossip.push_fanout,
        push_interval_s=gossip.push_interval_s,
        reconcile_interval_s=gossip.reconcile_interval_s,
        reconcile_timeout_s=gossip.reconcile_timeout_s,
        dial_timeout_s=transport.dial_timeout_s,
        ask_timeout_s=gossip.ask_timeout_s,
        settle_s=gossip.settle_s,
        backoff_first_s=transport.backoff_first_s,
        backoff_most_s=transport.backoff_most_s,
        idle_close_s=transport.idle_close_s,
    )


def net_settings(config: Config) -> NetSettings:
    """The timers of one connection."""
    transport = config.transport
    return NetSettings(
        handshake_s=transport.handshake_s,
        ping_every_s=transport.ping_every_s,
        silent_after_s=transport.silent_after_s,
    )


def _bulk_door(config: Config) -> str:
    """The plain door: the one configured, any port beside the TLS one for `sealed`, otherwise none."""
    if config.node.bulk_listen or config.bulk == "tls":
        return config.node.bulk_listen
    host, _colon, _port = config.node.listen.rpartition(":")
    return f"{host}:{ANY_PORT}"


def store_config(config: Config) -> StoreConfig:
    """The disks and how they are written."""
    store = config.store
    return StoreConfig(
        disks=tuple(DiskConfig(disk.path, disk.capacity_bytes, disk.reserve_bytes) for disk in store.disks),
        volume_bytes=store.volume_size_bytes,
        batch_bytes_max=store.batch_size_bytes,
        compact_below_percent=store.compact_below_percent,
        compact_every_s=store.compact_every_s,
    )


def vault_config(config: Config) -> VaultConfig:
    """The vault's timers and bounds."""
    vault = config.vault
    return VaultConfig(
        straggler_wait_s=vault.straggler_wait_s,
        complete_after_s=vault.complete_after_s,
        pack_every_s=vault.pack_every_s,
        release_every_s=vault.release_every_s,
        inventory_every_s=vault.inventory_every_s,
        expire_every_s=vault.expire_every_s,
        checkpoints=CheckpointTimes(
            look_s=min(5.0, vault.settle_after_s), after_s=vault.checkpoint_after_s, settle_s=vault.settle_after_s
        ),
        put_deadline_s=vault.put_deadline_s,
        get_deadline_s=vault.get_deadline_s,
        hedge_after_s=vault.hedge_after_s,
        stall_s=vault.stall_s,
        retry_s=vault.retry_s,
        follow_every_s=vault.follow_every_s,
        blocks_in_flight=vault.blocks_in_flight,
        desks=vault.desks,
        bulk=Carriage.SEALED if config.bulk == "sealed" else Carriage.SECURE,
        journal=JournalTimers(
            lease_s=vault.journal_lease_s,
            confirm_every_s=vault.journal_lease_s / 4,
            repair_after_s=vault.journal_repair_after_s,
        ),
    )


def http_settings(config: Config) -> HttpSettings:
    """The patience and the bounds of the S3 door's HTTP."""
    s3 = config.s3
    return HttpSettings(
        head_s=s3.head_s,
        idle_s=s3.idle_s,
        stall_s=s3.stall_s,
        drain_s=s3.drain_s,
        connections_max=s3.connections,
        head_bytes_max=s3.head_size_bytes,
        body_bytes_max=s3.body_size_bytes,
    )


def s3_settings(config: Config) -> S3Settings:
    """What S3 itself is told."""
    s3 = config.s3
    is_https = s3.endpoint.lower().startswith("https://")
    return S3Settings(region=s3.region, domains=s3.domains, website_domains=s3.website_domains, is_https=is_https)


def copy_times(config: Config) -> CopyTimes:
    """When journals of absent gateways are copied on."""
    return CopyTimes(after_s=config.upkeep.journal_copy_after_s, every_s=config.upkeep.journal_copy_every_s)
