"""`maillon namespace move`: hand a namespace over to another gateway, which follows it already.

Clients notice a pause of a second or two, as of any server that restarts: this gateway stops, the other one goes on.
"""

from __future__ import annotations

import click

from node.admin.namespace_calls import NAMESPACE_MOVE, NamespaceMove
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Have the namespace NAME written by another node, whose gateway follows it."))
@click.argument("name")
@click.option("--to", "to", required=True, help=_("The other node's name or id."))
async def command(session: Session, *, name: str, to: str) -> None:
    async with node_of(session) as client:
        done = await client.call(NAMESPACE_MOVE, NamespaceMove(name, to))
    session.output.document(done, [_("The namespace {name} is written by {node} now.").format(name=name, node=to)])
