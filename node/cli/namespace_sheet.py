"""`maillon namespace sheet`: print a recovery sheet again, as text or HTML, whole or split; or rehearse its use.

The words come from a sheet that is there already: no machine knows them, so none can print them without it. Split
sheets are made anew each time; those of an earlier day still open the namespace, but not together with these.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import click

from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sheets import Form, form_options, given_sheet, paper, source_argument
from node.text import _
from node.vault.sheet import Split
from protocol.ids import NamespaceId


@dataclass(frozen=True, slots=True)
class Printed:
    """`recovery` is the sheet, where it was not written to a file."""

    name: str
    namespace: NamespaceId
    needed: int
    total: int
    output: str
    recovery: str


@make_command(_("Print a recovery sheet again, from the one in FILE (or typed, without FILE)."))
@source_argument
@form_options
@click.option("--verify", is_flag=True, help=_("Print nothing: rehearse a recovery, without changing anything."))
@click.option("--address", multiple=True, help=_("With --verify: address of a member to ask first."))
async def command(
    session: Session,
    *,
    sheet: str,
    html: bool,
    split: Split,
    output: Path | None,
    verify: bool,
    address: tuple[str, ...],
) -> None:
    form = Form(html, split, output)
    found = given_sheet(sheet)
    if verify:
        from node.cli.drill import drill

        known = dataclasses.replace(found, addresses=(*address, *found.addresses))
        await drill(session.output, known, session.chosen_dir)
        return
    with paper(form) as file:
        written = form.written(found)
        if file is not None:
            file.write(written)
    told = [written] if output is None else [_("The sheet is in {path}.").format(path=output)]
    shown = written if output is None else ""
    printed = Printed(found.name, found.root.namespace, split.needed, split.total, str(output or ""), shown)
    session.output.document(printed, told)
