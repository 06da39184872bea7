"""`maillon federation join`: enter a federation with an invitation.

The invitation's node introduces this node and its organisation to the members and hands over the federation's
records; they are written here, and the node can run. Until the members admit the organisation, it shares the caps and
the quota of the one that invited it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from node.cli.newcomer import newcomer_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.folder import NodeFolder
from node.host.real import real_host
from node.membership import join as entry_for
from node.mesh.config import MeshConfig
from node.mesh.join import join, keep
from node.mesh.records_file import open_records
from node.text import _
from protocol.ids import FederationId, NodeId, text_of
from protocol.members.invitations import invitation_id, parse_invitation


@dataclass(frozen=True, slots=True)
class Joined:
    """Where the node now belongs. `records`: how many it was given; `admitted`: its organisation was before."""

    federation: FederationId
    node: NodeId
    organisation: str
    records: int
    admitted: bool


@make_command(_("Join a federation with INVITATION (the text that `federation invite` printed, or - to read it)."))
@click.argument("invitation")
async def command(session: Session, *, invitation: str) -> None:
    token = sys.stdin.read() if invitation == "-" else invitation
    joined = await join_federation(session.dir, token)
    session.output.document(joined, joined_told(joined, session.dir))


def joined_told(joined: Joined, path: Path) -> list[str]:
    """What happened, and what comes next: nobody votes on one more node of a member."""
    if joined.admitted:
        told = _("One more node of {organisation} has joined the federation {id}.")
        following = _("Next: maillon --dir {dir} node run")
    else:
        told = _("{organisation} has joined the federation {id}.")
        following = _("Next: maillon --dir {dir} node run, and ask the members to admit {organisation}.")
    return [
        told.format(organisation=joined.organisation, id=text_of(joined.federation)),
        following.format(dir=path, organisation=joined.organisation),
    ]


async def join_federation(path: Path, token: str) -> Joined:
    """Join with the node in `path`.

    Raises:
        Malformed, Forged, Refused: the invitation, or what the inviter says of it.
        Unavailable: when no address of the invitation answers.
    """
    host = real_host(path)
    folder = NodeFolder(host.disk, str(path))
    newcomer = newcomer_of(path, folder)
    invitation = parse_invitation(token)
    entry = entry_for(newcomer, invitation.federation, invitation=invitation_id(invitation))
    async with host.lock():
        mesh_config = MeshConfig(listen=newcomer.config.node.listen)
        records = await join(host, newcomer.node_key, invitation, entry.records, mesh_config)
        records_file, view = await open_records(host, invitation.federation)
        await keep(records_file, view, (*records, *entry.records))
        folder.become_member(entry.membership)
    facts = view.organisation(newcomer.organisation.lineage.organisation)
    return Joined(
        federation=invitation.federation,
        node=NodeId(newcomer.node_key.public),
        organisation=newcomer.organisation.name,
        records=len(records),
        admitted=facts is not None and facts.admitted,
    )
