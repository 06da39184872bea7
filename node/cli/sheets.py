"""Recovery sheets on their way out and in: printed as text or HTML, whole or split; read from a file or typed.

A sheet that is written to a file gets a new one that only its owner may read, and the file is made before there is
anything to lose: a namespace whose sheet cannot be written is not created.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click

from node.text import _, language
from node.vault.sheet import WHOLE, Sheet, Split, papers_of, read_sheet, write_papers
from node.vault.sheet_words import IDENTIFIER_BYTES
from protocol.errors import Refused

TYPED = "-"
_SHEET_LETTERS_MAX = 256 * 1024


class SplitType(click.ParamType[Split]):
    """ "3/5": any 3 of 5 sheets give the words back."""

    name = "m/n"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Split:
        if isinstance(value, Split):
            return value
        needed, _slash, total = str(value).partition("/")
        if not (needed.isdigit() and total.isdigit()):
            self.fail(
                _("{value} is no way to split a sheet; write for instance 3/5.").format(value=value), param, ctx
            )
        return Split(int(needed), int(total))


@dataclass(frozen=True, slots=True)
class Form:
    """How a sheet is wanted on paper. `output` is the file to write, or None for standard output."""

    html: bool
    split: Split
    output: Path | None

    def written(self, sheet: Sheet) -> str:
        """The sheet in this form. Raises Refused(`sheet-split`)."""
        papers = papers_of(sheet, self.split, os.urandom(IDENTIFIER_BYTES))
        if not self.html:
            return write_papers(papers, self.split)
        from node.vault.sheet_page import sheet_page

        return sheet_page(papers, self.split, language())


def form_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make a `Form`."""
    for option in (
        click.option("--output", type=click.Path(path_type=Path), help=_("Write a new file, for you alone to read.")),
        click.option("--split", type=SplitType(), default="1/1", help=_("M/N: N sheets, any M of which suffice.")),
        click.option("--html", is_flag=True, help=_("A page for the printer, with a QR code, instead of text.")),
    ):
        function = option(function)
    return function


def source_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where a sheet is read from."""
    return click.argument("sheet", default=TYPED, metavar="[FILE]")(function)


@contextmanager
def paper(form: Form) -> Iterator[TextIO | None]:
    """The new file that the sheet goes to, or None; gone again when the block fails.

    Raises:
        Refused: `local-file-exists`; `sheet-split`, before anything else happened.
    """
    _check_split(form.split)
    if form.output is None:
        yield None
        return
    try:
        descriptor = os.open(form.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused("local-file-exists", path=str(form.output)) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        form.output.unlink(missing_ok=True)
        raise


def given_sheet(source: str) -> Sheet:
    """The sheet (or enough of a split one) in a file, or as it is typed. Raises what `read_sheet` does."""
    return read_sheet(given_text(source, _("Type the sheet as printed, or the text of its QR code.")))


def given_text(source: str, invitation: str) -> str:
    """What a file holds, or what is typed until the end of input."""
    if source != TYPED:
        with Path(source).open(encoding="utf-8", errors="replace") as file:
            return file.read(_SHEET_LETTERS_MAX)
    if sys.stdin.isatty():
        click.echo(invitation + " " + _("End with Ctrl-D on a line of its own."), err=True)
    return sys.stdin.read(_SHEET_LETTERS_MAX)


def _check_split(split: Split) -> None:
    from node.vault.sheet_words import split_words

    if split != WHOLE:
        split_words(bytes(32), split.needed, split.total, bytes(IDENTIFIER_BYTES))
