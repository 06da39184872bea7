"""`maillon namespace list`: the namespaces that this node serves, and how safe each is."""

from __future__ import annotations

from node.admin.calls import Nothing
from node.admin.namespace_calls import NAMESPACES
from node.cli.output import table
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from node.text.quantities import show_size


@make_command(_("List the namespaces that this node serves."))
async def command(session: Session) -> None:
    async with node_of(session) as client:
        page = await client.call(NAMESPACES, Nothing())
    rows = [
        (line.name, str(line.objects), show_size(line.size_bytes), line.code, str(line.survives))
        for line in page.lines
    ]
    headings = (_("name"), _("objects"), _("size"), _("code"), _("losses survived"))
    session.output.document(page, table(headings, rows))
