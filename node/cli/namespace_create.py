"""`maillon namespace create`: a new namespace whose gateway is this node, and its recovery sheet.

The sheet is shown this once. Whoever has it can read the namespace without this node; without it, the loss of the
node's folder is the loss of the namespace's keys.
"""

from __future__ import annotations

import click

from node.admin.calls import NAMESPACE_CREATE, NamespaceCreate
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Create the namespace NAME on this node and show its recovery sheet, once."))
@click.argument("name")
@click.option("--class", "data_class", default="internal", show_default=True, help=_("The class of its data."))
async def command(session: Session, *, name: str, data_class: str) -> None:
    async with node_of(session) as client:
        created = await client.call(NAMESPACE_CREATE, NamespaceCreate(name, data_class))
    heading = _("The namespace {name} is ready. Print this sheet now and keep it safe: it is not shown again.")
    session.output.document(created, [heading.format(name=created.name), "", created.recovery])
