"""The chain of decisions as a node knows it, and what is before the members now.

It answers three questions for the view: at which link a certificate or ballot belongs, which round is open, and how
the motions of that round stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.errors import Missing, Refused
from protocol.ids import Digest, FederationId, OrganisationId
from protocol.limits import BALLOT_ROUNDS_MAX
from protocol.members.charter import Charter
from protocol.members.governance import (
    Ballot,
    Chain,
    Motion,
    Proposal,
    Stage,
    Tally,
    check_elector,
    decision_digest,
    first_link,
    next_link,
    tally,
)
from protocol.members.lineage import Lineage


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """A motion of the open round. `decision` names it; `against` voted for another motion or for none."""

    decision: Digest
    motion: Motion
    proposers: tuple[OrganisationId, ...]
    in_favour: tuple[OrganisationId, ...]
    against: tuple[OrganisationId, ...]
    electorate: tuple[OrganisationId, ...]
    quorum: int


class Assembly:
    """All links, the charter's first. Empty until the charter is known."""

    def __init__(self) -> None:
        self._links: list[Chain] = []
        self._places: dict[Digest, int] = {}

    @property
    def founded(self) -> bool:
        return bool(self._links)

    @property
    def current(self) -> Chain:
        """Raises Missing(`charter-unknown`) before the charter came."""
        if not self._links:
            raise Missing("charter-unknown")
        return self._links[-1]

    def found(self, charter: Charter, federation: FederationId) -> None:
        self._append(first_link(charter, federation))

    def advance(self, link: Chain) -> None:
        """`link` is the next one after the current."""
        self._append(link)

    def _append(self, link: Chain) -> None:
        self._places[link.after] = len(self._links)
        self._links.append(link)

    def at(self, after: Digest) -> Chain:
        """The link that this decision left. Raises Refused(`record-early`) when it is not known yet."""
        place = self._places.get(after)
        if place is None:
            raise Refused("record-early", after=after)
        return self._links[place]

    def successor(self, link: Chain) -> Chain | None:
        """What was decided next; None at the end of the chain."""
        place = self._places[link.after] + 1
        return self._links[place] if place < len(self._links) else None

    def admitted_ever(self) -> set[OrganisationId]:
        return {member.organisation for link in self._links for member in link.members}

    def lineages_ever(self) -> set[Lineage]:
        """All that admissions showed."""
        return {member.admission.lineage for link in self._links for member in link.members}

    def check_motion(self, said: Ballot | Proposal, ballots: Sequence[Ballot]) -> None:
        """Return if the organisation may say this now, `ballots` being all of the current position.

        Raises:
            Refused: `record-stranger`, `ballot-key-replaced`, `decision-impossible`, or `record-early` for a round
                that is not open yet.
        """
        check_elector(self.current, said.lineage)
        next_link(self.current, said.motion.decision)
        if said.motion.round > self.open_round(ballots):
            raise Refused("record-early", after=said.motion.after)

    def open_round(self, ballots: Sequence[Ballot]) -> int:
        """The first round that is not deadlocked."""
        rounds: dict[int, list[Ballot]] = {}
        for ballot in ballots:
            rounds.setdefault(ballot.motion.round, []).append(ballot)
        for number in range(BALLOT_ROUNDS_MAX - 1):
            if tally(self.current, rounds.get(number, [])).stage is not Stage.DEADLOCKED:
                return number
        return BALLOT_ROUNDS_MAX - 1

    def count(self, ballots: Sequence[Ballot], number: int) -> Tally:
        """How the ballots of one round stand."""
        return tally(self.current, [ballot for ballot in ballots if ballot.motion.round == number])

    def proposals(self, proposals: Iterable[Proposal], ballots: Sequence[Ballot]) -> tuple[ProposalFacts, ...]:
        """The motions of the open round, proposed or voted on, in the order of their names."""
        current, number = self.current, self.open_round(ballots)
        cast = [ballot for ballot in ballots if ballot.motion.round == number]
        put = [proposal for proposal in proposals if proposal.motion.round == number]
        said: list[Ballot | Proposal] = [*cast, *put]
        motions = {self._name(one.motion): one.motion for one in said}
        return tuple(self._facts(current, name, motions[name], put, cast) for name in sorted(motions))

    def _facts(
        self, current: Chain, name: Digest, motion: Motion, put: Sequence[Proposal], cast: Sequence[Ballot]
    ) -> ProposalFacts:
        in_favour = {ballot.organisation for ballot in cast if ballot.approve and self._name(ballot.motion) == name}
        return ProposalFacts(
            decision=name,
            motion=motion,
            proposers=tuple(sorted(said.lineage.organisation for said in put if self._name(said.motion) == name)),
            in_favour=tuple(sorted(in_favour)),
            against=tuple(sorted({ballot.organisation for ballot in cast} - in_favour)),
            electorate=tuple(elector.organisation for elector in current.electorate),
            quorum=current.quorum,
        )

    @staticmethod
    def _name(motion: Motion) -> Digest:
        return decision_digest(motion.after, motion.decision)
