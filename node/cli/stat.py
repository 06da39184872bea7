"""`maillon stat`: what the catalog knows of one object."""

from __future__ import annotations

import click

from node.admin.object_calls import STAT, ObjectRef
from node.cli.names import parse_object
from node.cli.output import table
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from node.text.quantities import show_size, show_time


@make_command(_("Show what is known of TARGET (BUCKET/KEY)."))
@click.argument("target")
@click.option("--namespace", default="", help=_("Which namespace, if the node serves several."))
async def command(session: Session, *, target: str, namespace: str) -> None:
    name = parse_object(target)
    async with node_of(session) as client:
        line = await client.call(STAT, ObjectRef(namespace, name.bucket, name.key))
    kept = _("in the journal") if line.inline else _("in {count} blocks").format(count=line.blocks)
    rows = [
        (_("size"), f"{show_size(line.size_bytes)} ({line.size_bytes})"),
        (_("stored"), show_size(line.stored_bytes)),
        (_("modified"), show_time(line.modified_s)),
        (_("class"), line.data_class),
        (_("kept"), kept),
        (_("version"), line.version),
    ]
    session.output.document(line, table((str(name), ""), rows))
