"""`maillon s3 key revoke`: requests signed with the key are refused from now on."""

from __future__ import annotations

import click

from node.admin.s3_calls import S3_KEY_REVOKE, S3KeyRevoke
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Make the key ACCESS_KEY worthless from now on."))
@click.argument("access_key")
async def command(session: Session, *, access_key: str) -> None:
    async with node_of(session) as client:
        done = await client.call(S3_KEY_REVOKE, S3KeyRevoke(access_key))
    session.output.document(done, [_("The key {key} is revoked.").format(key=access_key)])
