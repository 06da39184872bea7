"""`maillon federation leave`: tell the members that this node goes, so that nobody takes it for a failure.

It says so and keeps serving what it holds until it is stopped; nothing new is placed on it.
"""

from __future__ import annotations

from node.admin.calls import Nothing
from node.admin.member_calls import LEAVE
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Tell the members that this node leaves, for good."))
async def command(session: Session) -> None:
    async with node_of(session) as client:
        done = await client.call(LEAVE, Nothing())
    told = _(
        "The members know, and nothing new is placed here. This cannot be taken back. No shares are moved yet: "
        "before you stop the node, get your own data out, and ask the others whether they can spare what it holds."
    )
    session.output.document(done, [told])
