"""`maillon namespace sheet`: print a recovery sheet again, as text or HTML, whole or split.

The words come from a sheet that is there already: no machine knows them, so none can print them without it. Split
sheets are made anew each time; those of an earlier day still open the namespace, but not together with these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
def command(session: Session, *, sheet: str, html: bool, split: Split, output: Path | None) -> None:
    form = Form(html, split, output)
    found = given_sheet(sheet)
    with paper(form) as file:
        written = form.written(found)
        if file is not None:
            file.write(written)
    told = [written] if output is None else [_("The sheet is in {path}.").format(path=output)]
    shown = written if output is None else ""
    printed = Printed(found.name, found.root.namespace, split.needed, split.total, str(output or ""), shown)
    session.output.document(printed, told)
