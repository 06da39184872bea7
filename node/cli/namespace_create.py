"""`maillon namespace create`: a new namespace whose gateway is this node, and its recovery sheet.

The sheet is shown this once. Whoever has it can read the namespace without this node; without it, the loss of the
node's folder is the loss of the namespace's keys.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from node.admin.namespace_calls import NAMESPACE_CREATE, NamespaceCreate
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sheets import Form, form_options, paper
from node.text import _
from node.vault.sheet import Split, read_sheet


@make_command(_("Create the namespace NAME on this node and show its recovery sheet, once."))
@click.argument("name")
@click.option("--class", "data_class", default="internal", show_default=True, help=_("The class of its data."))
@form_options
async def command(
    session: Session, *, name: str, data_class: str, html: bool, split: Split, output: Path | None
) -> None:
    form = Form(html, split, output)
    with paper(form) as file:
        async with node_of(session) as client:
            created = await client.call(NAMESPACE_CREATE, NamespaceCreate(name, data_class))
        written = form.written(read_sheet(created.recovery))
        if file is not None:
            file.write(written)
    if output is not None:
        told = [_("The namespace {name} is ready. Print {path} now, then delete it: it is not made again.")]
        session.output.document(
            dataclasses.replace(created, recovery=""), [line.format(name=created.name, path=output) for line in told]
        )
        return
    heading = _("The namespace {name} is ready. Print this sheet now and keep it safe: it is not shown again.")
    shown = dataclasses.replace(created, recovery=written)
    session.output.document(shown, [heading.format(name=created.name), "", written])
