"""Whatever happens, there is one history: all that can happen to an epoch's end is tried, within bounds.

The bounds are stated by `COMPLETE`, and `LARGE` for `make chaos`: of worlds of that size, *every* state is visited.
Three ballots and two entries at six holders who are all there have too many for that; there the nearest states are
visited, and walks at random go far beyond (`BEYOND`).

That the search would find a mistake is shown by making it: each of `MISTAKES` breaks one rule, and is found. Epochs
are tried one at a time: the holders of the next one begin with nothing but its opening, so that what holds of one
holds of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from protocol.namespace.adoption import Adoption, Tail, adopt
from protocol.namespace.journal import Opening, Tip
from protocol.namespace.quorums import quorum_for
from protocol.succession.acceptor import AcceptorState, HeadAt, accept
from protocol.succession.ballot import Ballot, Candidacy
from protocol.succession.proposal import Proposal
from protocol.succession.proposer import Promise, forced_decree
from tests.support.succession_model.model import Bounds, Model
from tests.support.succession_model.rules import Rules
from tests.support.succession_model.search import explore, walk
from tests.support.successions import HOLDERS

TWO, THREE, FOUR, SIX = quorum_for(0, 1), quorum_for(1, 0), quorum_for(1, 1), quorum_for(2, 1)
COMPLETE = {
    "2 holders, one of them lies: 3 ballots, 2 entries": Bounds(TWO, ballots=3, entries=2, disks_lost=0),
    "3 holders: 2 ballots, 2 entries": Bounds(THREE, ballots=2, entries=2, disks_lost=1),
    "3 holders: 3 ballots, 1 entry": Bounds(THREE, ballots=3, entries=1, disks_lost=1),
    "4 holders, one of them lies: 2 ballots, 2 entries": Bounds(FOUR, ballots=2, entries=2, disks_lost=1),
    "4 holders, one of them lies: 3 ballots, 1 entry": Bounds(FOUR, ballots=3, entries=1, disks_lost=1),
    "6 holders, one of them lies: 2 ballots, 1 entry": Bounds(SIX, ballots=2, entries=1, disks_lost=2),
    "6 holders, one lies, two away: 3 ballots, 2 entries": Bounds(SIX, ballots=3, entries=2, disks_lost=0, absent=2),
    "6 holders, one lies, one is away: 2 ballots, 1 entry": Bounds(SIX, ballots=2, entries=1, disks_lost=1, absent=1),
}
LARGE = {
    "3 holders: 3 ballots, 2 entries": Bounds(THREE, ballots=3, entries=2, disks_lost=1),
    "6 holders, one lies, one away: 3 ballots, 1 entry": Bounds(SIX, ballots=3, entries=1, disks_lost=1, absent=1),
    "6 holders, one of them lies: 2 ballots, 2 entries": Bounds(SIX, ballots=2, entries=2, disks_lost=2),
    "6 holders, one lies, one away: 3 ballots, 2 entries": Bounds(SIX, ballots=3, entries=2, disks_lost=1, absent=1),
}
BEYOND = Bounds(SIX, ballots=3, entries=2, disks_lost=2)
# Where a broken rule shows: most of them between two ballots already.
NEAREST_FIRST = (
    Bounds(THREE, ballots=2, entries=1, disks_lost=1),
    Bounds(THREE, ballots=3, entries=1, disks_lost=1),
)


@pytest.mark.parametrize("bounds", COMPLETE.values(), ids=COMPLETE)
def test_there_is_one_history_in_every_state_of_a_small_world(bounds: Bounds) -> None:
    found = explore(Model(bounds))
    assert found.wrong is None, found
    assert found.states > 500


@pytest.mark.chaos
@pytest.mark.parametrize("bounds", LARGE.values(), ids=LARGE)
def test_and_in_every_state_of_one_that_takes_minutes(bounds: Bounds) -> None:
    found = explore(Model(bounds))
    assert found.wrong is None, found
    assert found.states > 100_000


def test_and_in_the_nearest_states_of_a_larger_one() -> None:
    found = explore(Model(BEYOND), states_most=30_000)
    assert found.wrong is None, found


def test_and_wherever_chance_leads() -> None:
    found = walk(Model(BEYOND), seed=1, walks=400, steps_most=80)
    assert found.wrong is None, found


# One rule broken at a time


def appends_unfenced(_state: AcceptorState, _under: Ballot | None) -> None:
    """A holder goes on taking the writer's entries after its promise."""


def promises_anything(state: AcceptorState, candidacy: Candidacy) -> AcceptorState:
    """A holder promises a ballot lower than the one it has promised."""
    return replace(state, promised=candidacy.ballot)


def accepts_below_its_promise(state: AcceptorState, proposal: Proposal, head_at: HeadAt) -> AcceptorState:
    """A holder accepts under a ballot lower than the one it has promised."""
    return accept(replace(state, promised=None), proposal, head_at)


def accepts_without_promising(state: AcceptorState, proposal: Proposal, head_at: HeadAt) -> AcceptorState:
    """An acceptance leaves the promise as it was."""
    return replace(accept(state, proposal, head_at), promised=state.promised)


def accepts_without_the_entries(state: AcceptorState, proposal: Proposal, _head_at: HeadAt) -> AcceptorState:
    """A holder accepts an end that its copy does not reach."""
    return accept(state, proposal, lambda _length: proposal.ending.head)


def tells_nothing_of_what_it_accepted(tip: Tip, state: AcceptorState) -> Promise:
    """A holder keeps to itself what it accepted before."""
    return Promise(HOLDERS[0], tip, None)


def begins_again(*_arguments: object) -> None:
    """A holder that lost its disk takes the epoch's opening once more."""


def forgets_its_promise(state: AcceptorState, length: int) -> tuple[AcceptorState, int]:
    """A promise is not durable before it is answered."""
    return replace(state, promised=None), length


def forgets_what_it_accepted(state: AcceptorState, length: int) -> tuple[AcceptorState, int]:
    """An acceptance is not durable before it is answered."""
    return replace(state, accepted=None), length


def forgets_its_last_entry(state: AcceptorState, length: int) -> tuple[AcceptorState, int]:
    """An entry is not durable before it is answered."""
    return state, max(0, length - 1)


def hurries(opening: Opening, promises: tuple[Promise, ...]) -> Opening | None:
    """A candidate goes by one promise too few."""
    return forced_decree(replace(opening, losses=opening.losses + 1), promises)


def insists(opening: Opening, promises: tuple[Promise, ...]) -> Opening | None:
    """A candidate proposes its own decree, whatever was accepted before."""
    forced_decree(opening, promises)
    return None


def takes_the_oldest(opening: Opening, promises: tuple[Promise, ...]) -> Opening | None:
    """A candidate proposes the decree of the lowest ballot."""
    forced_decree(opening, promises)
    shown = [promise.accepted for promise in promises if promise.accepted is not None]
    return min(shown, key=lambda proposal: proposal.ballot).decree if shown else None


def adopts_the_shortest(opening: Opening, base: Tip, tails: Iterable[Tail]) -> Adoption:
    """A candidate keeps what all holders show, instead of what any of them shows."""
    return adopt(opening, base, [min(tails, key=lambda tail: len(tail.entries))])


def counts_the_fenced(_acked: int, length: int) -> int:
    """The writer counts what a holder has that is fenced."""
    return length


def is_nearly_enough(opening: Opening, count: int) -> bool:
    """One holder fewer than w."""
    return count >= opening.w - 1


MISTAKES = {
    appends_unfenced: Rules(check_append=appends_unfenced),
    promises_anything: Rules(promise=promises_anything),
    accepts_below_its_promise: Rules(accept=accepts_below_its_promise),
    accepts_without_promising: Rules(accept=accepts_without_promising),
    accepts_without_the_entries: Rules(accept=accepts_without_the_entries),
    tells_nothing_of_what_it_accepted: Rules(told=tells_nothing_of_what_it_accepted),
    begins_again: Rules(check_open=begins_again),
    forgets_its_promise: Rules(restart=forgets_its_promise),
    forgets_what_it_accepted: Rules(restart=forgets_what_it_accepted),
    forgets_its_last_entry: Rules(restart=forgets_its_last_entry),
    hurries: Rules(forced_decree=hurries),
    insists: Rules(forced_decree=insists),
    takes_the_oldest: Rules(forced_decree=takes_the_oldest),
    adopts_the_shortest: Rules(adopt=adopts_the_shortest),
    counts_the_fenced: Rules(counts=counts_the_fenced),
    is_nearly_enough: Rules(decides=is_nearly_enough),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_broken_rule_is_found(mistake: Callable[..., object]) -> None:
    searches = (explore(Model(bounds, MISTAKES[mistake])) for bounds in NEAREST_FIRST)
    found = next((found for found in searches if found.wrong is not None), None)
    assert found is not None
    assert found.steps


def test_an_entry_is_not_acknowledged_by_one_holder_fewer_than_w() -> None:
    bounds = COMPLETE["6 holders, one of them lies: 2 ballots, 1 entry"]
    assert explore(Model(bounds, Rules(acknowledges=is_nearly_enough))).wrong is not None
