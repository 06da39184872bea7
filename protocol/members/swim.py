"""Who answers now: SWIM, with suspicions that only the accused's own word can end.

Each round a node probes one other, in an order reshuffled once all had their turn; who does not answer is probed
through a few others, then suspected. Suspicions and refutations ride on probes, each a few times log(members).

Members do not trust each other, so two things differ from the paper. What a node says of itself is a *claim*, signed,
with an incarnation that only it can raise; an accusation quotes the claim it doubts, so that no one can accuse with
an incarnation too high to refute. And nobody tells of deaths: a node is DOWN here when a suspicion *here* ran out
unrefuted, sooner when several accuse. A liar can thus make others probe, never bury the living.

Time and the seed of the shuffles are arguments. A claim proves no liveness *now*; only an answered probe does.

Source: Das, Gupta, Motivala, "SWIM", DSN 2002; Dadgar, Phillips, Currey, "Lifeguard", DSN 2018.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol import limits
from protocol.ids import FederationId, NodeId
from protocol.keys.derive import digest
from protocol.keys.signing import SigningKey
from protocol.members.swim_updates import Claim, Update, decode_update, encode_update, sign_accusation, sign_claim

ACCUSERS_MAX = 3
HEALTH_MAX = 4


class Status(enum.Enum):
    """UNKNOWN: a member that has not been heard of since this node started."""

    UNKNOWN = "unknown"
    ALIVE = "alive"
    SUSPECT = "suspect"
    DOWN = "down"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class SwimConfig:
    """Timers. A suspicion runs out after `suspicion_s` × log10(members), `suspicion_factor` times that when only
    one node accuses; `down_every` is how many rounds pass between two probes of nodes that are DOWN or UNKNOWN."""

    probe_interval_s: float = 1.0
    probe_timeout_s: float = 0.5
    helpers: int = 3
    suspicion_s: float = 4.0
    suspicion_factor: float = 3.0
    retransmit_factor: int = 4
    down_every: int = 5


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Probe `target` directly within `timeout_s`; if it fails, ask each helper to try, within `timeout_s` again."""

    target: NodeId
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Change:
    """A node's status became another."""

    node: NodeId
    before: Status
    after: Status


@dataclass(slots=True)
class _Member:
    """`word` is the claim as it is sent, empty without one."""

    status: Status = Status.UNKNOWN
    claim: Claim | None = None
    word: bytes = b""
    suspected_s: float = 0.0
    accusations: dict[NodeId, Update] = field(default_factory=dict)


@dataclass(slots=True)
class _Rumour:
    """An update and how often it was sent."""

    update: Update
    sent: int = 0


class Swim:
    """One node's picture of who answers. Not thread-safe; every method returns at once.

    `incarnation` must be higher than in any earlier life of the node: wall seconds at its start will do, as others
    quote our last claim back at us if they doubt us.
    """

    def __init__(
        self, federation: FederationId, key: SigningKey, config: SwimConfig, *, incarnation: int, seed: bytes
    ) -> None:
        self.me = NodeId(key.public)
        self._federation = federation
        self._key = key
        self._config = config
        self._seed = seed
        self._claim, self._word = self._say(incarnation, leaving=False)
        self._members: dict[NodeId, _Member] = {}
        # Kept beside, because each round asks and a federation may be large: who has which status, and the words
        # of others that are believed already, which come again with each of their probes.
        self._having: dict[Status, set[NodeId]] = {status: set() for status in Status}
        self._words: set[bytes] = set()
        self._rumours: dict[tuple[NodeId, NodeId], _Rumour] = {}
        self._turns: list[NodeId] = []
        self._round = 0
        self._health = 0
        self._changes: list[Change] = []

    def set_members(self, nodes: Iterable[NodeId]) -> None:
        """The nodes of the view: newcomers are UNKNOWN, those no longer there are forgotten."""
        wanted = set(nodes) - {self.me}
        for gone in self._members.keys() - wanted:
            member = self._members.pop(gone)
            self._having[member.status].discard(gone)
            self._words.discard(member.word)
            self._forget_rumours(gone)
        for new in sorted(wanted - self._members.keys()):
            self._members[new] = _Member()
            self._having[Status.UNKNOWN].add(new)

    def status(self, node: NodeId) -> Status:
        if node == self.me:
            return Status.LEFT if self._claim.leaving else Status.ALIVE
        member = self._members.get(node)
        return Status.UNKNOWN if member is None else member.status

    def live(self) -> set[NodeId]:
        """Who can be asked now: ALIVE and SUSPECT, without this node."""
        return self._having[Status.ALIVE] | self._having[Status.SUSPECT]

    def knows(self, node: NodeId) -> bool:
        return node in self._members

    def unheard(self) -> list[NodeId]:
        """Members that are still UNKNOWN, sorted."""
        return sorted(self._having[Status.UNKNOWN])

    def incarnation(self) -> int:
        return self._claim.incarnation

    def scale(self) -> float:
        """How much slower to go because this node's own probes fail (Lifeguard's local health); 1 when well."""
        return 1.0 + self._health

    # --- probing -------------------------------------------------------------------------------------------------

    def next_probe(self) -> ProbePlan | None:
        """Whom to probe in this round; None when there is nobody."""
        self._round += 1
        target = self._next_target()
        if target is None:
            return None
        return self.plan_for(target)

    def plan_for(self, target: NodeId) -> ProbePlan:
        return ProbePlan(target, self._config.probe_timeout_s * self.scale())

    def helpers(self, target: NodeId) -> tuple[NodeId, ...]:
        """Who may reach the target where we could not, in another order each round."""
        able = self._having[Status.ALIVE] - {target}
        return tuple(self._shuffled(able, b"help")[: self._config.helpers])

    def probe_soon(self, node: NodeId) -> None:
        """Give the node the next turn: something hints that it is gone."""
        if node in self._members:
            self._turns = [node, *(turn for turn in self._turns if turn != node)]

    def probe_answered(self, node: NodeId) -> None:
        """The node itself answered, on a connection that proves its key: it is alive, whatever is said."""
        self._health = max(0, self._health - 1)
        member = self._members.get(node)
        if member is None or member.status is Status.LEFT:
            return
        self._drop_suspicion(node, member)
        self._set(node, member, Status.ALIVE)

    def answered_for(self, node: NodeId) -> None:
        """A helper reached the node that we could not: no suspicion, but our own link is in doubt."""
        self._health = min(HEALTH_MAX, self._health + 1)

    def probe_failed(self, node: NodeId, now_s: float) -> None:
        """Neither we nor any helper reached the node: suspect it, and say so."""
        member = self._members.get(node)
        if member is None or member.status in (Status.LEFT, Status.DOWN, Status.UNKNOWN):
            return
        self._health = min(HEALTH_MAX, self._health + 1)
        if member.claim is None:
            self._set(node, member, Status.DOWN)  # nothing of its own to quote, so nobody can be told
            return
        accusation = sign_accusation(self._federation, self._key, member.claim)
        self._accuse(node, member, accusation, now_s)

    def tick(self, now_s: float) -> tuple[Change, ...]:
        """Let suspicions run out; all changes of status since the last tick, in order."""
        for node in sorted(self._having[Status.SUSPECT]):
            member = self._members[node]
            if now_s >= member.suspected_s + self._timeout_s(member):
                self._set(node, member, Status.DOWN)
        changes, self._changes = tuple(self._changes), []
        return changes

    # --- rumours -------------------------------------------------------------------------------------------------

    def updates_to_send(self, to: NodeId) -> tuple[bytes, ...]:
        """What rides on the next probe to `to` or the answer to its probe.

        First our own claim, then what makes us think `to` is not there (it must hear it to rise above it), then
        the least told rumours.
        """
        chosen = [self._word]
        member = self._members.get(to)
        if member is not None:
            chosen += [encode_update(member.accusations[accuser]) for accuser in sorted(member.accusations)]
            if member.status is Status.LEFT and member.word:
                chosen.append(member.word)
        room = limits.SWIM_UPDATES_MAX - len(chosen)
        fresh = sorted(self._rumours.items(), key=lambda item: (item[1].sent, item[0]))
        for topic, rumour in fresh[:room]:
            if topic[0] == to:
                continue
            chosen.append(encode_update(rumour.update))
            rumour.sent += 1
            if rumour.sent >= self._retransmits():
                del self._rumours[topic]
        return tuple(chosen)

    def on_updates(self, updates: Sequence[bytes], now_s: float) -> None:
        """Take in what rode on a probe or an answer. Updates about or by strangers are passed over.

        Raises:
            Malformed, OverLimit, Forged: the sender is broken or hostile; what came before is kept.
        """
        for raw in updates[: limits.SWIM_UPDATES_MAX]:
            if raw in self._words:
                continue  # believed already
            update = decode_update(raw)
            if update.claim.node == self.me:
                self._hear_of_me(update)
                continue
            member = self._members.get(update.claim.node)
            if member is not None:
                self._hear(update, member, now_s)

    def leave(self) -> None:
        """Say goodbye: the next updates carry a claim that this node left."""
        self._claim, self._word = self._say(self._claim.incarnation + 1, leaving=True)
        self._tell(Update(self._claim, None, b""))

    def _hear_of_me(self, update: Update) -> None:
        doubted = update.accuser in self._members or update.claim.leaving != self._claim.leaving
        needed = self._claim.incarnation + (0 if doubted else 1)
        if update.claim.incarnation < needed:
            return
        update.verify(self._federation)
        self._claim, self._word = self._say(update.claim.incarnation + 1, leaving=self._claim.leaving)
        self._tell(Update(self._claim, None, b""))

    def _say(self, incarnation: int, *, leaving: bool) -> tuple[Claim, bytes]:
        """A claim of our own, and it as it is sent."""
        claim = sign_claim(self._federation, self._key, incarnation, leaving=leaving)
        return claim, encode_update(Update(claim, None, b""))

    def _hear(self, update: Update, member: _Member, now_s: float) -> None:
        claim, known = update.claim, member.claim
        newer = known is None or claim.incarnation > known.incarnation
        if update.accuser is None:
            if newer:
                update.verify(self._federation)
                self._believe(claim, member)
            return
        stale = known is not None and claim.incarnation < known.incarnation
        if stale or update.accuser not in self._members or update.accuser in member.accusations:
            return
        if member.status in (Status.DOWN, Status.LEFT) and not newer:
            return
        update.verify(self._federation)
        if newer:
            self._believe(claim, member)
        if member.status is not Status.LEFT:
            self._accuse(claim.node, member, update, now_s)

    def _believe(self, claim: Claim, member: _Member) -> None:
        """A newer word of the node itself: it ends every suspicion of older ones."""
        word = Update(claim, None, b"")
        self._words.discard(member.word)
        member.claim, member.word = claim, encode_update(word)
        self._words.add(member.word)
        self._drop_suspicion(claim.node, member)
        self._set(claim.node, member, Status.LEFT if claim.leaving else Status.ALIVE)
        self._tell(word)

    def _accuse(self, node: NodeId, member: _Member, accusation: Update, now_s: float) -> None:
        if accusation.accuser is None or len(member.accusations) == ACCUSERS_MAX:
            return
        if member.status is not Status.SUSPECT:
            member.suspected_s = now_s
            self.probe_soon(node)  # whoever hears of a suspicion sees for itself, out of turn
        member.accusations[accusation.accuser] = accusation
        self._set(node, member, Status.SUSPECT)
        self._tell(accusation)

    def _drop_suspicion(self, node: NodeId, member: _Member) -> None:
        member.accusations.clear()
        self._forget_rumours(node)

    def _forget_rumours(self, node: NodeId) -> None:
        for topic in [topic for topic in self._rumours if topic[0] == node]:
            del self._rumours[topic]

    def _tell(self, update: Update) -> None:
        topic = (update.claim.node, update.accuser or update.claim.node)
        self._rumours[topic] = _Rumour(update)

    def _set(self, node: NodeId, member: _Member, status: Status) -> None:
        if member.status is not status:
            self._changes.append(Change(node, member.status, status))
            self._having[member.status].discard(node)
            self._having[status].add(node)
            member.status = status

    # --- choices -------------------------------------------------------------------------------------------------

    def _next_target(self) -> NodeId | None:
        for _ in range(2):
            while self._turns:
                node = self._turns.pop(0)
                if self._due(node):
                    return node
            self._turns = self._shuffled(self._members, b"turn")
        return None

    def _due(self, node: NodeId) -> bool:
        member = self._members.get(node)
        if member is None or member.status is Status.LEFT:
            return False
        if member.status in (Status.ALIVE, Status.SUSPECT):
            return True
        others = self._having[Status.ALIVE] or self._having[Status.SUSPECT]
        return not others or self._round % self._config.down_every == 0

    def _shuffled(self, nodes: Iterable[NodeId], purpose: bytes) -> list[NodeId]:
        salt = self._seed + purpose + self._round.to_bytes(8, "big")
        return sorted(nodes, key=lambda node: digest("maillon 2026 swim order 1", salt, node))

    def _timeout_s(self, member: _Member) -> float:
        """Lifeguard's: from long to short as independent accusers add up."""
        count = len(self._members)
        least_s = self._config.suspicion_s * max(1.0, math.log10(max(count, 1)))
        needed = min(ACCUSERS_MAX, count)
        if needed <= 1:
            return least_s
        most_s = least_s * self._config.suspicion_factor
        share = math.log(len(member.accusations)) / math.log(needed) if member.accusations else 0.0
        return max(least_s, most_s - (most_s - least_s) * share)

    def _retransmits(self) -> int:
        return self._config.retransmit_factor * math.ceil(math.log10(len(self._members) + 2))
