"""`maillon federation members`: the organisations and nodes of the federation as this node knows them now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from node.admin.calls import Command, Page
from node.admin.client import AdminClient
from node.admin.lines import NodeLine, OrganisationLine, ProposalLine
from node.admin.member_calls import NODES, ORGANISATIONS, PROPOSALS, NodePage, OrganisationPage, ProposalPage
from node.cli.conditions import told_condition
from node.cli.output import table
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from protocol.ids import short_text_of

P = TypeVar("P", OrganisationPage, NodePage, ProposalPage)


@dataclass(frozen=True, slots=True)
class Members:
    """Who is there, and what is being decided."""

    organisations: tuple[OrganisationLine, ...]
    nodes: tuple[NodeLine, ...]
    proposals: tuple[ProposalLine, ...]


@make_command(_("List organisations, nodes and proposals."))
async def command(session: Session) -> None:
    async with node_of(session) as client:
        members = await members_of(client)
    session.output.document(members, _told(members))


async def members_of(client: AdminClient) -> Members:
    """All pages of all three lists."""
    return Members(
        tuple([line async for page in _pages(client, ORGANISATIONS) for line in page.lines]),
        tuple([line async for page in _pages(client, NODES) for line in page.lines]),
        tuple([line async for page in _pages(client, PROPOSALS) for line in page.lines]),
    )


async def _pages(client: AdminClient, command: Command[Page, P]) -> AsyncIterator[P]:
    first = 0
    while True:
        page = await client.call(command, Page(first))
        yield page
        first += len(page.lines)
        if not page.lines or first >= page.total:
            return


def _told(members: Members) -> list[str]:
    organisations = [
        (
            line.name,
            short_text_of(line.id),
            _("admitted") if line.admitted else _("invited by {name}").format(name=line.sponsor),
            line.jurisdiction,
            line.legal_form,
            str(line.nodes),
        )
        for line in members.organisations
    ]
    headings = (_("organisation"), _("id"), _("standing"), _("law"), _("form"), _("nodes"))
    lines = table(headings, organisations)
    nodes = [
        (
            line.name,
            short_text_of(line.id),
            line.organisation,
            line.zone,
            _now(line),
            ", ".join(line.addresses),
        )
        for line in members.nodes
    ]
    node_headings = (_("node"), _("id"), _("organisation"), _("zone"), _("now"), _("address"))
    lines += ["", *table(node_headings, nodes)]
    if members.proposals:
        lines += ["", *proposals_told(members.proposals)]
    return lines


def _now(line: NodeLine) -> str:
    condition = told_condition(line.condition)
    return _("{condition}, leaves for good").format(condition=condition) if line.state == "leaving" else condition


def proposals_told(proposals: tuple[ProposalLine, ...]) -> list[str]:
    """A table of what is being, or was, decided."""
    rows = [
        (
            told_condition(line.action),
            line.subject,
            _("{ballots} of {needed} ballots").format(ballots=line.ballots, needed=line.needed),
            told_condition(line.state),
            _("voted") if line.voted else "",
        )
        for line in proposals
    ]
    return table((_("proposal"), _("subject"), _("ballots"), _("state"), _("this node's organisation")), rows)
