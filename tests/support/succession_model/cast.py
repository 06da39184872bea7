"""The signed things of the model's world, and the small numbers that stand for them.

Entries are numbered from 0, histories by their length, ballots from 1 in their order. Decrees are numbered from 1:
each candidate has one for each length at which it could end the epoch. In the place of any of them, 0 means none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from protocol.errors import MaillonError
from protocol.namespace.adoption import Tail
from protocol.namespace.journal import (
    check_entry,
    encode_entry,
    opening_hash,
    sign_entry,
    start_of,
    take,
)
from protocol.namespace.quorums import JournalQuorum
from protocol.succession.acceptor import AcceptorState
from protocol.succession.proposal import Proposal, sign_proposal
from protocol.succession.proposer import Promise
from tests.support.succession_model.rules import Rules
from tests.support.successions import HOLDERS, gateway


class Accepted(NamedTuple):
    """A proposal: its ballot and its decree."""

    ballot: int
    decree: int


NOTHING = Accepted(0, 0)


class Answer(NamedTuple):
    """What a holder that promised tells: how far its copy goes, and what it accepted."""

    length: int
    accepted: Accepted


class Cast:
    """One writer, `ballots` candidates, and all that they can sign."""

    def __init__(self, quorum: JournalQuorum, *, ballots: int, entries: int) -> None:
        self.writer = gateway(0)
        self.opening = self.writer.opening(holders=HOLDERS[: quorum.r], rule=quorum)
        self._write(entries)
        candidates = [gateway(1 + number) for number in range(ballots)]
        candidates.sort(key=lambda candidate: candidate.candidacy(self.opening).ballot)
        self.candidacies = [candidate.candidacy(self.opening) for candidate in candidates]
        self._ballots = {candidacy.ballot: number for number, candidacy in enumerate(self.candidacies, start=1)}
        self._openings = [candidate.decree(self.opening, tip) for candidate in candidates for tip in self.tips]
        self._decrees = {opening_hash(opening): number for number, opening in enumerate(self._openings, start=1)}
        self.proposals = {
            Accepted(ballot, decree): sign_proposal(candidate.writer, self.candidacies[ballot - 1], opening)
            for ballot, candidate in enumerate(candidates, start=1)
            for decree, opening in enumerate(self._openings, start=1)
            if self.owner_of(decree) <= ballot
        }

    def _write(self, entries: int) -> None:
        self.tips = [start_of(self.opening)]
        self.entries: list[bytes] = []
        for number in range(entries):
            entry = sign_entry(self.writer.writer, self.opening, self.tips[-1], bytes([number]), b"")
            self.tips.append(check_entry(self.opening, self.tips[-1], entry))
            self.entries.append(encode_entry(entry))

    def owner_of(self, decree: int) -> int:
        """The candidate whose opening it is."""
        return (decree - 1) // len(self.tips) + 1

    def end_of(self, decree: int) -> int:
        """How much of the epoch the decree keeps."""
        return (decree - 1) % len(self.tips)

    def length_after(self, length: int) -> int:
        """How far a copy of this length goes once it took the next entry."""
        return take(self.opening, self.tips[length], length, self.entries[length : length + 1]).tip.length

    def accepted(self, proposal: Proposal | None) -> Accepted:
        """The numbers of a proposal."""
        if proposal is None:
            return NOTHING
        return Accepted(self._ballots[proposal.ballot], self._decrees[opening_hash(proposal.decree)])

    def promised(self, state: AcceptorState) -> int:
        """The number of the ballot that the state promises."""
        return 0 if state.promised is None else self._ballots[state.promised]

    def choose(self, rules: Rules, ballot: int, answers: Iterable[Answer]) -> int:
        """The decree that the candidate proposes after these answers, or 0 if its rules do not let it propose."""
        candidacy = self.candidacies[ballot - 1]
        promises, tails = [], []
        for holder, (length, accepted) in zip(HOLDERS, answers, strict=False):
            promise = Promise(holder, self.tips[length], self.proposals.get(accepted))
            try:
                rules.check_promise(self.opening, candidacy, promise)
            except MaillonError:
                continue
            promises.append(promise)
            tails.append(Tail(holder, tuple(self.entries[:length])))
        known = {self.tips[shown] for tail in tails for shown in range(len(tail.entries) + 1)}
        try:
            forced = rules.forced_decree(self.opening, rules.counted(self.opening, promises, known.__contains__))
        except MaillonError:
            return 0
        if forced is not None:
            return self._decrees[opening_hash(forced)]
        end = rules.adopt(self.opening, self.tips[0], tails).tip.length
        return (ballot - 1) * len(self.tips) + end + 1
