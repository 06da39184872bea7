"""`maillon ls`: the buckets of a namespace, or the objects of a bucket whose keys begin with a prefix.

`--json` writes one line per object as pages arrive, so a million objects need no memory here; the last line holds
how many there were.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from node.admin.lines import ObjectLine
from node.cli.names import ObjectName, parse_prefix
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from node.text.quantities import show_size, show_time


@dataclass(frozen=True, slots=True)
class Counted:
    """The end of a listing."""

    count: int
    size_bytes: int


@make_command(_("List buckets, or the objects under BUCKET or BUCKET/PREFIX."))
@click.argument("prefix", default="")
@click.option("--namespace", default="", help=_("Which namespace, if the node serves several."))
async def command(session: Session, *, prefix: str, namespace: str) -> None:
    name = parse_prefix(prefix) if prefix else ObjectName("", "")
    count = size_bytes = 0
    async with node_of(session) as client:
        async for line in client.list_all(namespace, name.bucket, name.key):
            count += 1
            size_bytes += line.size_bytes
            if session.output.json:
                session.output.step("entry", line)
            else:
                click.echo(_shown(line, in_bucket=bool(name.bucket)))
    session.output.result(Counted(count, size_bytes), [])


def _shown(line: ObjectLine, *, in_bucket: bool) -> str:
    if not in_bucket:
        return f"{line.bucket}/"
    return f"{show_size(line.size_bytes):>10}  {show_time(line.modified_s)}  {line.key}"
