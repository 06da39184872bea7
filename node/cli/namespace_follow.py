"""`maillon namespace follow`: make this node a second gateway of a namespace, by its sheet.

It reads what the first one writes, a moment behind, and disturbs nobody. When the first one burns, or is to be
replaced, `namespace takeover` makes this one the writer, without the sheet.
"""

from __future__ import annotations

from node.cli.reach import node_of
from node.cli.rotating import follow
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sheets import given_sheet, source_argument
from node.text import _


@make_command(_("Follow, for reading, the namespace whose sheet is in FILE (or typed)."))
@source_argument
async def command(session: Session, *, sheet: str) -> None:
    given = given_sheet(sheet)
    async with node_of(session) as client:
        followed = await follow(client, given)
    told = _("The namespace {name} can be read here; {gateway} writes it.")
    later = _("To write it here one day: maillon namespace takeover {name}")
    lines = [told.format(name=followed.name, gateway=followed.gateway or "?"), later.format(name=followed.name)]
    session.output.document(followed, lines)
