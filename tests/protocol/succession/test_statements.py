"""What candidates and holders sign: who may, and every way in which a statement must be refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Forged, MaillonError, Malformed
from protocol.ids import Digest
from protocol.namespace.journal import EPOCH_MAX, Ending, opening_hash
from protocol.succession.ballot import (
    COUNTER_MAX,
    Ballot,
    decode_candidacy,
    encode_candidacy,
    next_counter,
    verify_candidacy,
)
from protocol.succession.proposal import decode_proposal, encode_proposal, sign_proposal, verify_proposal
from protocol.succession.succession import (
    Acceptance,
    decode_succession,
    encode_succession,
    sign_release,
    verify_release,
    verify_succession,
)
from tests.support.namespaces import some
from tests.support.successions import HOLDER_KEYS, HOLDERS, gateway, succession_of

FIRST, SECOND = gateway(1), gateway(2)
OPENING = FIRST.opening()
CANDIDACY = SECOND.candidacy(OPENING, counter=3)
PROPOSAL = SECOND.proposal(OPENING, counter=3)
SUCCESSION = succession_of(OPENING, PROPOSAL)
STATEMENTS: dict[str, tuple[Any, Any, Any]] = {
    "candidacy": (CANDIDACY, encode_candidacy, decode_candidacy),
    "proposal": (PROPOSAL, encode_proposal, decode_proposal),
    "succession": (SUCCESSION, encode_succession, decode_succession),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_comes_back_as_it_was_signed(name: str) -> None:
    statement, encode, decode = STATEMENTS[name]
    assert decode(encode(statement)) == statement


@given(st.sampled_from(sorted(STATEMENTS)), st.data())
def test_no_changed_byte_is_believed(name: str, data: st.DataObject) -> None:
    statement, encode, decode = STATEMENTS[name]
    raw = bytearray(encode(statement))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MaillonError):
        decode(raw)


class TestBallot:
    def test_the_generation_outbids_any_counter(self) -> None:
        thief = gateway(1, generation=1).candidacy(OPENING, counter=COUNTER_MAX)
        assert gateway(2, generation=2).candidacy(OPENING, counter=1).ballot > thief.ballot

    def test_then_the_counter_decides(self) -> None:
        assert FIRST.candidacy(OPENING, counter=2).ballot < SECOND.candidacy(OPENING, counter=3).ballot
        assert SECOND.candidacy(OPENING, counter=2).ballot < FIRST.candidacy(OPENING, counter=3).ballot

    def test_two_candidates_or_two_attempts_never_share_one(self) -> None:
        ballots = {gateway(number).candidacy(OPENING, draw=draw).ballot for number in (1, 2) for draw in (0, 1)}
        assert len(ballots) == 4

    @given(st.lists(st.integers(1, COUNTER_MAX - 1)))
    def test_the_next_counter_is_above_all_that_were_heard_of(self, counters: list[int]) -> None:
        seen = [Ballot(1, counter, FIRST.writer.public, 0) for counter in counters]
        assert all(ballot.counter < next_counter(seen) for ballot in seen)

    def test_the_last_counter_has_no_next(self) -> None:
        with pytest.raises(Malformed, match="ballot-counter"):
            next_counter([Ballot(1, COUNTER_MAX, FIRST.writer.public, 0)])


class TestCandidacy:
    def test_only_a_key_that_the_root_certified_may_stand(self) -> None:
        forged = dataclasses.replace(CANDIDACY, certificate=FIRST.certificate)
        with pytest.raises(Forged, match="signature"):
            verify_candidacy(forged)

    def test_a_certificate_counts_from_its_epoch_on(self) -> None:
        assert gateway(3, from_epoch=2).candidacy(OPENING)
        with pytest.raises(Forged, match="journal-certificate"):
            gateway(3, from_epoch=3).candidacy(OPENING)

    def test_the_last_epoch_has_no_next(self) -> None:
        with pytest.raises(Malformed, match="candidacy-epoch"):
            verify_candidacy(dataclasses.replace(CANDIDACY, epoch=EPOCH_MAX))


class TestProposal:
    def test_the_decree_may_be_another_candidates(self) -> None:
        assert sign_proposal(SECOND.writer, CANDIDACY, FIRST.decree(OPENING)).decree.certificate == FIRST.certificate

    def test_the_decree_goes_on_from_the_epoch_that_is_to_end(self) -> None:
        elsewhere = Ending(Digest(some("other opening")), 0, Digest(some("other opening")))
        for decree in (OPENING, FIRST.opening(2, elsewhere), FIRST.decree(FIRST.decree(OPENING))):
            with pytest.raises(Forged, match="succession-decree"):
                sign_proposal(SECOND.writer, CANDIDACY, decree)

    def test_only_the_candidate_proposes_under_its_ballot(self) -> None:
        with pytest.raises(Forged, match="signature"):
            sign_proposal(FIRST.writer, CANDIDACY, FIRST.decree(OPENING))
        with pytest.raises(Forged, match="signature"):
            verify_proposal(dataclasses.replace(PROPOSAL, decree=FIRST.decree(OPENING)))


class TestSuccession:
    def test_too_few_acceptances_prove_nothing(self) -> None:
        with pytest.raises(Forged, match="succession-quorum"):
            verify_succession(succession_of(OPENING, PROPOSAL, (0, 1, 2)))

    def test_a_holder_counts_once_and_a_stranger_never(self) -> None:
        for other in (SUCCESSION.acceptances[0], Acceptance(FIRST.certificate.node, bytes(64))):
            acceptances = (*SUCCESSION.acceptances[:3], other)
            with pytest.raises(Forged, match="succession-quorum"):
                verify_succession(dataclasses.replace(SUCCESSION, acceptances=acceptances))

    def test_acceptances_of_another_ballot_or_decree_prove_nothing(self) -> None:
        ballot = dataclasses.replace(SUCCESSION.ballot, counter=4)
        for other in (
            dataclasses.replace(SUCCESSION, ballot=ballot),
            dataclasses.replace(SUCCESSION, decree=SECOND.decree(OPENING, attempt=1)),
        ):
            with pytest.raises(Forged, match="signature"):
                verify_succession(other)

    def test_no_generation_follows_a_higher_one(self) -> None:
        opening = gateway(1, generation=2).opening()
        with pytest.raises(Forged, match="succession-decree"):
            verify_succession(succession_of(opening, SECOND.proposal(opening)))

    def test_it_takes_no_more_acceptances_than_it_needs(self) -> None:
        assert len(succession_of(OPENING, PROPOSAL, range(6)).acceptances) == OPENING.w


class TestRelease:
    RELEASE = sign_release(SECOND.writer, PROPOSAL.decree, below=2)

    def test_the_writer_lets_go_of_the_epochs_before_its_own(self) -> None:
        verify_release(self.RELEASE, PROPOSAL.decree)

    def test_nobody_else_does_and_nobody_lets_go_of_the_present(self) -> None:
        with pytest.raises(Forged, match="signature"):
            verify_release(sign_release(FIRST.writer, PROPOSAL.decree, below=2), PROPOSAL.decree)
        with pytest.raises(Forged, match="journal-release"):
            verify_release(sign_release(SECOND.writer, PROPOSAL.decree, below=3), PROPOSAL.decree)
        with pytest.raises(Forged, match="journal-release"):
            verify_release(self.RELEASE, OPENING)


def test_the_holders_of_these_tests_have_the_keys_that_they_sign_with() -> None:
    assert [key.public for key in HOLDER_KEYS] == list(HOLDERS)
    assert opening_hash(SUCCESSION.predecessor) == opening_hash(OPENING)
