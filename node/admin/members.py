"""Members and governance: the admin socket's calls into the mesh and its view.

A vote is cast with the organisation's key, which only some of its nodes hold; proposing and voting are one step, as
whoever proposes agrees. What was decided shows at once, because the view makes the certificate itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from node.admin import calls, member_calls
from node.admin.lines import NodeLine, OrganisationLine, ProposalLine
from node.admin.services import Services
from node.host.addresses import is_dialable
from protocol.errors import Missing, Refused
from protocol.ids import Digest, NodeId, OrganisationId, RecordId, text_of
from protocol.members.assembly import ProposalFacts
from protocol.members.cards import NodeState
from protocol.members.charter import Standing
from protocol.members.facts import NodeFacts, OrganisationFacts
from protocol.members.governance import (
    Admission,
    Ballot,
    Decision,
    DecisionKind,
    decision_digest,
    expel_node,
    expel_organisation,
    make_ballot,
    make_proposal,
    round_subject,
)
from protocol.members.governance import (
    admit as admitting,
)
from protocol.members.invitations import encode_invitation_text, make_invitation
from protocol.members.records import RecordKind
from protocol.members.swim import Status

T = TypeVar("T")

_CONDITIONS = {Status.ALIVE: "live"}
_ACTIONS = {
    DecisionKind.ADMIT: "admit",
    DecisionKind.EXPEL_ORGANISATION: "expel",
    DecisionKind.EXPEL_NODE: "expel",
}


async def organisations(services: Services, question: calls.Page) -> member_calls.OrganisationPage:
    """Members and pending organisations, by name."""
    view = services.mesh.view
    found = sorted(view.organisations(), key=lambda facts: (facts.name, facts.organisation))
    nodes = [facts.organisation for facts in view.nodes() if facts.state is not NodeState.LEFT]
    lines = [
        OrganisationLine(
            id=facts.organisation,
            name=facts.name,
            admitted=facts.admitted,
            sponsor=_organisation_name(services, facts.sponsor),
            jurisdiction=facts.jurisdiction,
            legal_form=facts.legal_form,
            certifications=facts.certifications,
            nodes=nodes.count(facts.organisation),
        )
        for facts in found
    ]
    return member_calls.OrganisationPage(_page(lines, question), len(lines))


async def nodes(services: Services, question: calls.Page) -> member_calls.NodePage:
    """All nodes, by organisation and name."""
    found = sorted(services.mesh.view.nodes(), key=lambda facts: (facts.organisation_name, facts.name, facts.node))
    lines = [
        NodeLine(
            id=facts.node,
            name=facts.name,
            organisation=facts.organisation_name,
            organisation_id=facts.organisation,
            zone=facts.zone,
            addresses=facts.addresses,
            capacity_bytes=facts.capacity_bytes,
            state=facts.state.name.lower(),
            condition=condition_of(services, facts.node),
        )
        for facts in found
    ]
    return member_calls.NodePage(_page(lines, question), len(lines))


def condition_of(services: Services, node: NodeId) -> str:
    """What this node observes of another: live, suspect, down, left or unknown."""
    if node == services.mesh.me:
        return "live"
    status = services.mesh.status(node)
    return _CONDITIONS.get(status, status.name.lower())


async def proposals(services: Services, question: calls.Page) -> member_calls.ProposalPage:
    """What the members are asked to decide now."""
    lines = [_proposal_line(services, facts) for facts in services.mesh.view.proposals()]
    return member_calls.ProposalPage(_page(lines, question), len(lines))


async def invite(services: Services, question: member_calls.Invite) -> member_calls.Invited:
    """An invitation signed by this node. Raises Refused(`invitation-unreachable`) without an address to dial."""
    host, mesh = services.host, services.mesh
    expires_s = host.wall.now_s() + question.valid_s
    invitation = make_invitation(
        services.node_key,
        mesh.view.federation,
        services.organisation(),
        addresses=tuple(address for address in mesh.addresses if is_dialable(address)),
        expires_s=expires_s,
        nonce=host.entropy.random_bytes(32),
    )
    return member_calls.Invited(encode_invitation_text(invitation), expires_s)


async def admit(services: Services, question: member_calls.Admit) -> ProposalLine:
    """Vote for an admission. A proposal that exists is what is voted on, with the facts that it states."""
    subject = _one(
        "organisation",
        question.organisation,
        services.mesh.view.organisations(),
        lambda facts: (facts.name, facts.organisation),
    )
    standing = Standing(question.jurisdiction, question.legal_form, question.certifications, question.capacity_bytes)
    member = services.mesh.view.chain.member(subject.organisation)
    if member is not None and member.admission.standing == standing:
        return _decided(services, admitting(member.admission))
    return await _vote(services, admitting(Admission(subject.lineage, standing)))


async def expel(services: Services, question: member_calls.Expel) -> ProposalLine:
    """Vote for an expulsion."""
    view = services.mesh.view
    candidates: list[OrganisationFacts | NodeFacts] = [*view.organisations(), *view.nodes()]
    subject = _one("member", question.subject, candidates, lambda facts: (facts.name, _id_of(facts)))
    if isinstance(subject, NodeFacts):
        return await _vote(services, expel_node(subject.node))
    return await _vote(services, expel_organisation(subject.organisation))


async def leave(services: Services, _question: calls.Nothing) -> calls.Done:
    """Say goodbye to every member that answers."""
    await services.mesh.leave()
    return calls.Done()


async def _vote(services: Services, decision: Decision) -> ProposalLine:
    """Cast this organisation's ballot for the decision, proposing it first if nobody has."""
    view = services.mesh.view
    key = services.folder.organisation_key()
    organisation = services.folder.organisation()
    mine = organisation.lineage.organisation
    electors = {elector.organisation for elector in view.chain.electorate}
    if mine not in electors:
        raise Refused("no-vote", electorate=tuple(sorted(_organisation_name(services, each) for each in electors)))
    put = [facts for facts in view.proposals() if _same_subject(facts.motion.decision, decision)]
    motion = put[0].motion if put else view.motion(decision)
    records = []
    if not put:
        counter = view.next_counter(key.public, RecordKind.PROPOSAL, round_subject(motion.after, motion.round))
        records.append(make_proposal(key, view.federation, organisation.lineage, motion, counter=counter))
    if not put or mine not in put[0].in_favour:
        ballot = Ballot(organisation.lineage, motion, approve=True)
        records.append(make_ballot(key, view.federation, ballot))
    await services.mesh.publish(*records)
    name = decision_digest(motion.after, motion.decision)
    open_now = [facts for facts in view.proposals() if facts.decision == name]
    return _proposal_line(services, open_now[0]) if open_now else _decided(services, motion.decision)


def _same_subject(one: Decision, other: Decision) -> bool:
    return one.kind is other.kind and one.subject == other.subject


def _proposal_line(services: Services, facts: ProposalFacts) -> ProposalLine:
    decision = facts.motion.decision
    mine = services.organisation()
    return ProposalLine(
        id=RecordId(facts.decision),
        action=_ACTIONS[decision.kind],
        subject=_subject_name(services, decision),
        ballots=len(facts.in_favour),
        needed=facts.quorum,
        electorate=len(facts.electorate),
        voted=mine in (*facts.in_favour, *facts.against),
        state="open",
    )


def _decided(services: Services, decision: Decision) -> ProposalLine:
    """The line of a decision that stands, by its certificate; nobody voted on what the charter says."""
    view = services.mesh.view
    found = view.decided(decision)
    after = Digest(view.federation) if found is None else found[0].after
    electors = () if found is None else tuple(elector.organisation for elector in found[0].electorate)
    voters = () if found is None else tuple(electors[vote.elector] for vote in found[1].votes)
    return ProposalLine(
        id=RecordId(decision_digest(after, decision)),
        action=_ACTIONS[decision.kind],
        subject=_subject_name(services, decision),
        ballots=len(voters),
        needed=len(voters),
        electorate=len(electors),
        voted=services.organisation() in voters,
        state="decided",
    )


def _subject_name(services: Services, decision: Decision) -> str:
    if decision.kind is DecisionKind.EXPEL_NODE:
        facts = services.mesh.view.node(NodeId(decision.subject))
        return facts.name if facts is not None else text_of(decision.subject)
    return _organisation_name(services, OrganisationId(decision.subject))


def _organisation_name(services: Services, organisation: OrganisationId) -> str:
    facts = services.mesh.view.organisation(organisation)
    return facts.name if facts is not None else text_of(organisation)


def _id_of(facts: OrganisationFacts | NodeFacts) -> bytes:
    return facts.node if isinstance(facts, NodeFacts) else facts.organisation


def node_named(services: Services, name: str) -> NodeId:
    """The node of this name, or whose id begins so. Raises Missing(`unknown-name`), Refused(`ambiguous-name`)."""
    return _one("node", name, services.mesh.view.nodes(), lambda facts: (facts.name, facts.node)).node


def _one(what: str, name: str, candidates: Sequence[T], naming: Callable[[T], tuple[str, bytes]]) -> T:
    """The candidate with this name, or whose id begins so.

    Raises:
        Missing: `unknown-name`. Refused: `ambiguous-name`.
    """
    exact = [candidate for candidate in candidates if naming(candidate)[0] == name]
    near = [
        candidate for candidate in candidates if len(name) >= 4 and text_of(naming(candidate)[1]).startswith(name)
    ]
    found = exact or near
    if len(found) == 1:
        return found[0]
    known = tuple(sorted(naming(candidate)[0] for candidate in candidates))[:20]
    if not found:
        raise Missing("unknown-name", what=what, name=name, known=known)
    ids = tuple(sorted(text_of(naming(candidate)[1]) for candidate in found))
    raise Refused("ambiguous-name", name=name, known=ids)


def _page(lines: list[T], question: calls.Page) -> tuple[T, ...]:
    return tuple(lines[question.first : question.first + calls.PAGE_LINES])
