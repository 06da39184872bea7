"""Everything that can happen at the end of an epoch, within bounds, and what must never come of it.

The rules are the program's own; what is modelled is the world around them.

- Messages are a set that only grows: what was sent may be delivered at any time, any number of times, in any order,
  or never.
- The liar, of whom there is at most one, has no state: at any time it says whatever it can say without forging a
  signature. So it acknowledges every entry, signs every proposal, and answers a candidate with any history and any
  proposal that exist, or with none. A holder that was set back to yesterday's disk is such a liar.
- A holder that lost its disk and keeps silent differs in nothing from one that no message reaches. So what is tried
  is whether it can begin again; and that the history is on more disks than may be lost.
- A holder that no candidate has reached yet takes entries from the writer. How many it has by then is settled when
  one reaches it, as nobody can tell before; the writer may count all of them as acknowledged.
- A candidate is one ballot. It proposes once, after any set of answers that its rules let it go by. Whether three
  ballots are of three gateways, or attempts of one gateway that forgot the others, makes no difference to holders.

Holders are tuples of small numbers, and all of them together are sorted: which holder is which does not matter. The
rules are asked once for each state of a holder and each message; all else is looking up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import NamedTuple

from protocol.errors import MaillonError
from protocol.ids import Digest
from protocol.namespace.quorums import JournalQuorum
from protocol.succession.acceptor import AcceptorState, unfenced
from tests.support.succession_model.cast import NOTHING, Accepted, Answer, Cast
from tests.support.succession_model.rules import Rules

Named = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large the explored world is. Every quorum that bears liars has one.

    `absent` holders are away from the beginning to the end; `disks_lost` of the others may lose what they have.
    """

    quorum: JournalQuorum
    ballots: int
    entries: int
    disks_lost: int
    absent: int = 0


class Holder(NamedTuple):
    """An honest holder that is fenced, and what it said that may still be under way.

    `acked` entries were acknowledged to the writer; bit b of `signed`: ballot b's proposal was accepted. While
    `is_free`, it takes entries from the writer.
    """

    is_free: bool
    has_begun_again: bool
    length: int
    promised: int
    accepted: Accepted
    acked: int
    signed: int
    answers: tuple[Answer | None, ...]


class State(NamedTuple):
    """The honest holders by number, sorted, and the decree that each ballot proposed (0: none yet)."""

    holders: tuple[int, ...]
    proposed: tuple[int, ...]


class Step(NamedTuple):
    """What happened, and what came of it."""

    said: str
    after: State


class Model:
    """The steps from any state, and what must be true in every state."""

    def __init__(self, bounds: Bounds, rules: Rules | None = None) -> None:
        self.bounds = bounds
        self.rules = rules or Rules()
        self.cast = Cast(bounds.quorum, ballots=bounds.ballots, entries=bounds.entries)
        self.liars = min(bounds.quorum.liars, 1)
        self._holders: list[Holder] = []
        self._numbers: dict[Holder, int] = {}
        self._alone = cache(self._find_alone)
        self._proposed_to = cache(self._find_proposed_to)
        self._choices = cache(self._find_choices)
        self._simpler = cache(self._find_simpler)

    def start(self) -> State:
        """All holders have begun to hold the epoch, and nothing else happened."""
        ballots = self.bounds.ballots
        blank = self._number(Holder(True, False, 0, 0, NOTHING, 0, 0, (None,) * ballots))
        return State((blank,) * (self.bounds.quorum.r - self.liars - self.bounds.absent), (0,) * ballots)

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that can happen next."""
        holders, proposed = state
        may_lose = sum(self._holders[one].has_begun_again for one in holders) < self.bounds.disks_lost
        sent = [Accepted(ballot, decree) for ballot, decree in enumerate(proposed, start=1) if decree]
        for place, number in enumerate(holders):
            if not place or holders[place - 1] != number:
                rest = holders[:place] + holders[place + 1 :]
                named = [
                    *self._alone(number, may_lose),
                    *(one for it in sent for one in self._proposed_to(number, it)),
                ]
                for said, after in named:
                    yield Step(said, self._state_of((*rest, after), proposed))
        for ballot, decree in enumerate(proposed, start=1):
            if not decree:
                yield from self._proposals(state, ballot)

    def wrong(self, state: State) -> str | None:
        """What must never be; None when all is well."""
        opening, holders = self.cast.opening, [self._holders[number] for number in state.holders]
        decided = {
            decree
            for ballot, decree in enumerate(state.proposed, start=1)
            if decree
            and self.rules.decides(opening, self.liars + sum(holder.signed >> ballot & 1 for holder in holders))
        }
        if len(decided) > 1:
            return "two decrees are decided"
        for end in map(self.cast.end_of, decided):
            late = self.liars + sum(holder.is_free or holder.acked > end for holder in holders)
            if end < self.bounds.entries and self.rules.acknowledges(opening, late):
                return "an acknowledged entry is not in the history"
            if sum(holder.length >= end for holder in holders) <= self.bounds.disks_lost:
                return "nobody can show the history that was decided"
        return None

    # One holder

    def _find_alone(self, number: int, may_lose: bool) -> Named:
        """What can happen at a holder while nothing is proposed."""
        found = [("a holder loses its disk and begins again", self._begun_again(self._holders[number]))] * may_lose
        for holder in self._with_entries(self._holders[number]):
            found.append(("a holder restarts", self._restarted(holder)))
            for ballot in range(1, self.bounds.ballots + 1):
                said = f"a holder with {holder.length} entries promises ballot {ballot}"
                found.append((said, self._promised(holder, ballot)))
        if not self._holders[number].is_free:
            found.append(("a fenced holder takes the writer's next entry", self._appended(self._holders[number])))
        return self._named(number, found)

    def _find_proposed_to(self, number: int, it: Accepted) -> Named:
        """What can happen at a holder that this proposal was sent to."""
        found = [(f"a holder is completed under ballot {it.ballot}", self._completed(self._holders[number], it))]
        for holder in self._with_entries(self._holders[number]):
            said = f"a holder with {holder.length} entries accepts under ballot {it.ballot}"
            found.append((said, self._signed(holder, it)))
        return self._named(number, found)

    def _named(self, number: int, found: list[tuple[str, Holder | None]]) -> Named:
        named = {self._number(after): said for said, after in found if after is not None}
        return [(said, after) for after, said in named.items() if after != number]

    def _with_entries(self, holder: Holder) -> Iterator[Holder]:
        """The holder as it may be by now, having taken entries from the writer while it was free."""
        yield holder
        while holder.is_free and (after := self._appended(holder)) is not None:
            holder = after
            yield holder

    def _appended(self, holder: Holder) -> Holder | None:
        """The holder with the writer's next entry, if it takes it."""
        if holder.length == self.bounds.entries:
            return None
        try:
            self.rules.check_append(self._state(holder), None)
        except MaillonError:
            return None
        length = self.cast.length_after(holder.length)
        return holder._replace(length=length, acked=max(holder.acked, length))

    def _completed(self, holder: Holder, it: Accepted) -> Holder | None:
        end = self.cast.end_of(it.decree)
        if holder.length >= end:
            return None
        try:
            self.rules.check_append(self._state(holder), self.cast.candidacies[it.ballot - 1].ballot)
        except MaillonError:
            return None
        return holder._replace(length=end, acked=self.rules.counts(holder.acked, end))

    def _promised(self, holder: Holder, ballot: int) -> Holder | None:
        try:
            state = self.rules.promise(self._state(holder), self.cast.candidacies[ballot - 1])
        except MaillonError:
            return None
        told = self.rules.told(self.cast.tips[holder.length], state)
        answers = list(holder.answers)
        answers[ballot - 1] = Answer(told.tip.length, self.cast.accepted(told.accepted))
        return self._with(holder, state)._replace(answers=tuple(answers))

    def _signed(self, holder: Holder, it: Accepted) -> Holder | None:
        def head_at(length: int) -> Digest | None:
            return self.cast.tips[length].head if length <= holder.length else None

        try:
            state = self.rules.accept(self._state(holder), self.cast.proposals[it], head_at)
        except MaillonError:
            return None
        return self._with(holder, state)._replace(signed=holder.signed | 1 << it.ballot)

    def _restarted(self, holder: Holder) -> Holder | None:
        before = (self._state(holder), holder.length)
        state, length = self.rules.restart(*before)
        return None if (state, length) == before else self._with(holder, state)._replace(length=length)

    def _begun_again(self, holder: Holder) -> Holder | None:
        try:
            self.rules.check_open(self.cast.opening, None, ())
        except MaillonError:
            return None
        return holder._replace(is_free=True, has_begun_again=True, length=0, promised=0, accepted=NOTHING)

    def _state(self, holder: Holder) -> AcceptorState:
        promised = self.cast.candidacies[holder.promised - 1].ballot if holder.promised else None
        accepted = self.cast.proposals.get(holder.accepted)
        return replace(unfenced(self.cast.opening), promised=promised, accepted=accepted)

    def _with(self, holder: Holder, state: AcceptorState) -> Holder:
        promised, accepted = self.cast.promised(state), self.cast.accepted(state.accepted)
        return holder._replace(is_free=not promised, promised=promised, accepted=accepted)

    def _number(self, holder: Holder) -> int:
        number = self._numbers.setdefault(holder, len(self._holders))
        if number == len(self._holders):
            self._holders.append(holder)
        return number

    # A candidate's choice

    def _proposals(self, state: State, ballot: int) -> Iterator[Step]:
        """A candidate proposes; what it did not hear by then, it never hears."""
        holders, proposed = state
        answers = [self._holders[number].answers[ballot - 1] for number in holders]
        heard = tuple(sorted(Counter(one for one in answers if one is not None).items()))
        chosen = self._choices(ballot, heard, proposed[: ballot - 1])
        for decree in sorted(chosen):
            whose, end = self.cast.owner_of(decree), self.cast.end_of(decree)
            said = f"under ballot {ballot}, candidate {whose}'s decree to keep {end} entries is proposed"
            yield Step(said, self._state_of(holders, (*proposed[: ballot - 1], decree, *proposed[ballot:])))

    def _find_choices(self, ballot: int, heard: tuple[tuple[Answer, int], ...], lower: tuple[int, ...]) -> set[int]:
        """The decrees that the candidate may propose, after any of the answers under way to it."""
        needed = self.bounds.quorum.r - self.bounds.quorum.losses
        chosen = set()
        for counts in product(*(range(count + 1) for _, count in heard)):
            honest = [one for (one, _), count in zip(heard, counts, strict=True) for _ in range(count)]
            if len(honest) <= needed:
                chosen.add(self.cast.choose(self.rules, ballot, honest))
            if len(honest) < needed and self.liars:
                chosen |= {self.cast.choose(self.rules, ballot, [*honest, lie]) for lie in self._lies(lower)}
        return chosen - {0}

    def _lies(self, lower: tuple[int, ...]) -> Iterator[Answer]:
        """What a liar can show: any history that was signed; any proposal under a lower ballot, or none."""
        for length in range(self.bounds.entries + 1):
            yield Answer(length, NOTHING)
        for ballot, decree in enumerate(lower, start=1):
            if decree:
                yield Answer(self.bounds.entries, Accepted(ballot, decree))

    # What matters no more

    def _state_of(self, holders: tuple[int, ...], proposed: tuple[int, ...]) -> State:
        silent = tuple(bool(decree) for decree in proposed)
        return State(tuple(sorted(self._simpler(number, silent) for number in holders)), proposed)

    def _find_simpler(self, number: int, silent: tuple[bool, ...]) -> int:
        """The holder without what can have no effect: answers to candidates that proposed, or that none will hear."""
        holder = self._holders[number]
        answers = tuple(
            None if is_silent else answer for answer, is_silent in zip(holder.answers, silent, strict=True)
        )
        accepted = NOTHING if all(silent[max(holder.promised, 1) - 1 :]) else holder.accepted
        return self._number(holder._replace(answers=answers, accepted=accepted))
