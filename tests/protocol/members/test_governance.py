"""Decisions: who votes, what decides, and what liars and partitions cannot do to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.errors import Forged, MaillonError, Malformed, Refused
from protocol.ids import Digest, OrganisationId
from protocol.limits import BALLOT_ROUNDS_MAX
from protocol.members.certificate import Certificate, Vote, read_certificate
from protocol.members.charter import Quorum
from protocol.members.governance import (
    Ballot,
    Decision,
    DecisionKind,
    Motion,
    Proposal,
    expel_organisation,
    make_ballot,
    round_subject,
)
from protocol.members.records import Record, RecordKind, sign_record
from protocol.members.shelf import Outcome
from protocol.members.view import View
from protocol.wire import schema
from tests.support.federations import (
    STANDING,
    Org,
    admission,
    decide,
    federate,
    found,
    joining,
    seed,
)

A, B, C, D, E, F = (Org(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta"))
FOUR = [A, B, C, D]


def _federation(orgs: list[Org], *, quorum: Quorum = Quorum.MAJORITY) -> View:
    view, _ = found(orgs[0], quorum=quorum)
    federate(view, orgs)
    return view


def _copy(view: View) -> View:
    other = View(view.federation)
    other.admit_all(view.records())
    return other


def _refusal(view: View, record: Record) -> MaillonError:
    with pytest.raises(MaillonError) as caught:
        view.admit(record)
    return caught.value


def _certificates(view: View) -> list[Record]:
    return [record for record in view.records() if record.kind == RecordKind.CERTIFICATE]


def _admitted(view: View) -> set[OrganisationId]:
    return {member.organisation for member in view.chain.members}


class TestTheElectorate:
    @pytest.mark.parametrize(("orgs", "electors", "needed"), [(1, 1, 1), (3, 1, 1), (4, 4, 3), (5, 5, 3)])
    def test_is_the_founder_alone_and_then_everyone(self, orgs: int, electors: int, needed: int) -> None:
        view = _federation([A, B, C, D, E][:orgs])
        assert (len(view.chain.electorate), view.chain.quorum) == (electors, needed)

    def test_may_be_asked_for_two_thirds(self) -> None:
        assert [Quorum.TWO_THIRDS.of(electors) for electors in (1, 2, 3, 4, 6, 7)] == [1, 2, 3, 3, 5, 5]
        assert [Quorum.MAJORITY.of(electors) for electors in (1, 2, 3, 4, 6, 7)] == [1, 2, 2, 3, 4, 4]

    @pytest.mark.parametrize("quorum", list(Quorum))
    def test_has_no_two_quorums_without_a_common_member(self, quorum: Quorum) -> None:
        assert all(2 * quorum.of(electors) > electors for electors in range(1, 300))

    def test_is_fixed_when_the_motion_is_made(self) -> None:
        view = _federation(FOUR)
        stale = view.motion(admission(F))
        view.admit_all(joining(view.federation, A, E))
        decide(view, FOUR, admission(E))
        assert view.admit(A.ballot(view.federation, stale)) is Outcome.OLDER
        assert A.id in _admitted(view)
        assert F.id not in _admitted(view)

    def test_of_the_past_cannot_decide_again(self) -> None:
        """The founder was once the quorum; with four members it is not, whatever position it votes on."""
        view = _federation(FOUR)
        past = Motion(Digest(view.federation), 0, expel_organisation(D.id))
        assert view.admit(A.ballot(view.federation, past)) is Outcome.OLDER
        assert D.id in _admitted(view)

    def test_refuses_the_votes_of_others(self) -> None:
        view = _federation([A, B, C])
        motion = view.motion(admission(D))
        for outsider in (B, F):
            assert _refusal(view, outsider.ballot(view.federation, motion)).identifier == "record-stranger"
            assert _refusal(view, outsider.propose(view.federation, motion)).identifier == "record-stranger"


class TestADecision:
    def test_becomes_a_certificate_that_convinces_without_its_ballots(self) -> None:
        view = _federation(FOUR)
        decide(view, FOUR, admission(E))
        assert RecordKind.BALLOT not in {record.kind for record in view.records()}
        other = _copy(view)
        assert other.chain == view.chain
        assert len(_certificates(other)) == 4

    def test_is_handed_over_for_pushing(self) -> None:
        view = _federation(FOUR)
        view.take_made()
        decide(view, FOUR, admission(E))
        assert [record.kind for record in view.take_made()] == [RecordKind.CERTIFICATE]

    def test_is_not_undone_by_a_later_contrary_ballot(self) -> None:
        view = _federation(FOUR)
        motion = view.motion(admission(E))
        decide(view, FOUR, admission(E))
        assert view.admit(A.ballot(view.federation, motion, approve=False)) is Outcome.OLDER
        assert E.id in _admitted(view)

    def test_that_is_impossible_is_not_voted_on(self) -> None:
        view, _ = found(A)
        motion = view.motion(expel_organisation(A.id))
        assert _refusal(view, A.ballot(view.federation, motion)).identifier == "decision-impossible"

    def test_can_change_a_members_facts(self) -> None:
        view = _federation([A, B])
        decide(view, [A], admission(B, replace(STANDING, jurisdiction="BE", certifications=("HDS",))))
        facts = view.organisation(B.id)
        assert facts is not None
        assert (facts.jurisdiction, facts.certifications) == ("BE", ("HDS",))

    def test_without_the_facts_it_needs_is_malformed(self) -> None:
        for kind, subject, facts in (
            (DecisionKind.ADMIT, B.id, None),
            (DecisionKind.EXPEL_NODE, B.id, admission(B).admission),
            (DecisionKind.ADMIT, C.id, admission(B).admission),
        ):
            with pytest.raises(Malformed, match="decision"):
                Decision(kind, subject, facts)


class TestPartitions:
    def test_cannot_decide_differently(self) -> None:
        """Two against two: neither half reaches three, and together they can go on."""
        left = _federation(FOUR)
        right = _copy(left)
        first, second = left.motion(admission(E)), right.motion(expel_organisation(A.id))
        for voter in (A, B):
            left.admit(voter.ballot(left.federation, first))
        for voter in (C, D):
            right.admit(voter.ballot(right.federation, second))
        assert left.chain == right.chain
        ballots = [record for record in right.records() if record.kind == RecordKind.BALLOT]
        left.admit_all(ballots)
        assert left.chain.position == right.chain.position
        assert left.motion(admission(E)).round == 1, "the split round is given up, the next one is open"
        decide(left, FOUR, admission(E))
        assert E.id in _admitted(left)

    def test_do_not_stop_the_larger_half(self) -> None:
        left = _federation(FOUR)
        right = _copy(left)
        decide(left, [A, B, C], admission(E))
        right.admit_all(left.records())
        assert right.chain == left.chain


class TestRounds:
    def test_stay_open_while_a_motion_can_still_win(self) -> None:
        view = _federation(FOUR)
        motion = view.motion(admission(E))
        view.admit(A.ballot(view.federation, motion, approve=False))
        assert view.motion(admission(E)).round == 0
        view.admit(B.ballot(view.federation, motion, approve=False))
        assert view.motion(admission(E)).round == 1

    def test_are_not_voted_on_before_they_open(self) -> None:
        view = _federation(FOUR)
        early = replace(view.motion(admission(E)), round=1)
        assert _refusal(view, A.ballot(view.federation, early)).identifier == "record-early"

    def test_are_bounded(self) -> None:
        view = _federation(FOUR)
        with pytest.raises(Malformed):
            A.ballot(view.federation, replace(view.motion(admission(E)), round=BALLOT_ROUNDS_MAX))

    def test_show_how_their_motions_stand(self) -> None:
        view = _federation(FOUR)
        motion = view.motion(admission(E))
        view.admit(A.propose(view.federation, motion))
        view.admit(A.ballot(view.federation, motion))
        view.admit(B.ballot(view.federation, motion, approve=False))
        (facts,) = view.proposals()
        assert (facts.proposers, facts.in_favour, facts.against) == ((A.id,), (A.id,), (B.id,))
        assert (len(facts.electorate), facts.quorum) == (4, 3)

    def test_are_forgotten_once_something_is_decided(self) -> None:
        view = _federation(FOUR)
        view.admit(A.propose(view.federation, view.motion(admission(F))))
        decide(view, FOUR, admission(E))
        assert view.proposals() == ()
        assert RecordKind.PROPOSAL not in {record.kind for record in view.records()}


class TestDoubleVotes:
    def test_are_evidence_and_count_once(self) -> None:
        view = _federation(FOUR)
        one, two = view.motion(admission(E)), view.motion(admission(F))
        view.admit(A.ballot(view.federation, one))
        assert view.admit(A.ballot(view.federation, two)) is Outcome.EQUIVOCATION
        (accusation,) = view.evidence()
        assert (accusation.organisation, accusation.equivocation.kind) == (A.id, RecordKind.BALLOT)
        assert sum(len(facts.in_favour) for facts in view.proposals()) == 1

    def test_cannot_undo_what_they_helped_to_decide(self) -> None:
        view = _federation(FOUR)
        motion = view.motion(admission(E))
        decide(view, [A, B, C], admission(E))
        late = _copy(view)
        for ballot in (A.ballot(view.federation, motion, approve=False), A.ballot(view.federation, motion)):
            late.admit(ballot)
        assert E.id in _admitted(late)

    def test_of_a_whole_quorum_do_not_rewrite_what_a_node_has_seen(self) -> None:
        """A founder who was once alone signs another history: it is found out, by name, and ignored."""
        honest, records = found(A)
        other = View(honest.federation)
        other.admit_all(records)
        federate(honest, [A, B, C])
        federate(other, [A, D, E, F])
        before = honest.chain
        results = honest.admit_all(other.records())
        assert Outcome.EQUIVOCATION in results
        assert honest.chain == before
        assert honest.forks()
        assert A.id in {accusation.organisation for accusation in honest.evidence()}

    def test_stay_in_force_for_whoever_learns_of_them_from_this_node(self) -> None:
        for suffix in range(6):
            founder = Org(f"alpha {suffix}")
            honest, records = found(founder)
            other = View(honest.federation)
            other.admit_all(records)
            decide(honest, [founder], admission(B))
            decide(other, [founder], admission(C))
            honest.admit_all(other.records())
            assert _copy(honest).chain == honest.chain
            assert _copy(honest).ids() == honest.ids()


class TestForgedCertificates:
    def _tampered(self, change: dict[str, object]) -> tuple[View, Record]:
        behind = _federation(FOUR)
        ahead = _copy(behind)
        decide(ahead, FOUR, admission(E))
        ahead.take_made()
        (record,) = (r for r in _certificates(ahead) if r.subject == behind.chain.after)
        certificate: Certificate = replace(read_certificate(record), **change)  # type: ignore[arg-type]
        return behind, replace(record, body=schema.encode(certificate))

    def test_for_another_decision(self) -> None:
        view = _federation(FOUR)
        behind, record = self._tampered({"motion": view.motion(admission(F))})
        assert isinstance(_refusal(behind, record), Forged)

    def test_with_too_few_votes(self) -> None:
        behind, record = self._tampered({})
        certificate = read_certificate(record)
        fewer = replace(certificate, votes=certificate.votes[:-1])
        refused = _refusal(behind, replace(record, body=schema.encode(fewer)))
        assert refused.identifier == "certificate-quorum"

    def test_with_one_vote_counted_twice(self) -> None:
        behind, record = self._tampered({})
        certificate = read_certificate(record)
        first = certificate.votes[0]
        twice = replace(certificate, votes=(first, first, certificate.votes[2]))
        assert _refusal(behind, replace(record, body=schema.encode(twice))).identifier == "certificate-votes"

    def test_with_a_vote_in_anothers_name(self) -> None:
        behind, record = self._tampered({})
        certificate = read_certificate(record)
        places = {vote.elector for vote in certificate.votes}
        missing = next(place for place in range(4) if place not in places)
        moved = [Vote(missing, None, certificate.votes[0].signature), *certificate.votes[1:]]
        changed = replace(certificate, votes=tuple(sorted(moved, key=lambda vote: vote.elector)))
        assert isinstance(_refusal(behind, replace(record, body=schema.encode(changed))), Forged)

    def test_with_a_voter_that_is_not_in_the_electorate(self) -> None:
        behind, record = self._tampered({})
        certificate = read_certificate(record)
        votes = (*certificate.votes[:2], Vote(100, None, certificate.votes[2].signature))
        refused = _refusal(behind, replace(record, body=schema.encode(replace(certificate, votes=votes))))
        assert refused.identifier == "certificate-quorum"

    def test_with_a_lineage_of_another_organisation(self) -> None:
        behind, record = self._tampered({})
        certificate = read_certificate(record)
        votes = (replace(certificate.votes[0], lineage=F.lineage), *certificate.votes[1:])
        refused = _refusal(behind, replace(record, body=schema.encode(replace(certificate, votes=votes))))
        assert refused.identifier == "lineage"

    def test_before_their_predecessor_wait(self) -> None:
        behind = _federation(FOUR)
        ahead = _copy(behind)
        decide(ahead, FOUR, admission(E))
        decide(ahead, [*FOUR, E], admission(F))
        last = next(r for r in _certificates(ahead) if r.subject not in (behind.chain.after, behind.federation))
        ordered = sorted(_certificates(ahead), key=lambda record: record.subject == behind.chain.after)
        assert last in ordered
        behind.admit_all(ordered)
        assert behind.chain == ahead.chain


class TestForgedBallots:
    def test_in_another_organisations_name(self) -> None:
        view = _federation(FOUR)
        motion = view.motion(admission(E))
        body = schema.encode(Ballot(A.lineage, motion, approve=True))
        subject = round_subject(motion.after, motion.round)
        forged = sign_record(B.key, view.federation, RecordKind.BALLOT, 1, subject, body)
        assert _refusal(view, forged).identifier == "lineage"

    def test_with_a_second_counter(self) -> None:
        view = _federation(FOUR)
        ballot = A.ballot(view.federation, view.motion(admission(E)))
        again = sign_record(A.key, view.federation, RecordKind.BALLOT, 2, ballot.subject, ballot.body)
        assert _refusal(view, again).identifier == "record-counter"

    def test_filed_under_another_round(self) -> None:
        view = _federation(FOUR)
        motion = view.motion(admission(E))
        ballot = A.ballot(view.federation, motion)
        moved = sign_record(A.key, view.federation, RecordKind.BALLOT, 1, round_subject(motion.after, 1), ballot.body)
        assert _refusal(view, moved).identifier == "card-subject"

    def test_after_an_unknown_decision_wait(self) -> None:
        view = _federation(FOUR)
        motion = Motion(Digest(seed("unknown")), 0, admission(E))
        refused = _refusal(view, A.ballot(view.federation, motion))
        assert isinstance(refused, Refused)
        assert refused.identifier == "record-early"

    def test_for_a_proposal_in_anothers_name(self) -> None:
        view = _federation(FOUR)
        motion = view.motion(admission(E))
        body = schema.encode(Proposal(A.lineage, motion))
        subject = round_subject(motion.after, motion.round)
        forged = sign_record(B.key, view.federation, RecordKind.PROPOSAL, 1, subject, body)
        assert _refusal(view, forged).identifier == "lineage"


def test_the_largest_federation_can_still_decide() -> None:
    """The certificate of a quorum of as many members as there may be fits in a record."""
    from protocol.limits import ORGANISATIONS_ADMITTED_MAX

    view, _ = found(A, alone_up_to=ORGANISATIONS_ADMITTED_MAX - 1, quorum=Quorum.TWO_THIRDS)
    others = [Org(f"member {number}") for number in range(ORGANISATIONS_ADMITTED_MAX - 1)]
    for other in others:
        decide(view, [A], admission(other))
    assert len(view.chain.electorate) == ORGANISATIONS_ADMITTED_MAX
    decide(view, [A, *others], expel_organisation(others[0].id))
    assert view.chain.position == ORGANISATIONS_ADMITTED_MAX
    full = make_ballot(A.key, view.federation, Ballot(A.lineage, view.motion(admission(E)), approve=True))
    assert view.admit(full) is Outcome.NEW
