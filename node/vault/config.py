"""Every duration and bound of the vault, and what the namespaces of a node share by them."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.host.ports import Host
from node.mesh.peering import Peering
from node.store.journals import JournalStore
from node.store.store import Store
from node.vault.checkpoint.times import CheckpointTimes
from node.vault.current_rules import CurrentRules
from node.vault.gather import Gatherer, GatherTimes
from node.vault.holders import Holders
from node.vault.journal.tools import JournalTimers
from node.vault.pouring import DESKS_PER_POURING
from node.vault.recent import RecentReads
from node.vault.spread import SpreadTimes
from node.vault.tenancy_tools import TenancyTools
from node.vault.workspaces import Desks, SetsOfDesks
from protocol.coding.erasure import Engine
from protocol.keys.signing import SigningKey
from protocol.wire.envelopes import Carriage

POURINGS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class VaultConfig:
    """Every duration and bound of the vault; docs/configuration.md describes them."""

    straggler_wait_s: float = 1.0
    complete_after_s: float = 60.0
    pack_every_s: float = 60.0
    release_every_s: float = 10.0
    inventory_every_s: float = 86_400.0
    expire_every_s: float = 3_600.0
    put_deadline_s: float = 30.0
    get_deadline_s: float = 30.0
    hedge_after_s: float = 0.5
    stall_s: float = 120.0
    retry_s: float = 2.0
    follow_every_s: float = 1.0
    blocks_in_flight: int = 8
    desks: int = 16
    bulk: Carriage = Carriage.SECURE
    journal: JournalTimers = field(default_factory=JournalTimers)
    checkpoints: CheckpointTimes = field(default_factory=CheckpointTimes)


def tenancy_tools(
    *,
    host: Host,
    mesh: Peering,
    store: Store,
    journals: JournalStore,
    engine: Engine,
    node_key: SigningKey,
    config: VaultConfig,
) -> TenancyTools:
    """What the namespaces of a node share, by its configuration."""
    holders = Holders(
        mesh=mesh, store=store, threads=host.threads, bulk=config.bulk, deadline_s=config.put_deadline_s
    )
    return TenancyTools(
        host=host,
        node_key=node_key,
        mesh=mesh,
        journals=journals,
        engine=engine,
        desks=Desks(config.desks),
        pouring_desks=SetsOfDesks(POURINGS_AT_ONCE, DESKS_PER_POURING),
        holders=holders,
        gatherer=Gatherer(holders, GatherTimes(config.hedge_after_s, config.get_deadline_s)),
        spread_times=SpreadTimes(config.straggler_wait_s, config.put_deadline_s),
        journal_timers=config.journal,
        blocks_in_flight=config.blocks_in_flight,
        stall_s=config.stall_s,
        hedge_after_s=config.hedge_after_s,
        complete_after_s=config.complete_after_s,
        release_every_s=config.release_every_s,
        inventory_every_s=config.inventory_every_s,
        expire_every_s=config.expire_every_s,
        pack_every_s=config.pack_every_s,
        checkpoint_times=config.checkpoints,
        retry_s=config.retry_s,
        follow_every_s=config.follow_every_s,
        current_rules=CurrentRules(mesh),
        recent=RecentReads(),
    )
