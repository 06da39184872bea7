"""Who decides: decisions in one chain, each by a quorum of the electorate that the one before it left.

The charter is position 0. A decision names its predecessor, so its electorate is fixed and known to everyone who
knows the chain: nobody can list a convenient one. An organisation casts one final ballot in a round of a position.
A quorum is more than half, so two halves of a partition can only decide the same or nothing. When a round can no
longer reach a quorum for anything (votes split, or too many against), the next round opens: see `tally`.

A quorum of ballots becomes a certificate, which proves itself for ever. What was decided is never un-decided: not
by a later change of keys, nor by an organisation that signs two ballots. Two certificates for one position need
organisations that provably voted twice; a node keeps the one it saw first, and both as evidence.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.errors import Forged, Malformed, Refused
from protocol.ids import Digest, FederationId, NodeId, OrganisationId
from protocol.keys.derive import digest
from protocol.keys.signing import SigningKey
from protocol.limits import BALLOT_ROUNDS_MAX, ORGANISATIONS_ADMITTED_MAX
from protocol.members.charter import Charter, Standing
from protocol.members.lineage import Lineage, check_lineage
from protocol.members.records import Record, RecordKind, Subject, expect, sign_record
from protocol.wire import schema
from protocol.wire.schema import Range

_DECISION_CONTEXT: Final = "maillon 2026 decision 1"
_ROUND_CONTEXT: Final = "maillon 2026 ballot round 1"

Round = Annotated[int, Range(0, BALLOT_ROUNDS_MAX - 1)]


class DecisionKind(enum.IntEnum):
    ADMIT = 1
    EXPEL_ORGANISATION = 2
    EXPEL_NODE = 3


@dataclass(frozen=True, slots=True)
class Admission:
    """The facts that the members admit. From then on only this lineage's current key, or a later one, votes."""

    lineage: Lineage
    standing: Standing


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided about whom. Admitting a member again changes its facts or its voting key."""

    kind: DecisionKind
    subject: Subject
    admission: Admission | None

    def __post_init__(self) -> None:
        admitted = None if self.admission is None else self.admission.lineage.organisation
        if (self.kind is DecisionKind.ADMIT) != (admitted is not None) or admitted not in (None, self.subject):
            raise Malformed("decision", kind=int(self.kind))


def admit(admission: Admission) -> Decision:
    return Decision(DecisionKind.ADMIT, admission.lineage.organisation, admission)


def expel_organisation(organisation: OrganisationId) -> Decision:
    return Decision(DecisionKind.EXPEL_ORGANISATION, organisation, None)


def expel_node(node: NodeId) -> Decision:
    return Decision(DecisionKind.EXPEL_NODE, node, None)


@dataclass(frozen=True, slots=True)
class Member:
    """An admitted organisation."""

    organisation: OrganisationId
    admission: Admission


@dataclass(frozen=True, slots=True)
class Chain:
    """What all decisions so far amount to. `after` names the last one, or the charter's federation."""

    charter: Charter
    federation: FederationId
    position: int
    after: Digest
    members: tuple[Member, ...]
    expelled_organisations: frozenset[OrganisationId]
    expelled_nodes: frozenset[NodeId]

    def member(self, organisation: OrganisationId) -> Member | None:
        return next((member for member in self.members if member.organisation == organisation), None)

    @property
    def electorate(self) -> tuple[Member, ...]:
        """Who votes on the next decision, in the order of their ids."""
        founder = self.member(self.charter.founder.organisation)
        if founder is not None and len(self.members) <= self.charter.founder_alone_up_to:
            return (founder,)
        return self.members

    @property
    def quorum(self) -> int:
        return self.charter.quorum.of(len(self.electorate))


def first_link(charter: Charter, federation: FederationId) -> Chain:
    """The federation as its charter founds it."""
    founder = Member(charter.founder.organisation, Admission(charter.founder, charter.founder_standing))
    return Chain(charter, federation, 0, Digest(federation), (founder,), frozenset(), frozenset())


def decision_digest(after: Digest, decision: Decision) -> Digest:
    """The name of a decision at its place in the chain; the same in whichever round it was reached."""
    return digest(_DECISION_CONTEXT, after, schema.encode(decision))


def next_link(chain: Chain, decision: Decision) -> Chain:
    """The chain with one more decision.

    Raises:
        Refused: `decision-impossible` for one that would leave no member, or more than there may be.
    """
    members = {member.organisation: member for member in chain.members}
    expelled, expelled_nodes = chain.expelled_organisations, chain.expelled_nodes
    if decision.admission is not None:
        organisation = decision.admission.lineage.organisation
        members[organisation] = Member(organisation, decision.admission)
        expelled -= {organisation}
    elif decision.kind is DecisionKind.EXPEL_ORGANISATION:
        members.pop(OrganisationId(decision.subject), None)
        expelled |= {OrganisationId(decision.subject)}
    else:
        expelled_nodes |= {NodeId(decision.subject)}
    if not 1 <= len(members) <= ORGANISATIONS_ADMITTED_MAX:
        raise Refused("decision-impossible", kind=int(decision.kind), organisations=len(members))
    ordered = tuple(members[organisation] for organisation in sorted(members))
    after = decision_digest(chain.after, decision)
    return Chain(chain.charter, chain.federation, chain.position + 1, after, ordered, expelled, expelled_nodes)


@dataclass(frozen=True, slots=True)
class Motion:
    """A decision at its place: after which one, in which round of ballots."""

    after: Digest
    round: Round
    decision: Decision


@dataclass(frozen=True, slots=True)
class Proposal:
    """A motion that an organisation puts to the others. It binds nobody: ballots carry the motion themselves."""

    WIRE_VERSION: ClassVar[int] = 1
    lineage: Lineage
    motion: Motion


@dataclass(frozen=True, slots=True)
class Ballot:
    """An organisation's only ballot in this round: for the motion, or against everything in the round."""

    WIRE_VERSION: ClassVar[int] = 1
    lineage: Lineage
    motion: Motion
    approve: bool

    @property
    def organisation(self) -> OrganisationId:
        return self.lineage.organisation


def round_subject(after: Digest, round_number: int) -> bytes:
    """The subject of all proposals and ballots of one round."""
    return digest(_ROUND_CONTEXT, after, round_number.to_bytes(2, "big"))


def make_proposal(
    key: SigningKey, federation: FederationId, lineage: Lineage, motion: Motion, *, counter: int
) -> Record:
    """Put `motion` to the members, with the current `key` of an organisation that may vote on it."""
    subject = round_subject(motion.after, motion.round)
    return sign_record(
        key, federation, RecordKind.PROPOSAL, counter, subject, schema.encode(Proposal(lineage, motion))
    )


def make_ballot(key: SigningKey, federation: FederationId, ballot: Ballot) -> Record:
    """Cast it. There is one counter only: a ballot is final."""
    subject = round_subject(ballot.motion.after, ballot.motion.round)
    return sign_record(key, federation, RecordKind.BALLOT, 1, subject, schema.encode(ballot))


def read_proposal(record: Record) -> Proposal:
    """Raises Forged(`lineage`) when another than the organisation speaks."""
    expect(record, RecordKind.PROPOSAL)
    proposal = schema.decode(Proposal, record.body)
    _check_voice(record, proposal.lineage, proposal.motion)
    return proposal


def read_ballot(record: Record) -> Ballot:
    """Raises Forged(`lineage`) when another than the organisation speaks; Malformed for a second counter."""
    expect(record, RecordKind.BALLOT)
    if record.counter != 1:
        raise Malformed("record-counter", kind=record.kind, counter=record.counter)
    ballot = schema.decode(Ballot, record.body)
    _check_voice(record, ballot.lineage, ballot.motion)
    return ballot


def _check_voice(record: Record, lineage: Lineage, motion: Motion) -> None:
    check_lineage(lineage, lineage.organisation, record.author)
    if record.subject != round_subject(motion.after, motion.round):
        raise Forged("card-subject", kind=record.kind)


def check_elector(chain: Chain, lineage: Lineage) -> None:
    """Return if this organisation, with this key, may propose and vote now.

    Raises:
        Refused: `record-stranger` when it has no vote, `ballot-key-replaced` when its key has none any more.
    """
    elector = next((member for member in chain.electorate if member.organisation == lineage.organisation), None)
    if elector is None:
        raise Refused("record-stranger", author=lineage.organisation)
    if len(lineage.keys) < len(elector.admission.lineage.keys):
        raise Refused("ballot-key-replaced", organisation=lineage.organisation)


class Stage(enum.Enum):
    """Where a round stands."""

    OPEN = "open"
    ADOPTED = "adopted"
    DEADLOCKED = "deadlocked"


@dataclass(frozen=True, slots=True)
class Tally:
    """`adopted` is the decision that reached the quorum; `in_favour` counts the ballots of each, most first."""

    stage: Stage
    adopted: Decision | None
    in_favour: tuple[tuple[Decision, int], ...]
    cast: int
    quorum: int
    electors: int


def tally(chain: Chain, ballots: Sequence[Ballot]) -> Tally:
    """Count one round: `ballots` are of that round, at most one of each elector.

    A round is deadlocked when even all ballots still missing could not bring any motion to the quorum.
    """
    votes: dict[Digest, tuple[int, Decision]] = {}
    for ballot in ballots:
        if ballot.approve:
            name = decision_digest(chain.after, ballot.motion.decision)
            votes[name] = (votes.get(name, (0, ballot.motion.decision))[0] + 1, ballot.motion.decision)
    ranked = [votes[name] for name in sorted(votes, key=lambda name: (-votes[name][0], name))]
    most, first = ranked[0] if ranked else (0, None)
    electors, quorum = len(chain.electorate), chain.quorum
    missing = electors - len(ballots)
    if most >= quorum:
        stage, adopted = Stage.ADOPTED, first
    else:
        stage, adopted = (Stage.DEADLOCKED if most + missing < quorum else Stage.OPEN), None
    in_favour = tuple((decision, count) for count, decision in ranked)
    return Tally(stage, adopted, in_favour, len(ballots), quorum, electors)
