"""The rule of a holder: what it may promise, accept and append, given what it promised and accepted before.

A holder keeps, for each epoch, the highest ballot it promised to follow, the last proposal it accepted, and the
decided succession once it has heard of it. Each function here returns the state that follows; the holder makes it
durable before it answers. Once a ballot is promised, nothing of a lower one is accepted and the writer's own appends
are refused: what the promise told the candidate about this copy thus stays true until the candidate has decided.

The functions take messages that are verified already; that nobody can forge one is not checked again here. A holder
that lost its state must not answer at all for this epoch: an acceptor that starts again from nothing would undo
promises on which others built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from protocol.errors import Forged, Refused, Unavailable
from protocol.ids import Digest, NamespaceId
from protocol.namespace.journal import Epoch, Opening, opening_hash
from protocol.namespace.root import Generation
from protocol.succession.ballot import Ballot, Candidacy
from protocol.succession.proposal import Proposal
from protocol.succession.succession import Succession

# The hash that a copy has at this length (of the entry before; at 0 of the opening), or None when it is shorter.
HeadAt = Callable[[int], Digest | None]


@dataclass(frozen=True, slots=True)
class AcceptorState:
    """What a holder remembers of one epoch's end. `opening` is the hash of the epoch's opening."""

    namespace: NamespaceId
    epoch: Epoch
    opening: Digest
    generation: Generation
    promised: Ballot | None = None
    accepted: Proposal | None = None
    successor: Succession | None = None

    @property
    def is_fenced(self) -> bool:
        """The epoch's own writer may append no more, and must not count this holder's answers."""
        return self.promised is not None or self.successor is not None


def unfenced(opening: Opening) -> AcceptorState:
    """The state of a holder that has just begun to hold the epoch."""
    return AcceptorState(opening.namespace, opening.epoch, opening_hash(opening), opening.generation)


def promise(state: AcceptorState, candidacy: Candidacy) -> AcceptorState:
    """Follow the candidacy's ballot from now on. To repeat a promise is harmless.

    Raises:
        Refused: `journal-ended`; `journal-promised` when a higher ballot has the promise; `journal-generation` when
            the candidate's certificate is older than the epoch's.
        Forged: `succession-decree` when the candidacy is for another opening.
    """
    _check_open(state)
    _check_candidacy(state, candidacy)
    return replace(state, promised=candidacy.ballot)


def accept(state: AcceptorState, proposal: Proposal, head_at: HeadAt) -> AcceptorState:
    """Accept the proposal, if this copy has the epoch as far as the decree keeps it.

    Raises:
        Refused, Forged: as `promise`; Forged(`journal-fork`) when the copy has another entry at the decree's end.
        Unavailable: `journal-behind`, when it is shorter; the candidate then sends what is missing.
    """
    _check_open(state)
    _check_candidacy(state, proposal.candidacy)
    ending, decree = proposal.ending, proposal.decree
    if ending.opening != state.opening or decree.generation < state.generation:
        raise Forged("succession-decree", namespace=state.namespace, epoch=state.epoch)
    head = head_at(ending.length)
    if head is None:
        raise Unavailable("journal-behind", length=ending.length)
    if head != ending.head:
        raise Forged("journal-fork", namespace=state.namespace, epoch=state.epoch, position=ending.length)
    return replace(state, promised=proposal.ballot, accepted=proposal)


def learn(state: AcceptorState, succession: Succession) -> AcceptorState:
    """The epoch ended. To hear it again, with other acceptances, changes nothing.

    Raises:
        Forged: `succession-decree` when it is about another opening, or another decree than was decided.
    """
    if opening_hash(succession.predecessor) != state.opening:
        raise Forged("succession-decree", namespace=state.namespace, epoch=state.epoch)
    if state.successor is None:
        return replace(state, successor=succession)
    if opening_hash(succession.decree) != opening_hash(state.successor.decree):
        raise Forged("succession-decree", namespace=state.namespace, epoch=state.epoch)
    return state


def check_append(state: AcceptorState, under: Ballot | None) -> None:
    """Return if entries may be appended: by the writer (`under` is None), or by the candidate that has the promise.

    Raises:
        Refused: `journal-ended`, `journal-promised`.
    """
    _check_open(state)
    if under != state.promised:
        raise _promised(state)


def _check_open(state: AcceptorState) -> None:
    if state.successor is not None:
        decree = state.successor.decree
        raise Refused(
            "journal-ended",
            namespace=state.namespace,
            epoch=state.epoch,
            successor=opening_hash(decree),
            writer=decree.certificate.writer,
            node=decree.certificate.node,
        )


def _check_candidacy(state: AcceptorState, candidacy: Candidacy) -> None:
    if candidacy.opening != state.opening:
        raise Forged("succession-decree", namespace=state.namespace, epoch=state.epoch)
    if candidacy.certificate.generation < state.generation:
        raise Refused("journal-generation", namespace=state.namespace, generation=state.generation)
    if state.promised is not None and candidacy.ballot < state.promised:
        raise _promised(state)


def _promised(state: AcceptorState) -> Refused:
    promised = state.promised
    return Refused(
        "journal-promised",
        namespace=state.namespace,
        epoch=state.epoch,
        counter=promised.counter if promised else 0,
        generation=promised.generation if promised else 0,
        writer=promised.writer if promised else bytes(32),
    )
