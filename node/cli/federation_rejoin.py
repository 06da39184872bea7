"""`maillon federation rejoin`: make a machine that recovered a namespace a node of its organisation again.

The organisation's words are its keys: with them it certifies this machine, and any member lets the new node in
without an invitation, as the members admitted the organisation already. What was recovered stays here, and can be
written again as soon as the node runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from node.cli.organisation_words import given_keys
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sheets import source_argument
from node.config_file import FILE_NAME, load
from node.folder import NodeFolder
from node.host.real import real_host
from node.rejoining import take_in
from node.text import _
from protocol.errors import Missing, Refused
from protocol.ids import FederationId, NodeId, text_of
from protocol.members.lineage import OrganisationKeys


@dataclass(frozen=True, slots=True)
class Rejoined:
    """Where the node now belongs."""

    federation: FederationId
    node: NodeId
    organisation: str


@make_command(_("Certify this machine with the organisation's words in FILE (or typed) and make it a member's node."))
@source_argument
async def command(session: Session, *, sheet: str) -> None:
    rejoined = await rejoin_federation(session.dir, given_keys(sheet))
    told = _("This machine is a node of {organisation} now, in the federation {id}.").format(
        organisation=rejoined.organisation, id=text_of(rejoined.federation)
    )
    following = _("Next: maillon --dir {dir} node run").format(dir=session.dir)
    session.output.document(rejoined, [told, following])


async def rejoin_federation(path: Path, keys: OrganisationKeys) -> Rejoined:
    """Join with the guest's folder in `path`.

    Raises:
        Refused: `not-a-guest`, `organisation-not-known`, or what the members say.
        Unavailable: `inviter-unreachable` when no member answers.
    """
    if not (path / FILE_NAME).is_file():
        raise Missing("node-dir-absent", path=str(path))
    host = real_host(path)
    folder = NodeFolder(host.disk, str(path))
    folder.check_format()
    if not folder.is_guest():
        raise Refused("not-a-guest", path=str(path))
    async with host.lock():
        organisation = await take_in(host, folder, load(path / FILE_NAME), keys)
    return Rejoined(folder.membership().federation, folder.node, organisation.name)
