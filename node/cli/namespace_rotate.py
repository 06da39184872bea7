"""`maillon namespace rotate`: replace the writer key and every secret of a namespace, by its sheet.

The gateway that had the old ones, stolen or only suspected, is locked out: it can no longer write, nor read anything
that is written from now on. What it read already, it may have kept.
"""

from __future__ import annotations

from node.cli.reach import node_of
from node.cli.rotating import rotate
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sheets import given_sheet, source_argument
from node.text import _


@make_command(_("Give this node new secrets for the namespace whose sheet is in FILE (or typed)."))
@source_argument
async def command(session: Session, *, sheet: str) -> None:
    given = given_sheet(sheet)
    async with node_of(session) as client:
        rotated = await rotate(client, given)
    told = _("The namespace {name} has new secrets, its generation {generation}, and this node writes it.")
    locked = _("Whoever has the old ones is locked out. The sheet stays the same: keep it.")
    lines = [told.format(name=rotated.name, generation=rotated.generation), locked]
    session.output.document(rotated, lines)
