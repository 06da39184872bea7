"""`maillon federation found`: write the charter of a new federation, with this node's organisation as its founder.

Nothing is sent anywhere: the federation exists as soon as the charter and the first cards are on this disk, and its
id is the charter's hash.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from node.cli.newcomer import newcomer_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sizes import SIZE_TYPE
from node.folder import NodeFolder
from node.host.real import real_host
from node.membership import Newcomer, found
from node.mesh.join import keep
from node.mesh.records_file import open_records
from node.text import _
from node.text.sentences import sentence
from protocol.errors import Malformed
from protocol.ids import FederationId, text_of
from protocol.members.charter import FOUNDER_ALONE_UP_TO, Admissions, Charter, Quorum, Standing
from protocol.placement.classes import Code, DataClass, standard_classes


@dataclass(frozen=True, slots=True)
class Founded:
    """A new federation."""

    name: str
    federation: FederationId
    founder: str


@dataclass(frozen=True, slots=True)
class Given:
    """The command line, as typed."""

    name: str
    jurisdiction: str
    legal_form: str
    certifications: tuple[str, ...]
    capacity_ceiling: int
    alone_up_to: int
    code: Code | None


class CodeType(click.ParamType[Code]):
    """ "4/6": any 4 of 6 shares rebuild a block."""

    name = "k/n"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Code:
        if isinstance(value, Code):
            return value
        k, _slash, n = str(value).partition("/")
        if not (k.isdigit() and n.isdigit()):
            self.fail(_("{value} is not a code; write for instance 4/6.").format(value=value), param, ctx)
        try:
            return Code(int(k), int(n), min(1, max(0, int(n) - int(k))))
        except Malformed as error:
            self.fail(sentence(error), param, ctx)


@make_command(_("Found a federation with this node's organisation as its first member."))
@click.option("--name", required=True, help=_("The federation's name."))
@click.option("--jurisdiction", default="FR", show_default=True, help=_("Country whose law binds the organisation."))
@click.option("--legal-form", default="association", show_default=True, help=_("Association, commune, cooperative…"))
@click.option("--certification", "certifications", multiple=True, help=_("A certification it holds, such as HDS."))
@click.option(
    "--capacity-ceiling", default="100 TB", show_default=True, type=SIZE_TYPE, help=_("Most it is credited.")
)
@click.option(
    "--alone-up-to",
    default=FOUNDER_ALONE_UP_TO,
    show_default=True,
    help=_("The founder decides alone while there are at most this many organisations."),
)
@click.option("--code", type=CodeType(), help=_("Fix the erasure code (k/n) instead of following the preset."))
async def command(session: Session, **options: Any) -> None:
    founded = await found_federation(session.dir, Given(**options))
    told = _("The federation {name} is founded. Its id: {id}").format(
        name=founded.name, id=text_of(founded.federation)
    )
    following = _("Next: maillon --dir {dir} node run, then: maillon --dir {dir} federation invite")
    session.output.document(founded, [told, following.format(dir=session.dir)])


async def found_federation(path: Path, given: Given) -> Founded:
    """Found it, on the disk of the node in `path`."""
    host = real_host(path)
    folder = NodeFolder(host.disk, str(path))
    newcomer = newcomer_of(path, folder)
    async with host.lock():
        entry = found(newcomer, _charter(given, newcomer, host.wall.now_s()))
        federation = entry.membership.federation
        records_file, view = await open_records(host, federation)
        await keep(records_file, view, entry.records)
        folder.become_member(entry.membership)
    return Founded(given.name, federation, newcomer.organisation.name)


def _charter(given: Given, newcomer: Newcomer, now_s: int) -> Charter:
    standing = Standing(
        given.jurisdiction, given.legal_form, tuple(sorted(set(given.certifications))), given.capacity_ceiling
    )
    return Charter(
        name=given.name,
        founder=newcomer.organisation.lineage,
        founder_standing=standing,
        founded_s=now_s,
        admissions=Admissions.SPONSORED,
        quorum=Quorum.MAJORITY,
        founder_alone_up_to=given.alone_up_to,
        classes=_classes(given.code),
    )


def _classes(code: Code | None) -> tuple[DataClass, ...]:
    return tuple(dataclasses.replace(data_class, code=code) for data_class in standard_classes())
