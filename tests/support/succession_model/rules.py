"""The rules that the model runs: the program's own, each replaceable by a mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from protocol.namespace.adoption import Adoption, Tail, adopt
from protocol.namespace.journal import Opening, Tip
from protocol.succession.acceptor import AcceptorState, HeadAt, accept, check_append, promise
from protocol.succession.ballot import Ballot, Candidacy
from protocol.succession.preparing import check_open
from protocol.succession.proposal import Proposal
from protocol.succession.proposer import Promise, check_promise, counted, forced_decree
from tests.support.successions import HOLDERS


def told(tip: Tip, state: AcceptorState) -> Promise:
    """What a holder answers to the candidate that it has promised to follow."""
    return Promise(HOLDERS[0], tip, state.accepted)


def restart(state: AcceptorState, length: int) -> tuple[AcceptorState, int]:
    """What a holder still knows after a crash, of its state and of its entries: everything."""
    return state, length


def is_enough(opening: Opening, count: int) -> bool:
    """Whether so many answers acknowledge an entry, or so many acceptances decide."""
    return count >= opening.w


def acked_only(acked: int, _length: int) -> int:
    """What the writer counts of a holder that a candidate completed: what it acknowledged before it was fenced."""
    return acked


@dataclass(frozen=True, slots=True)
class Rules:
    """One function for each rule; the last five stand for what the program's stores and drivers do."""

    promise: Callable[[AcceptorState, Candidacy], AcceptorState] = promise
    accept: Callable[[AcceptorState, Proposal, HeadAt], AcceptorState] = accept
    check_append: Callable[[AcceptorState, Ballot | None], None] = check_append
    check_open: Callable[..., None] = check_open
    check_promise: Callable[[Opening, Candidacy, Promise], None] = check_promise
    counted: Callable[..., tuple[Promise, ...]] = counted
    forced_decree: Callable[[Opening, tuple[Promise, ...]], Opening | None] = forced_decree
    adopt: Callable[[Opening, Tip, Iterable[Tail]], Adoption] = adopt
    told: Callable[[Tip, AcceptorState], Promise] = told
    restart: Callable[[AcceptorState, int], tuple[AcceptorState, int]] = restart
    counts: Callable[[int, int], int] = acked_only
    acknowledges: Callable[[Opening, int], bool] = is_enough
    decides: Callable[[Opening, int], bool] = is_enough
