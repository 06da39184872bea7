"""`maillon namespace takeover`: write a namespace here again, after another of its gateways took it over.

The other one is fenced, and says so from then on. It takes as long as the other might still answer reads: some
seconds, unless it stopped cleanly.
"""

from __future__ import annotations

import click

from node.admin.namespace_calls import NAMESPACE_TAKE_OVER, NamespaceTakeOver
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Write the namespace NAME through this node again; another gateway of it is fenced."))
@click.argument("name")
async def command(session: Session, *, name: str) -> None:
    async with node_of(session) as client:
        done = await client.call(NAMESPACE_TAKE_OVER, NamespaceTakeOver(name))
    session.output.document(done, [_("The namespace {name} is written here now.").format(name=name)])
