"""The rule of a candidate: whom it must have heard, what it must propose, and when that is decided.

A candidate that has promises of r - losses holders knows two things, because any w holders share an honest one with
them: every entry that was acknowledged is shown by one of them, and so is every decree that may have been decided
already. In the second case it may only propose that decree again, the one under the highest ballot; otherwise it is
free, and proposes its own, which ends the epoch with all that was shown.

A holder must show what it claims: the entries up to its tip, and up to the end of what it accepted, must be known,
from it or from others. One that claims an entry that nobody can show may be the only honest one that has it, so no
more of those are counted than may lie; and a decree without its history is not believed, or whoever shows it could
hold up every candidate after this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from protocol.errors import Forged, Unavailable
from protocol.ids import NodeId
from protocol.namespace.journal import Opening, Tip
from protocol.succession.ballot import Candidacy
from protocol.succession.proposal import Proposal
from protocol.succession.succession import Succession, join_acceptances

# Whether the candidate has read validly chained entries up to this tip.
Knows = Callable[[Tip], bool]


@dataclass(frozen=True, slots=True)
class Promise:
    """What one holder answered to a candidacy: how far its copy goes, and what it accepted last."""

    holder: NodeId
    tip: Tip
    accepted: Proposal | None


def check_promise(opening: Opening, candidacy: Candidacy, promise: Promise) -> None:
    """Return if the promise is one that an honest holder of the epoch can give to this candidacy.

    Raises:
        Forged: `succession-promise` when it comes from elsewhere, or shows a proposal for another opening or under a
            higher ballot.
    """
    accepted = promise.accepted
    # Under the candidate's own ballot stands its own proposal, when it asks again.
    fits = accepted is None or (
        accepted.candidacy.opening == candidacy.opening and accepted.ballot <= candidacy.ballot
    )
    if promise.holder not in opening.holders or not fits:
        raise Forged("succession-promise", namespace=opening.namespace, epoch=opening.epoch, node=promise.holder)


def counted(opening: Opening, promises: Iterable[Promise], knows: Knows) -> tuple[Promise, ...]:
    """The promises that count, one of each holder: of those that show less than they claim, as many as may lie."""
    honest, lying = [], []
    for _, promise in sorted({promise.holder: promise for promise in promises}.items()):
        is_history_known = promise.accepted is None or knows(_end_of(promise.accepted))
        if knows(promise.tip) and is_history_known:
            honest.append(promise)
        else:
            lying.append(promise if is_history_known else replace(promise, accepted=None))
    return (*honest, *lying[: opening.liars])


def forced_decree(opening: Opening, promises: Collection[Promise]) -> Opening | None:
    """The decree that must be proposed, or None when the candidate is free to propose its own.

    `promises` are those that are `counted`.

    Raises:
        Unavailable: `succession-promises` when fewer than r - losses holders promised.
    """
    needed = len(opening.holders) - opening.losses
    found = len({promise.holder for promise in promises})
    if found < needed:
        raise Unavailable("succession-promises", found=found, needed=needed)
    shown = [promise.accepted for promise in promises if promise.accepted is not None]
    return max(shown, key=lambda proposal: proposal.ballot).decree if shown else None


def unprepared(decree: Opening, prepared: Collection[NodeId]) -> frozenset[NodeId]:
    """The holders of a candidate's own decree that do not keep it yet; it may be proposed when there are none.

    Only then does it mean, later, that a holder lost its copy when it does not know the opening.
    """
    return frozenset(decree.holders) - frozenset(prepared)


def decided(opening: Opening, proposal: Proposal, signatures: Mapping[NodeId, bytes]) -> Succession | None:
    """The proof, once w of the epoch's holders accepted; `signatures` are checked already."""
    of_holders = {holder: signature for holder, signature in signatures.items() if holder in opening.holders}
    return join_acceptances(opening, proposal, of_holders) if len(of_holders) >= opening.w else None


def _end_of(proposal: Proposal) -> Tip:
    return Tip(proposal.ending.length, proposal.ending.head)
