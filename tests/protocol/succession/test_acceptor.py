"""What a holder may do after what it promised and accepted before."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Forged, Missing, Refused, Unavailable
from protocol.ids import Digest, NodeId
from protocol.namespace.journal import Tip, opening_hash, start_of
from protocol.succession.acceptor import AcceptorState, accept, check_append, learn, promise, unfenced
from protocol.succession.preparing import check_open, check_prepare
from tests.support.namespaces import some
from tests.support.successions import HOLDERS, gateway, succession_of

GATEWAYS = tuple(gateway(number) for number in range(3))
OPENING = GATEWAYS[0].opening()
HEADS = (start_of(OPENING).head, Digest(some("head", 1)), Digest(some("head", 2)))
STATE = unfenced(OPENING)
CANDIDACIES = [GATEWAYS[number].candidacy(OPENING, counter) for number in range(3) for counter in (1, 2, 3)]
PROPOSALS = [
    GATEWAYS[number].proposal(OPENING, counter, Tip(length, HEADS[length]))
    for number in range(3)
    for counter in (1, 2, 3)
    for length in (0, 1, 2)
]


def head_at(length: int) -> Digest | None:
    """A copy of one entry."""
    return HEADS[length] if length < 2 else None


class TestPromise:
    def test_it_fences_the_writer(self) -> None:
        check_append(STATE, None)
        promised = promise(STATE, CANDIDACIES[0])
        assert promised.is_fenced
        with pytest.raises(Refused, match="journal-promised"):
            check_append(promised, None)

    def test_entries_come_under_the_promised_ballot_and_no_other(self) -> None:
        promised = promise(STATE, CANDIDACIES[1])
        check_append(promised, CANDIDACIES[1].ballot)
        for state, candidacy in ((promised, CANDIDACIES[0]), (promised, CANDIDACIES[2]), (STATE, CANDIDACIES[0])):
            with pytest.raises(Refused, match="journal-promised"):
                check_append(state, candidacy.ballot)

    def test_a_repeated_one_changes_nothing(self) -> None:
        promised = promise(STATE, CANDIDACIES[1])
        assert promise(promised, CANDIDACIES[1]) == promised

    def test_a_lower_ballot_is_refused_and_told_the_higher(self) -> None:
        with pytest.raises(Refused, match="journal-promised") as refusal:
            promise(promise(STATE, CANDIDACIES[2]), CANDIDACIES[0])
        assert refusal.value.parameters["counter"] == CANDIDACIES[2].counter

    def test_secrets_that_were_replaced_open_nothing(self) -> None:
        opening = gateway(0, generation=2).opening()
        with pytest.raises(Refused, match="journal-generation"):
            promise(unfenced(opening), GATEWAYS[1].candidacy(opening))

    def test_a_claim_on_another_opening_is_for_another_epoch(self) -> None:
        other = GATEWAYS[0].opening(attempt=1)
        with pytest.raises(Forged, match="succession-decree"):
            promise(STATE, GATEWAYS[1].candidacy(other))


class TestAccept:
    def test_it_is_a_promise_too(self) -> None:
        accepted = accept(STATE, PROPOSALS[0], head_at)
        assert (accepted.promised, accepted.accepted) == (PROPOSALS[0].ballot, PROPOSALS[0])

    def test_a_copy_that_is_behind_says_so(self) -> None:
        with pytest.raises(Unavailable, match="journal-behind"):
            accept(STATE, PROPOSALS[2], head_at)

    def test_a_copy_of_another_history_accepts_nothing(self) -> None:
        with pytest.raises(Forged, match="journal-fork"):
            accept(STATE, PROPOSALS[1], lambda _length: HEADS[2])

    def test_what_goes_beyond_the_end_does_not_matter(self) -> None:
        assert accept(STATE, PROPOSALS[0], head_at).accepted == PROPOSALS[0]

    def test_a_decree_of_an_older_generation_is_none(self) -> None:
        opening = gateway(0, generation=2).opening()
        candidacy = gateway(1, generation=2).candidacy(opening)
        older = GATEWAYS[0].decree(opening)
        proposal = dataclasses.replace(PROPOSALS[0], candidacy=candidacy, decree=older)
        with pytest.raises(Forged, match="succession-decree"):
            accept(unfenced(opening), proposal, lambda _length: start_of(opening).head)

    @given(st.lists(st.one_of(st.sampled_from(CANDIDACIES), st.sampled_from(PROPOSALS)), max_size=12))
    def test_ballots_only_rise_and_what_was_accepted_is_never_lost(self, messages: list[object]) -> None:
        state = STATE
        for message in messages:
            try:
                after = (
                    promise(state, message) if message in CANDIDACIES else accept(state, message, head_at)  # type: ignore[arg-type]
                )
            except (Refused, Unavailable):
                continue
            assert after.promised is not None
            assert state.promised is None or after.promised >= state.promised
            if state.accepted is not None:
                assert after.accepted is not None
                assert after.accepted.ballot >= state.accepted.ballot
            assert after.accepted is None or after.accepted.ballot <= after.promised
            state = after


class TestLearn:
    SUCCESSION = succession_of(OPENING, PROPOSALS[0])

    def test_the_epoch_is_over_whatever_was_promised(self) -> None:
        for state in (STATE, promise(STATE, CANDIDACIES[-1]), accept(STATE, PROPOSALS[-3], head_at)):
            ended = learn(state, self.SUCCESSION)
            assert ended.is_fenced
            for refused in (
                lambda ended=ended: check_append(ended, None),
                lambda ended=ended: check_append(ended, ended.promised),
                lambda ended=ended: promise(ended, CANDIDACIES[-1]),
                lambda ended=ended: accept(ended, PROPOSALS[-3], head_at),
            ):
                with pytest.raises(Refused, match="journal-ended") as refusal:
                    refused()
                assert refusal.value.parameters["successor"] == opening_hash(self.SUCCESSION.decree)

    def test_to_hear_it_again_changes_nothing(self) -> None:
        ended = learn(STATE, self.SUCCESSION)
        again = succession_of(OPENING, PROPOSALS[0], (2, 3, 4, 5))
        assert again != self.SUCCESSION
        assert learn(ended, again) is ended

    def test_another_decree_or_epoch_is_not_believed(self) -> None:
        ended = learn(STATE, self.SUCCESSION)
        with pytest.raises(Forged, match="succession-decree"):
            learn(ended, succession_of(OPENING, PROPOSALS[9]))
        with pytest.raises(Forged, match="succession-decree"):
            learn(AcceptorState(OPENING.namespace, 1, Digest(some("other")), 1), self.SUCCESSION)


class TestPrepareAndOpen:
    DECREE = PROPOSALS[0].decree
    SUCCESSION = succession_of(OPENING, PROPOSALS[0])

    def test_the_gateway_itself_prepares_its_opening_at_a_holder(self) -> None:
        gateway_node = self.DECREE.certificate.node
        check_prepare(self.DECREE, me=HOLDERS[0], sender=gateway_node)
        with pytest.raises(Refused, match="journal-not-gateway"):
            check_prepare(self.DECREE, me=HOLDERS[0], sender=HOLDERS[1])
        with pytest.raises(Refused, match="journal-not-holder"):
            check_prepare(self.DECREE, me=NodeId(some("elsewhere")), sender=gateway_node)

    def test_what_was_prepared_and_decided_opens(self) -> None:
        check_open(self.DECREE, self.SUCCESSION, {opening_hash(self.DECREE)})
        check_open(OPENING, None, {opening_hash(OPENING)})

    def test_what_is_not_decided_does_not(self) -> None:
        other = GATEWAYS[1].decree(OPENING)
        for opening, succession in ((self.DECREE, None), (other, self.SUCCESSION)):
            with pytest.raises(Forged, match="succession-decree"):
                check_open(opening, succession, {opening_hash(opening)})

    def test_what_was_forgotten_never_does(self) -> None:
        with pytest.raises(Missing, match="journal-epoch"):
            check_open(self.DECREE, self.SUCCESSION, set())
