"""Keeping what may be kept, and judging it all again when what others stand on changes.

Most records only add to a view. A few take something away: an introduction or a node that its quota pushes out, a
node that changes organisation, a key succession, a decision. After these everything kept is judged again, kind by
kind, without looking at signatures twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from protocol.errors import OverLimit, Refused
from protocol.ids import Digest, NamespaceId, NodeId, OrganisationId
from protocol.limits import RECORDS_MAX
from protocol.members.cards import Introduction, NamespaceCard, NodeCard, OrganisationCard
from protocol.members.evidence import make_evidence
from protocol.members.facts import Said
from protocol.members.governance import Ballot, Proposal
from protocol.members.lineage import Lineage
from protocol.members.records import Record, RecordKind
from protocol.members.rules import Known, objection, quota_of
from protocol.members.shelf import Kept, Outcome, Shelf


class Keeping:
    """The shelf, and who may speak according to it. `unsettled` asks for `settle`."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.known = Known()
        self.unsettled = False

    def keep(self, item: Kept) -> tuple[Outcome, Record | None]:
        """Keep the item if it wins its slot; with the evidence, if it contradicts what was there.

        Raises:
            Refused: `record-stranger`, `record-quota`. OverLimit: `view-full`.
        """
        kind, author = item.record.kind, item.record.author
        problem = objection(item, self.known)
        if problem is not None:
            raise Refused(problem, kind=kind, author=author)
        quota = quota_of(item, self.known)
        if not self.shelf.fits(item.slot, quota):
            raise Refused("record-quota", kind=kind, author=author)
        held = self.shelf.at(item.slot)
        # What the members decide must find room, whoever filled it.
        if held is None and len(self.shelf) >= RECORDS_MAX and kind > RecordKind.PROPOSAL:
            raise OverLimit("view-full", limit=RECORDS_MAX)
        proof = make_evidence(held.record, item.record) if held is not None and held.version == item.version else None
        wins = held is None or item.supersedes(held)
        if wins:
            pushed_out = self.shelf.put(item, quota)
            self.known.learn(item)
            self.unsettled |= pushed_out is not None or _others_depended_on(held, item)
        if proof is not None:
            return Outcome.EQUIVOCATION, proof
        return Outcome.NEW if wins else Outcome.OLDER, None

    def settle(self, admitted_ever: set[OrganisationId], lineages: Iterable[Lineage], after: Digest) -> None:
        """Keep only what still stands, now that `after` is the last decision."""
        everything = list(self.shelf)
        self.shelf = Shelf()
        self.known = Known(admitted_ever)
        for lineage in lineages:
            self.known.learn_keys(lineage)
        for kind, items in groupby(everything, key=lambda item: item.record.kind):
            for item in items:
                if _of_the_past(item, after) or objection(item, self.known) is not None:
                    continue
                self.shelf.put(item, quota_of(item, self.known))
            # Only what its bucket did not push out again may let others in.
            for item in self.shelf.of_kind(kind):
                self.known.learn(item)
        self.unsettled = False

    def ballots(self) -> list[Ballot]:
        bodies = [item.body for item in self.shelf.of_kind(RecordKind.BALLOT)]
        return [body for body in bodies if isinstance(body, Ballot)]

    def proposals(self) -> list[Proposal]:
        bodies = [item.body for item in self.shelf.of_kind(RecordKind.PROPOSAL)]
        return [body for body in bodies if isinstance(body, Proposal)]

    def invitations_used(self) -> frozenset[Digest]:
        """The ids of all invitations that any introduction or organisation's card names."""
        introduced = {Digest(item.record.subject) for item in self.shelf.of_kind(RecordKind.INTRODUCTION)}
        cards = [item.body for item in self.shelf.of_kind(RecordKind.ORGANISATION)]
        named = {card.invitation for card in cards if isinstance(card, OrganisationCard) and card.invitation}
        return frozenset(introduced | named)

    def said(self) -> Said:
        """What the facts are made from."""
        organisations: dict[OrganisationId, OrganisationCard] = {}
        nodes: dict[NodeId, NodeCard] = {}
        introductions: dict[Digest, tuple[tuple[NodeId, Introduction], ...]] = {}
        namespaces: dict[NamespaceId, NamespaceCard] = {}
        for item in self.shelf:
            body, subject = item.body, item.record.subject
            if isinstance(body, OrganisationCard):
                organisations[OrganisationId(subject)] = body
            elif isinstance(body, NodeCard):
                nodes[NodeId(subject)] = body
            elif isinstance(body, Introduction):
                others = introductions.get(Digest(subject), ())
                introductions[Digest(subject)] = (*others, (NodeId(item.record.author), body))
            elif isinstance(body, NamespaceCard):
                namespaces[NamespaceId(subject)] = body
        return Said(organisations, nodes, introductions, namespaces)


def _of_the_past(item: Kept, after: Digest) -> bool:
    return isinstance(item.body, Ballot | Proposal) and item.body.motion.after != after


def _others_depended_on(held: Kept | None, item: Kept) -> bool:
    """Whether keeping `item` in place of `held` may take away, or give to another, what other records stand on."""
    old, new = None if held is None else held.body, item.body
    if isinstance(new, OrganisationCard):
        # It shows earlier keys: whose quota their records use may change.
        shown = old.lineage if isinstance(old, OrganisationCard) else None
        return len(new.lineage.keys) > 1 and new.lineage != shown
    if isinstance(old, Introduction) and isinstance(new, Introduction):
        return old != new
    if isinstance(old, NodeCard) and isinstance(new, NodeCard):
        return old.certification.lineage != new.certification.lineage
    if isinstance(old, NamespaceCard) and isinstance(new, NamespaceCard):
        return old.certificate.writer != new.certificate.writer
    return False
