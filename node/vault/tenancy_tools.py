"""What all tenancies of a node share."""

from __future__ import annotations

from dataclasses import dataclass

from node.host.ports import Host
from node.mesh.peering import Peering
from node.store.journals import JournalStore
from node.vault.gather import Gatherer
from node.vault.holders import Holders
from node.vault.journal.writer import JournalTimers
from node.vault.spread import SpreadTimes
from node.vault.workspaces import Desks
from protocol.coding.erasure import Engine
from protocol.keys.signing import SigningKey
from protocol.members.roster import Rules, rules_for


@dataclass(frozen=True, slots=True)
class TenancyTools:
    """What all tenancies of a node share."""

    host: Host
    node_key: SigningKey
    mesh: Peering
    journals: JournalStore
    engine: Engine
    desks: Desks
    holders: Holders
    gatherer: Gatherer
    spread_times: SpreadTimes
    journal_timers: JournalTimers
    blocks_in_flight: int
    stall_s: float
    hedge_after_s: float
    complete_after_s: float
    release_every_s: float
    pack_every_s: float
    retry_s: float

    def rules(self, data_class: str) -> Rules:
        """The rules for new blocks of a class, by the view of this moment."""
        view = self.mesh.view
        return rules_for(view.nodes(), view.charter.classes, data_class)
