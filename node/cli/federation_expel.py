"""`maillon federation expel`: cast this organisation's ballot to expel an organisation or a node.

Once a quorum has voted, members refuse the expelled one's connections and place nothing there any more.
"""

from __future__ import annotations

import click

from node.admin.member_calls import EXPEL, Expel
from node.cli.federation_members import proposals_told
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Vote that SUBJECT (an organisation's or a node's name or id) be expelled."))
@click.argument("subject")
async def command(session: Session, *, subject: str) -> None:
    async with node_of(session) as client:
        line = await client.call(EXPEL, Expel(subject))
    session.output.document(line, proposals_told((line,)))
