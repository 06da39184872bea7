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
from itertools import groupby

from protocol import limits
from protocol.errors import MaillonError, OverLimit, Refused
from protocol.ids import Digest, FederationId, NamespaceId, NodeId, OrganisationId, PublicKey, RecordId
from protocol.members.assembly import Assembly, ProposalFacts
from protocol.members.cards import Introduction, NamespaceCard, NodeCard, OrganisationCard
from protocol.members.certificate import Certificate, ballots_of, check_certificate, make_certificate
from protocol.members.charter import Charter
from protocol.members.evidence import Equivocation, make_evidence
from protocol.members.facts import Facts, NamespaceFacts, NodeFacts, OrganisationFacts, Said, derive_facts
from protocol.members.governance import Ballot, Chain, Decision, Motion, Proposal, Stage, decision_digest, next_link
from protocol.members.records import Record, RecordKind, record_id
from protocol.members.rules import Known, objection, quota_of, read_record
from protocol.members.shelf import Kept, Outcome, Shelf


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
        self._shelf = Shelf()
        self._known = Known()
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
        if self._shelf.by_id(record_id(record)) is not None:
            return Outcome.KNOWN
        return self._file(read_record(record, self.federation))

    def admit_all(self, records: Sequence[Record]) -> tuple[Outcome | MaillonError, ...]:
        """Admit records in the order of their dependencies; what became of each, in the order given."""
        results: list[Outcome | MaillonError] = [Outcome.KNOWN] * len(records)
        waiting: list[tuple[int, Kept]] = []
        for place in sorted(range(len(records)), key=lambda index: records[index].kind):
            try:
                if self._shelf.by_id(record_id(records[place])) is None:
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
        return len(self._shelf)

    def ids(self) -> list[RecordId]:
        """The ids of all records kept, sorted."""
        return self._shelf.ids()

    def records(self) -> list[Record]:
        """All records kept, sorted by id."""
        return [item.record for item in sorted(self._shelf, key=lambda item: item.id)]

    def get(self, identity: RecordId) -> Record | None:
        item = self._shelf.by_id(identity)
        return None if item is None else item.record

    def next_counter(self, author: PublicKey, kind: RecordKind, subject: bytes) -> int:
        """The counter for the author's next record about this subject."""
        held = [
            item.record.counter
            for item in self._shelf.of_kind(kind)
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
        proposals = [item.body for item in self._shelf.of_kind(RecordKind.PROPOSAL)]
        put = [body for body in proposals if isinstance(body, Proposal)]
        return self._assembly.proposals(put, self._ballots())

    def motion(self, decision: Decision) -> Motion:
        """The decision at the place where it can be proposed or voted on now."""
        return Motion(self.chain.after, self._assembly.open_round(self._ballots()), decision)

    def evidence(self) -> tuple[Accusation, ...]:
        """Who contradicted itself, by author."""
        found = sorted(self._shelf.of_kind(RecordKind.EVIDENCE), key=lambda item: item.slot)
        return tuple(
            Accusation(item.record.author, self._known.speaks_for(item.record.author), item.body, item.record)
            for item in found
            if isinstance(item.body, Equivocation)
        )

    def forks(self) -> tuple[Record, ...]:
        """Certificates that contradict the decision in force at their position."""
        found = sorted(self._shelf.of_kind(RecordKind.CERTIFICATE), key=lambda item: item.slot)
        return tuple(item.record for item in found if item.slot[2])

    def invitations_used(self) -> frozenset[Digest]:
        """The ids of all invitations that any introduction or organisation's card names."""
        introduced = {Digest(item.record.subject) for item in self._shelf.of_kind(RecordKind.INTRODUCTION)}
        cards = [item.body for item in self._shelf.of_kind(RecordKind.ORGANISATION)]
        named = {card.invitation for card in cards if isinstance(card, OrganisationCard) and card.invitation}
        return frozenset(introduced | named)

    @property
    def facts(self) -> Facts:
        """What follows from the records; empty before the charter came. Made once after each change."""
        if self._facts is None:
            self._facts = derive_facts(self._assembly.current, self._said()) if self._assembly.founded else Facts()
        return self._facts

    # Judging and keeping

    def _file(self, item: Kept) -> Outcome:
        kind, body = item.record.kind, item.body
        if self._shelf.by_id(item.id) is not None:
            return Outcome.KNOWN
        if isinstance(body, Charter):
            return self._found(item, body)
        if not self._assembly.founded:
            raise Refused("record-early", after=self.federation)
        if isinstance(body, Certificate):
            return self._certify(item, body)
        if isinstance(body, Ballot | Proposal):
            return self._debate(item, body)
        problem = objection(item, self._known)
        if problem is not None:
            raise Refused(problem, kind=kind, author=item.record.author)
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
        in_force = self._shelf.at((RecordKind.CERTIFICATE, link.after, b""))
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
        self._assembly.check_motion(said, self._ballots())
        outcome = self._keep(item)
        if isinstance(said, Ballot):
            self._decide(said.motion.round)
        return outcome

    def _decide(self, number: int) -> None:
        """Make the certificate if this round has reached its quorum."""
        count = self._assembly.count(self._ballots(), number)
        if count.stage is not Stage.ADOPTED or count.adopted is None:
            return
        adopted = decision_digest(self.chain.after, count.adopted)
        records = [
            item.record
            for item in sorted(self._shelf.of_kind(RecordKind.BALLOT), key=lambda item: item.slot)
            if isinstance(item.body, Ballot)
            and item.body.approve
            and item.body.motion.round == number
            and decision_digest(self.chain.after, item.body.motion.decision) == adopted
        ]
        certificate = make_certificate(self.chain, records)
        self._made.append(certificate)
        self._file(read_record(certificate, self.federation))

    def _keep(self, item: Kept) -> Outcome:
        quota = quota_of(item, self._known)
        if not self._shelf.fits(item.slot, quota):
            raise Refused("record-quota", kind=item.record.kind, author=item.record.author)
        held = self._shelf.at(item.slot)
        # What the members decide must find room, whoever filled it.
        if held is None and len(self._shelf) >= limits.RECORDS_MAX and item.record.kind > RecordKind.PROPOSAL:
            raise OverLimit("view-full", limit=limits.RECORDS_MAX)
        wins = held is None or item.supersedes(held)
        proof = make_evidence(held.record, item.record) if held is not None and held.version == item.version else None
        if wins:
            pushed_out = self._shelf.put(item, quota)
            self._known.learn(item)
            self._facts = None
            if pushed_out is not None or _others_depended_on(held, item):
                self._settle()
        if proof is not None:
            self._accuse(proof)
            return Outcome.EQUIVOCATION
        return Outcome.NEW if wins else Outcome.OLDER

    def _accuse(self, proof: Record | None) -> None:
        if proof is None:
            return
        item = read_record(proof, self.federation)
        if objection(item, self._known) is None and self._keep(item) is Outcome.NEW:
            self._made.append(proof)

    def _settle(self) -> None:
        """Judge everything kept again, because something that others depend on changed."""
        everything = list(self._shelf)
        self._shelf = Shelf()
        self._known = Known(self._assembly.admitted_ever())
        for lineage in self._assembly.lineages_ever():
            self._known.learn_keys(lineage)
        self._facts = None
        for _, items in groupby(everything, key=lambda item: item.record.kind):
            kind = 0
            for item in items:
                kind = item.record.kind
                if self._still_stands(item):
                    self._shelf.put(item, quota_of(item, self._known))
            # Only what its bucket did not push out again may let others in.
            for item in self._shelf.of_kind(kind):
                self._known.learn(item)

    def _still_stands(self, item: Kept) -> bool:
        if isinstance(item.body, Ballot | Proposal):
            return item.body.motion.after == self.chain.after
        return objection(item, self._known) is None

    # What the facts are made from

    def _ballots(self) -> list[Ballot]:
        bodies = [item.body for item in self._shelf.of_kind(RecordKind.BALLOT)]
        return [body for body in bodies if isinstance(body, Ballot)]

    def _said(self) -> Said:
        organisations: dict[OrganisationId, OrganisationCard] = {}
        nodes: dict[NodeId, NodeCard] = {}
        introductions: dict[Digest, tuple[tuple[NodeId, Introduction], ...]] = {}
        namespaces: dict[NamespaceId, NamespaceCard] = {}
        for item in self._shelf:
            body, subject = item.body, item.record.subject
            if isinstance(body, OrganisationCard):
                organisations[OrganisationId(subject)] = body
            elif isinstance(body, NodeCard):
                nodes[NodeId(subject)] = body
            elif isinstance(body, Introduction):
                others = introductions.get(Digest(subject), ())
                introductions[Digest(subject)] = (*others, (NodeId(item.record.author), body))
            elif isinstance(body, NamespaceCard):
                namespaces[NamespaceId(subject)] = body
        return Said(organisations, nodes, introductions, namespaces)


def _others_depended_on(held: Kept | None, item: Kept) -> bool:
    """Whether keeping `item` in place of `held` may take away, or give to another, what other records stand on."""
    old, new = None if held is None else held.body, item.body
    if isinstance(new, OrganisationCard):
        # It shows earlier keys: whose quota their records use may change.
        shown = old.lineage if isinstance(old, OrganisationCard) else None
        return len(new.lineage.keys) > 1 and new.lineage != shown
    if isinstance(old, Introduction) and isinstance(new, Introduction):
        return old.organisation != new.organisation
    if isinstance(old, NodeCard) and isinstance(new, NodeCard):
        return old.organisation != new.organisation
    if isinstance(old, NamespaceCard) and isinstance(new, NamespaceCard):
        return old.certificate.writer != new.certificate.writer
    return False
