"""The view: the valid records that a node knows, and the facts that follow from them.

`admit` takes records in any order. What it cannot judge yet (an author not introduced, a decision whose predecessor
is missing) it refuses and forgets; anti-entropy offers it again. What is kept depends only on the set of records
offered (`protocol.members.shelf`), with one exception that needs a quorum of liars: of two certificates for one
position the first stays in force, because nothing may undo a decision.

The view makes two kinds of record by itself, from what it was told: certificates, when ballots reach a quorum, and
evidence, when an author contradicts itself. `take_made` hands them over for pushing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocol.errors import MaillonError, Refused
from protocol.ids import Digest, FederationId, NamespaceId, NodeId, OrganisationId, PublicKey, RecordId
from protocol.members.assembly import Assembly, ProposalFacts
from protocol.members.certificate import Certificate, ballots_of, check_certificate, make_certificate
from protocol.members.charter import Charter
from protocol.members.evidence import Equivocation, make_evidence
from protocol.members.facts import Facts, NamespaceFacts, NodeFacts, OrganisationFacts, derive_facts
from protocol.members.governance import Ballot, Chain, Decision, Motion, Proposal, Stage, decision_digest, next_link
from protocol.members.keeping import Keeping
from protocol.members.records import Record, RecordKind, record_id
from protocol.members.rules import read_record
from protocol.members.shelf import Kept, Outcome


@dataclass(frozen=True, slots=True)
class Accusation:
    """A proven self-contradiction; `organisation` is whose key or node it was, where the view knows."""

    author: PublicKey
    organisation: OrganisationId | None
    equivocation: Equivocation
    record: Record


class View:
    """One federation, as one node knows it. Not thread-safe; no method waits."""

    def __init__(self, federation: FederationId) -> None:
        self.federation = federation
        self._keeping = Keeping()
        self._assembly = Assembly()
        self._made: list[Record] = []
        self._facts: Facts | None = None

    # Taking records in

    def admit(self, record: Record) -> Outcome:
        """Judge one record and keep it if it is to be kept.

        Raises:
            OverLimit, Malformed, Forged: whoever sent it is broken or hostile.
            Refused: `record-federation`; or, for now, `record-stranger` (its author is not introduced),
                `record-early` (it follows a decision or a deadlock that is not known), `record-quota` (its author's
                quota is full), `ballot-key-replaced`, `decision-impossible`. Offer these again later.
        """
        if self._keeping.shelf.by_id(record_id(record)) is not None:
            return Outcome.KNOWN
        return self._file(read_record(record, self.federation))

    def admit_all(self, records: Sequence[Record]) -> tuple[Outcome | MaillonError, ...]:
        """Admit records in the order of their dependencies; what became of each, in the order given."""
        results: list[Outcome | MaillonError] = [Outcome.KNOWN] * len(records)
        waiting: list[tuple[int, Kept]] = []
        for place in sorted(range(len(records)), key=lambda index: records[index].kind):
            try:
                if self._keeping.shelf.by_id(record_id(records[place])) is None:
                    waiting.append((place, read_record(records[place], self.federation)))
            except MaillonError as error:
                results[place] = error
        # All decisions first: who may say the rest depends on them, and each makes the view judge itself again.
        decisions = [one for one in waiting if one[1].record.kind <= RecordKind.CERTIFICATE]
        others = [one for one in waiting if one[1].record.kind > RecordKind.CERTIFICATE]
        self._try_all(self._try_all(decisions, results) + others, results)
        return tuple(results)

    def _try_all(
        self, waiting: list[tuple[int, Kept]], results: list[Outcome | MaillonError]
    ) -> list[tuple[int, Kept]]:
        """Try again and again, as long as it helps; what is refused in the end."""
        while waiting:
            refused = [(place, item) for place, item in waiting if not self._try(item, place, results)]
            if len(refused) == len(waiting):
                break
            waiting = refused
        return waiting

    def _try(self, item: Kept, place: int, results: list[Outcome | MaillonError]) -> bool:
        try:
            results[place] = self._file(item)
        except Refused as refusal:
            results[place] = refusal
            return False
        except MaillonError as error:
            results[place] = error
        return True

    def take_made(self) -> tuple[Record, ...]:
        """The certificates and evidence that this view made since last asked."""
        made, self._made = tuple(self._made), []
        return made

    # Reading

    @property
    def charter(self) -> Charter:
        """Raises Missing(`charter-unknown`)."""
        return self._assembly.current.charter

    @property
    def chain(self) -> Chain:
        """All decisions so far. Raises Missing(`charter-unknown`)."""
        return self._assembly.current

    def __len__(self) -> int:
        return len(self._keeping.shelf)

    def ids(self) -> list[RecordId]:
        """The ids of all records kept, sorted."""
        return self._keeping.shelf.ids()

    def records(self) -> list[Record]:
        """All records kept, sorted by id; forks last, so that who takes them in this order decides as we did."""
        return [item.record for item in sorted(self._keeping.shelf, key=lambda item: (_is_fork(item), item.id))]

    def get(self, identity: RecordId) -> Record | None:
        item = self._keeping.shelf.by_id(identity)
        return None if item is None else item.record

    def next_counter(self, author: PublicKey, kind: RecordKind, subject: bytes) -> int:
        """The counter for the author's next record about this subject."""
        held = [
            item.record.counter
            for item in self._keeping.shelf.of_kind(kind)
            if item.record.subject == subject and item.record.author == author
        ]
        return max(held, default=0) + 1

    def organisations(self) -> tuple[OrganisationFacts, ...]:
        """Members and pending organisations, sorted by id."""
        return self.facts.organisations

    def organisation(self, organisation: OrganisationId) -> OrganisationFacts | None:
        """None for strangers and for the expelled."""
        return self.facts.organisation(organisation)

    def nodes(self) -> tuple[NodeFacts, ...]:
        """Their nodes, sorted by id, also those that are leaving or left: see `state`."""
        return self.facts.nodes

    def node(self, node: NodeId) -> NodeFacts | None:
        """None for strangers and for the expelled."""
        return self.facts.node(node)

    def namespaces(self) -> tuple[NamespaceFacts, ...]:
        return self.facts.namespaces

    def namespace(self, namespace: NamespaceId) -> NamespaceFacts | None:
        return self.facts.namespace(namespace)

    def proposals(self) -> tuple[ProposalFacts, ...]:
        """What the members are asked to vote on now; nothing before the charter came."""
        if not self._assembly.founded:
            return ()
        return self._assembly.proposals(self._keeping.proposals(), self._keeping.ballots())

    def motion(self, decision: Decision) -> Motion:
        """The decision at the place where it can be proposed or voted on now."""
        return Motion(self.chain.after, self._assembly.open_round(self._keeping.ballots()), decision)

    def decided(self, decision: Decision) -> tuple[Chain, Certificate] | None:
        """The chain that took this decision last, and the certificate; None for what no certificate says."""
        found = [
            (self._assembly.at(item.body.motion.after), item.body)
            for item in self._keeping.shelf.of_kind(RecordKind.CERTIFICATE)
            if isinstance(item.body, Certificate) and item.body.motion.decision == decision and not _is_fork(item)
        ]
        return max(found, key=lambda link_and_body: link_and_body[0].position, default=None)

    def evidence(self) -> tuple[Accusation, ...]:
        """Who contradicted itself, by author."""
        found = sorted(self._keeping.shelf.of_kind(RecordKind.EVIDENCE), key=lambda item: item.slot)
        return tuple(
            Accusation(item.record.author, self._keeping.known.speaks_for(item.record.author), item.body, item.record)
            for item in found
            if isinstance(item.body, Equivocation)
        )

    def forks(self) -> tuple[Record, ...]:
        """Certificates that contradict the decision in force at their position."""
        found = sorted(self._keeping.shelf.of_kind(RecordKind.CERTIFICATE), key=lambda item: item.slot)
        return tuple(item.record for item in found if _is_fork(item))

    def invitations_used(self) -> frozenset[Digest]:
        """The ids of all invitations that any introduction or organisation's card names."""
        return self._keeping.invitations_used()

    @property
    def facts(self) -> Facts:
        """What follows from the records; empty before the charter came. Made once after each change."""
        if self._facts is None:
            self._facts = (
                derive_facts(self._assembly.current, self._keeping.said()) if self._assembly.founded else Facts()
            )
        return self._facts

    # Judging and keeping

    def _file(self, item: Kept) -> Outcome:
        body = item.body
        if self._keeping.shelf.by_id(item.id) is not None:
            return Outcome.KNOWN
        if isinstance(body, Charter):
            return self._found(item, body)
        if not self._assembly.founded:
            raise Refused("record-early", after=self.federation)
        if isinstance(body, Certificate):
            return self._certify(item, body)
        if isinstance(body, Ballot | Proposal):
            return self._debate(item, body)
        return self._keep(item)

    def _found(self, item: Kept, charter: Charter) -> Outcome:
        outcome = self._keep(item)
        if not self._assembly.founded:
            self._assembly.found(charter, self.federation)
            self._settle()
        return outcome

    def _certify(self, item: Kept, certificate: Certificate) -> Outcome:
        link = self._assembly.at(certificate.motion.after)
        check_certificate(link, certificate)
        following = next_link(link, certificate.motion.decision)
        decided = self._assembly.successor(link)
        if decided is None:
            outcome = self._keep(item)
            self._assembly.advance(following)
            self._settle()
            return outcome
        if decided.after == following.after:
            return self._keep(item)
        self._keep(replace(item, slot=(*item.slot[:2], following.after)))
        self._accuse_voters(link, certificate)
        return Outcome.EQUIVOCATION

    def _accuse_voters(self, link: Chain, certificate: Certificate) -> None:
        in_force = self._keeping.shelf.at((RecordKind.CERTIFICATE, link.after, b""))
        if in_force is None or not isinstance(in_force.body, Certificate):
            return
        theirs = {ballot.author: ballot for ballot in ballots_of(link, in_force.body)}
        for ballot in ballots_of(link, certificate):
            if ballot.author in theirs:
                self._accuse(make_evidence(theirs[ballot.author], ballot))

    def _debate(self, item: Kept, said: Ballot | Proposal) -> Outcome:
        if said.motion.after != self.chain.after:
            self._assembly.at(said.motion.after)
            return Outcome.OLDER
        self._assembly.check_motion(said, self._keeping.ballots())
        outcome = self._keep(item)
        if isinstance(said, Ballot):
            self._decide(said.motion.round)
        return outcome

    def _decide(self, number: int) -> None:
        """Make the certificate if this round has reached its quorum."""
        count = self._assembly.count(self._keeping.ballots(), number)
        if count.stage is not Stage.ADOPTED or count.adopted is None:
            return
        adopted = decision_digest(self.chain.after, count.adopted)
        records = [
            item.record
            for item in sorted(self._keeping.shelf.of_kind(RecordKind.BALLOT), key=lambda item: item.slot)
            if isinstance(item.body, Ballot)
            and item.body.approve
            and item.body.motion.round == number
            and decision_digest(self.chain.after, item.body.motion.decision) == adopted
        ]
        certificate = make_certificate(self.chain, records)
        self._made.append(certificate)
        self._file(read_record(certificate, self.federation))

    def _keep(self, item: Kept) -> Outcome:
        outcome, proof = self._keeping.keep(item)
        if outcome is not Outcome.OLDER:
            self._facts = None
        if self._keeping.unsettled:
            self._settle()
        self._accuse(proof)
        return outcome

    def _accuse(self, proof: Record | None) -> None:
        if proof is None:
            return
        try:
            if self._keep(read_record(proof, self.federation)) is Outcome.NEW:
                self._made.append(proof)
        except Refused:
            # The author's own card was pushed out meanwhile: whoever knows the author will make the proof again.
            return

    def _settle(self) -> None:
        assembly = self._assembly
        self._keeping.settle(assembly.admitted_ever(), assembly.lineages_ever(), assembly.current.after)
        self._facts = None


def _is_fork(item: Kept) -> bool:
    """The certificate in force has the empty slot of its position; another has its own decision's."""
    return item.record.kind == RecordKind.CERTIFICATE and bool(item.slot[2])
