"""`maillon rm`: delete an object, or with `--recursive` everything under a prefix.

Deleting is journaled like writing: when the command returns, the deletion is as durable as the object was.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from node.admin.object_calls import REMOVE, ObjectRef
from node.cli.names import parse_object, parse_prefix
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _, ngettext


@dataclass(frozen=True, slots=True)
class Removed:
    """What the command did."""

    objects: int


@make_command(_("Delete TARGET (BUCKET/KEY)."))
@click.argument("target")
@click.option("--recursive", "-r", is_flag=True, help=_("Delete all under BUCKET or BUCKET/PREFIX."))
@click.option("--namespace", default="", help=_("Which namespace, if the node serves several."))
async def command(session: Session, *, target: str, recursive: bool, namespace: str) -> None:
    name = parse_prefix(target) if recursive else parse_object(target)
    async with node_of(session) as client:
        keys = [name.key]
        if recursive:
            keys = [line.key async for line in client.list_all(namespace, name.bucket, name.key)]
        for key in keys:
            await client.call(REMOVE, ObjectRef(namespace, name.bucket, key))
    text = ngettext("Deleted {count} object.", "Deleted {count} objects.", len(keys))
    session.output.result(Removed(len(keys)), [text.format(count=len(keys))])
