"""`maillon s3 key list`: which keys there are, what for, and since when."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from node.admin.lines import S3KeyLine
from node.admin.s3_calls import S3_KEYS, S3KeyList, S3KeyPage
from node.cli.output import table
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("List the keys that programs sign with, without their secrets."))
@click.option("--namespace", default="", help=_("Only the keys of this namespace."))
async def command(session: Session, *, namespace: str) -> None:
    lines: list[S3KeyLine] = []
    async with node_of(session) as client:
        while True:
            page = await client.call(S3_KEYS, S3KeyList(namespace, len(lines)))
            lines += page.lines
            if not page.lines or len(lines) >= page.total:
                break
    rows = [
        (
            line.access_key,
            line.namespace,
            line.bucket or _("all"),
            _("reads") if line.read_only else _("reads and writes"),
            f"{datetime.fromtimestamp(line.created_s, UTC):%Y-%m-%d}",
        )
        for line in lines
    ]
    headings = (_("access key"), _("namespace"), _("bucket"), _("may"), _("since"))
    session.output.document(S3KeyPage(tuple(lines), len(lines)), table(headings, rows))
