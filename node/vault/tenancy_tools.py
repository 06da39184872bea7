"""What all tenancies of a node share, and what one namespace's journal is run with."""

from __future__ import annotations

from dataclasses import dataclass

from node.host.ports import Host
from node.mesh.peering import Peering
from node.store.journals import JournalStore
from node.vault.checkpoint.times import CheckpointTimes
from node.vault.current_rules import CurrentRules
from node.vault.gather import Gatherer
from node.vault.holders import Holders
from node.vault.journal.tools import JournalTimers, JournalTools, ReadTools
from node.vault.recent import RecentReads
from node.vault.secrets import GatewaySecrets
from node.vault.spread import SpreadTimes
from node.vault.workspaces import Desks, SetsOfDesks
from protocol.coding.erasure import Engine
from protocol.errors import Missing
from protocol.ids import NamespaceId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.cards import NodeState
from protocol.members.roster import Rules, journal_holders, rules_for_own
from protocol.members.swim import Status
from protocol.namespace.quorums import JournalQuorum


@dataclass(frozen=True, slots=True)
class TenancyTools:
    """What all tenancies of a node share."""

    host: Host
    node_key: SigningKey
    mesh: Peering
    journals: JournalStore
    engine: Engine
    desks: Desks
    pouring_desks: SetsOfDesks
    holders: Holders
    gatherer: Gatherer
    spread_times: SpreadTimes
    journal_timers: JournalTimers
    blocks_in_flight: int
    stall_s: float
    hedge_after_s: float
    complete_after_s: float
    release_every_s: float
    inventory_every_s: float
    expire_every_s: float
    pack_every_s: float
    checkpoint_times: CheckpointTimes
    retry_s: float
    follow_every_s: float
    current_rules: CurrentRules
    recent: RecentReads

    def rules(self, data_class: str) -> Rules:
        """The rules for new blocks of a class, by the view of this moment."""
        return self.current_rules.of(data_class)

    def down(self) -> frozenset[NodeId]:
        """Members that are known to be down. One of whom nothing is known yet may well answer."""
        mesh = self.mesh
        others = (facts.node for facts in mesh.view.nodes() if facts.node != mesh.me)
        return frozenset(node for node in others if mesh.status(node) is Status.DOWN)

    def members(self) -> tuple[NodeId, ...]:
        """The nodes that may hold anything."""
        return tuple(facts.node for facts in self.mesh.view.nodes() if facts.state is not NodeState.LEFT)

    def is_member(self, node: NodeId) -> bool:
        """Whether the node may still hold anything."""
        facts = self.mesh.view.node(node)
        return facts is not None and facts.state is not NodeState.LEFT

    def rules_answering(self, data_class: str) -> Rules:
        """The same for the members that answer now: with fewer organisations there are fewer shares, so that what
        the namespace needs itself can be written while members are down."""
        view, away = self.mesh.view, self.down()
        nodes = [facts for facts in view.nodes() if facts.node not in away]
        return rules_for_own(nodes, view.charter.classes, data_class)


def read_tools(tools: TenancyTools, namespace: NamespaceId) -> ReadTools:
    """What finds a namespace's journal, without any key to open it."""

    def no_key(generation: int) -> bytes:
        raise Missing("generation-key-missing", namespace=namespace, generation=generation)

    return ReadTools(
        host=tools.host,
        me=tools.mesh.me,
        namespace=namespace,
        local=tools.journals,
        ask=tools.mesh.ask,
        timers=tools.journal_timers,
        wrapping_key=no_key,
        live=tools.mesh.live,
        name_of=tools.holders.name,
        unreachable=tools.holders.unreachable,
        returns=tools.mesh.returns,
        recent=tools.recent,
    )


def journal_tools(tools: TenancyTools, secrets: GatewaySecrets) -> JournalTools:
    """What the journal of this namespace is run with."""

    def next_holders(excluded: frozenset[NodeId]) -> tuple[tuple[NodeId, ...], JournalQuorum]:
        return journal_holders(secrets.namespace, tools.rules(secrets.data_class), tools.down() | excluded)

    return JournalTools(
        host=tools.host,
        me=tools.mesh.me,
        namespace=secrets.namespace,
        local=tools.journals,
        ask=tools.mesh.ask,
        timers=tools.journal_timers,
        wrapping_key=secrets.wrapping_key,
        live=tools.mesh.live,
        name_of=tools.holders.name,
        unreachable=tools.holders.unreachable,
        returns=tools.mesh.returns,
        recent=tools.recent,
        node_key=tools.node_key,
        writer_key=secrets.writer_key,
        certificate=secrets.certificate,
        next_holders=next_holders,
    )
