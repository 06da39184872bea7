"""When a candidate has heard enough, what it must then propose, and when that is decided."""

from __future__ import annotations

import dataclasses
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Forged, Unavailable
from protocol.ids import Digest, NodeId
from protocol.namespace.journal import Tip, start_of
from protocol.succession.proposer import (
    Promise,
    check_promise,
    counted,
    decided,
    forced_decree,
    unprepared,
)
from protocol.succession.succession import sign_acceptance, verify_succession
from tests.support.namespaces import some
from tests.support.successions import HOLDER_KEYS, HOLDERS, gateway

GATEWAYS = tuple(gateway(number) for number in range(3))
OPENING = GATEWAYS[0].opening()
START = start_of(OPENING)
CANDIDACY = GATEWAYS[2].candidacy(OPENING, 5)
PROPOSALS = tuple(GATEWAYS[number].proposal(OPENING, number + 1) for number in range(3))


BY_HOLDER = attrgetter("holder")


def everything(_tip: Tip) -> bool:
    return True


def promises(*accepted: int | None) -> tuple[Promise, ...]:
    """Of the holders in order: None, or the number of the proposal that it accepted."""
    return tuple(
        Promise(HOLDERS[index], START, None if number is None else PROPOSALS[number])
        for index, number in enumerate(accepted)
    )


class TestPromises:
    def test_of_r_less_losses_holders_are_enough(self) -> None:
        assert forced_decree(OPENING, promises(None, None, None, None)) is None
        with pytest.raises(Unavailable, match="succession-promises") as error:
            forced_decree(OPENING, promises(None, None, None))
        assert error.value.parameters == {"found": 3, "needed": 4}

    def test_a_holder_counts_once(self) -> None:
        with pytest.raises(Unavailable, match="succession-promises"):
            forced_decree(OPENING, counted(OPENING, [*promises(None, None, None), *promises(None)], everything))

    def test_the_decree_of_the_highest_ballot_is_forced(self) -> None:
        assert forced_decree(OPENING, promises(0, 2, 1, None)) == PROPOSALS[2].decree
        assert forced_decree(OPENING, promises(None, 0, None, None)) == PROPOSALS[0].decree

    @given(st.permutations([0, 1, None, None]))
    def test_whoever_shows_it(self, accepted: list[int | None]) -> None:
        assert forced_decree(OPENING, promises(*accepted)) == PROPOSALS[1].decree

    def test_of_those_that_claim_entries_nobody_shows_as_many_count_as_may_lie(self) -> None:
        claims = [Promise(holder, Tip(2, Digest(some("head"))), None) for holder in HOLDERS[:2]]
        honest = Promise(HOLDERS[2], START, None)
        assert counted(OPENING, [*claims, honest], lambda tip: tip == START) == (honest, min(claims, key=BY_HOLDER))
        assert len(counted(OPENING, [*claims, honest], everything)) == 3
        without_liars = GATEWAYS[0].opening(holders=HOLDERS[:3])
        assert counted(without_liars, [*claims, honest], lambda tip: tip == START) == (honest,)

    def test_a_decree_without_its_history_is_not_believed(self) -> None:
        end = Tip(1, Digest(some("head")))
        shows = Promise(HOLDERS[0], START, GATEWAYS[0].proposal(OPENING, 1, end))
        doubtful = (dataclasses.replace(shows, accepted=None),)
        assert counted(OPENING, [shows], lambda tip: tip == START) == doubtful
        assert counted(OPENING, [shows], lambda tip: tip in (START, end)) == (shows,)

    def test_what_no_honest_holder_says_is_refused(self) -> None:
        higher = Promise(HOLDERS[0], START, GATEWAYS[0].proposal(OPENING, 6))
        stranger = Promise(NodeId(some("stranger")), START, None)
        other = GATEWAYS[0].opening(attempt=1)
        elsewhere = Promise(HOLDERS[0], START, GATEWAYS[0].proposal(other))
        for promise in (higher, stranger, elsewhere):
            with pytest.raises(Forged, match="succession-promise"):
                check_promise(OPENING, CANDIDACY, promise)
        for promise in promises(None, 0, 1, 2):
            check_promise(OPENING, CANDIDACY, promise)


class TestDecision:
    SIGNATURES = {  # noqa: RUF012
        holder: sign_acceptance(key, PROPOSALS[0]) for holder, key in zip(HOLDERS, HOLDER_KEYS, strict=True)
    }

    def test_all_next_holders_must_keep_the_opening_before(self) -> None:
        decree = PROPOSALS[0].decree
        assert not unprepared(decree, decree.holders)
        assert unprepared(decree, [*decree.holders[:-1], NodeId(some("another"))]) == {decree.holders[-1]}

    @given(st.sets(st.sampled_from(HOLDERS)))
    def test_w_acceptances_decide(self, holders: set[NodeId]) -> None:
        succession = decided(OPENING, PROPOSALS[0], {holder: self.SIGNATURES[holder] for holder in holders})
        assert (succession is not None) == (len(holders) >= OPENING.w)
        if succession is not None:
            verify_succession(succession)

    def test_those_of_strangers_do_not(self) -> None:
        signatures = dict(list(self.SIGNATURES.items())[:3]) | {NodeId(some("stranger")): bytes(64)}
        assert decided(OPENING, PROPOSALS[0], signatures) is None

    def test_a_quorum_of_promises_and_one_of_acceptances_always_meet(self) -> None:
        needed = len(OPENING.holders) - OPENING.losses
        assert needed + OPENING.w - len(OPENING.holders) > OPENING.liars
