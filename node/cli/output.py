"""What a command says: text for people, or JSON for programs.

A short command ends with `document`: one JSON document, or the text made of it. A long one says `step` as it goes,
and with `--json` each step is one line and the last line holds `"result"`. JSON documents are made of the same
frozen dataclasses that travel over the admin socket: ids become their text, units stay in the names.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from protocol.errors import MaillonError
from protocol.ids import ID_BYTES, text_of


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: dataclasses become objects, 32-byte ids their text, other bytes hexadecimal."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return text_of(value) if len(value) == ID_BYTES else value.hex()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go. `to_error` moves JSON to standard error, when standard output carries data."""

    json: bool
    to_error: bool = False

    def document(self, value: Any, text: Iterable[str]) -> None:
        """The whole answer of a short command: `value` for programs, the lines of `text` for people."""
        if self.json:
            self._line(plain(value))
            return
        for line in text:
            click.echo(line, err=self.to_error)

    def result(self, value: Any, text: Iterable[str]) -> None:
        """The last line of a long command."""
        if self.json:
            self._line({"result": plain(value)})
            return
        for line in text:
            click.echo(line, err=self.to_error)

    def step(self, name: str, value: Any, text: str | None = None) -> None:
        """One step of a long command; `text` goes to standard error, so that answers stay apart from progress."""
        if self.json:
            self._line({"step": name, **plain(value)})
        elif text is not None:
            click.echo(text, err=True)

    def failure(self, error: MaillonError, told: str) -> None:
        """The last line of a command that failed, for programs."""
        described = {
            "family": error.blame,
            "identifier": error.identifier,
            "parameters": plain(error.parameters),
            "message": told,
        }
        self._line({"error": described})

    def _line(self, value: Any) -> None:
        click.echo(json.dumps(value, ensure_ascii=False), err=self.to_error)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table with columns as wide as they must be, without lines: it can be cut and grepped."""
    cells = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
