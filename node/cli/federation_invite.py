"""`maillon federation invite`: a token with which one new organisation, or a further node of a member, can join.

The token can be used once and only until it expires. Whoever holds it can introduce itself in this organisation's
name, so it travels by a channel that both sides trust.
"""

from __future__ import annotations

import click

from node.admin.member_calls import INVITE, Invite
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from node.text.quantities import show_time


@make_command(_("Make an invitation and print it."))
@click.option(
    "--valid-for",
    default=7 * 24,
    show_default=True,
    type=click.IntRange(1, 24 * 366),
    help=_("Hours until it expires."),
)
async def command(session: Session, *, valid_for: int) -> None:
    async with node_of(session) as client:
        invited = await client.call(INVITE, Invite(valid_for * 3600))
    told = _("This invitation can be used once, until {time}. Send it by a channel that you trust.")
    session.output.document(invited, [invited.token, told.format(time=show_time(invited.expires_s))])
