"""`maillon s3 key create`: a key for programs that speak S3, and all that such a program is to be told.

The secret is shown this once. With `--access-key` and `--secret-key` a key that programs have already can be kept.
"""

from __future__ import annotations

import click

from node.admin.s3_calls import S3_KEY_CREATE, S3KeyCreate, S3KeyCreated
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Make a key for a namespace, or for one bucket of it, and show its secret once."))
@click.option("--namespace", default="", help=_("The namespace. Otherwise the only one of this node."))
@click.option("--bucket", default="", help=_("The only bucket that the key is for."))
@click.option("--read-only", is_flag=True, help=_("The key reads and lists, and changes nothing."))
@click.option("--access-key", default="", help=_("The key's name. Otherwise drawn."))
@click.option("--secret-key", default="", help=_("Its secret. Otherwise drawn."))
async def command(
    session: Session, *, namespace: str, bucket: str, read_only: bool, access_key: str, secret_key: str
) -> None:
    question = S3KeyCreate(namespace, bucket, read_only, access_key, secret_key)
    async with node_of(session) as client:
        made = await client.call(S3_KEY_CREATE, question)
    session.output.document(made, _told(made))


def _told(made: S3KeyCreated) -> list[str]:
    endpoint = made.endpoint or _("none yet: set `listen` in the section [s3] and start the node again")
    return [
        _("Write the secret down now: it is not shown again."),
        "",
        _("endpoint: {endpoint}").format(endpoint=endpoint),
        _("region: {region}").format(region=made.region),
        _("access key: {key}").format(key=made.access_key),
        _("secret key: {key}").format(key=made.secret_key),
    ]
