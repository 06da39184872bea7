"""`maillon explain`: where each share of an object is, and why it is allowed there.

The facts come from the gateway; this turns them into sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from node.admin.client import AdminClient
from node.admin.lines import BlockLine, ObjectLine, ShareLine
from node.admin.object_calls import EXPLAIN, ExplainObject, ObjectRef
from node.cli.conditions import told_condition
from node.cli.names import parse_object
from node.cli.output import table
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from node.text.quantities import show_size
from node.text.sentences import sentence
from protocol.errors import Refused
from protocol.ids import short_text_of


@dataclass(frozen=True, slots=True)
class Where:
    """An object and where it is: its blocks, or the journal's holders for an object that rides in the journal."""

    object: ObjectLine
    blocks: tuple[BlockLine, ...]
    journal_holders: tuple[str, ...]


@make_command(_("Show where each share of TARGET (BUCKET/KEY) is, and why it is allowed there."))
@click.argument("target")
@click.option("--namespace", default="", help=_("Which namespace, if the node serves several."))
async def command(session: Session, *, target: str, namespace: str) -> None:
    name = parse_object(target)
    async with node_of(session) as client:
        where = await _where(client, ObjectRef(namespace, name.bucket, name.key))
    session.output.document(where, _told(where))


async def _where(client: AdminClient, target: ObjectRef) -> Where:
    blocks: list[BlockLine] = []
    while True:
        page = await client.call(EXPLAIN, ExplainObject(target, len(blocks)))
        blocks += page.blocks
        if not page.blocks or len(blocks) >= page.blocks_total:
            return Where(page.object, tuple(blocks), page.inline_holders)


def _told(where: Where) -> list[str]:
    if where.object.inline:
        told = _("A small object: a whole, sealed copy rides in the journal at each of its holders: {names}.")
        return [told.format(names=", ".join(where.journal_holders))]
    lines: list[str] = []
    for block in where.blocks:
        heading = _("block {id}: {size}, any {code} of its shares rebuild it")
        lines.append(heading.format(id=short_text_of(block.id), size=show_size(block.size_bytes), code=block.code))
        lines += table(
            (_("share"), _("node"), _("organisation"), _("zone"), _("now"), _("why there")),
            [
                (str(share.index), share.name, share.organisation, share.zone, _now(share), _why(share))
                for share in block.shares
            ],
        )
    return lines


def _now(share: ShareLine) -> str:
    condition = told_condition(share.condition)
    return condition if share.present else _("{condition}, share missing").format(condition=condition)


def _why(share: ShareLine) -> str:
    if share.objection:
        return sentence(Refused(share.objection))
    told = _(
        "number {rank} in the block's order; {in_organisation} of at most {most_in_organisation} in its "
        "organisation, {in_zone} of at most {most_in_zone} in its zone"
    )
    return told.format(
        rank=share.rank,
        in_organisation=share.in_organisation,
        most_in_organisation=share.most_in_organisation,
        in_zone=share.in_zone,
        most_in_zone=share.most_in_zone,
    )
