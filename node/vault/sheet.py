"""The recovery sheet: a namespace's root as words on paper, with where to ask for what they open.

A *paper* is one sheet as it was printed: the namespace's name, the class of its data (without which a recovered
gateway would not know where it may store), the federation's id, addresses of members, and words.
One paper is the whole sheet, or one of several among which the root was split (`sheet_words`); put together they
give the *sheet* back.

A paper is read back by its form, not by its prose: lines that begin with ``#`` are for people, in their language.
The text of its QR code is the same in one line without blanks, so that nothing between a camera and a terminal can
break it in a way that matters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote

from node.text import _
from node.vault.sheet_words import Words, numbered_words, secret_from_words, split_words
from protocol.errors import Malformed, Refused
from protocol.ids import FederationId, identity_from_text, text_of
from protocol.limits import ADDRESS_BYTES_MAX, NAME_BYTES_MAX
from protocol.namespace.root import Root

FIRST_LINE: Final = "maillon-sheet 1"
QR_BEGINNING: Final = "maillon-sheet:1?"
ADDRESSES_ON_SHEET_MAX: Final = 3
PAPERS_MAX: Final = 16

_LINES_MAX: Final = 200 * PAPERS_MAX
_SINGLE: Final = ("namespace", "class", "federation")
_FIELDS: Final = (*_SINGLE, "address")
_QR_FIELDS_MAX: Final = 16
_NUMBER: Final = re.compile(r"\d{1,2}[.):]?")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the papers give back. `addresses` are members who can be asked for the namespace's journal and shares."""

    root: Root
    name: str
    data_class: str
    federation: FederationId
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Paper:
    """What stands on one paper. It never shows its words by accident."""

    name: str
    data_class: str
    federation: FederationId
    addresses: tuple[str, ...]
    words: Words

    def __repr__(self) -> str:
        return f"Paper(name={self.name!r})"


@dataclass(frozen=True, slots=True)
class Split:
    """Any `needed` of `total` papers give the sheet back."""

    needed: int
    total: int


WHOLE: Final = Split(1, 1)


def papers_of(sheet: Sheet, split: Split, identifier: bytes) -> tuple[Paper, ...]:
    """The sheet as papers. Raises Refused(`sheet-split`)."""
    addresses = sheet.addresses[:ADDRESSES_ON_SHEET_MAX]
    sets = split_words(sheet.root.secret, split.needed, split.total, identifier)
    return tuple(Paper(sheet.name, sheet.data_class, sheet.federation, addresses, words) for words in sets)


def write_sheet(sheet: Sheet, identifier: bytes) -> str:
    """The whole sheet as text, ready to print."""
    return write_papers(papers_of(sheet, WHOLE, identifier), WHOLE)


def write_papers(papers: Sequence[Paper], split: Split) -> str:
    """The papers as text, one below the other."""
    return "\n".join(_text(paper, number, split) for number, paper in enumerate(papers, start=1))


def heading(paper: Paper, number: int, split: Split) -> str:
    """What the paper is, in the reader's language."""
    if split.total == 1:
        return _("Recovery sheet of the namespace “{name}”.").format(name=paper.name)
    told = _("Recovery sheet {number} of {total} of the namespace “{name}”: any {needed} of them together.")
    return told.format(name=paper.name, number=number, total=split.total, needed=split.needed)


def warning(split: Split) -> str:
    """What its keeper must know."""
    if split.total == 1:
        return _("Whoever holds these words can read everything in it. Keep them on paper, away from the machine.")
    return _("Each keeper has one sheet, on paper, away from the machine. One alone opens nothing.")


def qr_text(paper: Paper) -> str:
    """The paper in one line, for a QR code."""
    fields = [
        ("namespace", paper.name),
        ("class", paper.data_class),
        ("federation", text_of(paper.federation)),
        *(("address", address) for address in paper.addresses),
        ("words", ".".join(paper.words)),
    ]
    return QR_BEGINNING + "&".join(f"{name}={quote(value, safe=':.[]')}" for name, value in fields)


def read_sheet(text: str) -> Sheet:
    """The sheet of which `text` holds enough papers, one after the other, in either form.

    Blank lines, prose, capitals and the numbers of the words do not matter.

    Raises:
        Malformed, Refused: what `read_papers` and `sheet_from` raise.
    """
    return sheet_from(read_papers(text))


def read_papers(text: str) -> tuple[Paper, ...]:
    """Every paper in `text`, before its words are understood.

    Raises:
        Malformed: `sheet-form` with the line that cannot be understood, `sheet-incomplete` with what is missing,
            `sheet-empty`, `id-text` for the federation.
    """
    papers: list[Paper] = []
    lines: list[tuple[int, str]] = []
    for number, line in enumerate((line.strip() for line in text.splitlines()[:_LINES_MAX]), start=1):
        begins = line.lower().startswith((FIRST_LINE, QR_BEGINNING))
        if begins and lines:
            papers.append(_read(lines))
            lines = []
        if line and not line.startswith("#"):
            lines.append((number, line))
    if lines:
        papers.append(_read(lines))
    if not papers or len(papers) > PAPERS_MAX:
        raise Malformed("sheet-empty", found=len(papers), limit=PAPERS_MAX)
    return tuple(papers)


def sheet_from(papers: Sequence[Paper]) -> Sheet:
    """Put papers together.

    Raises:
        Refused: `sheets-mixed` when they are of different namespaces or splits, `sheets-too-few`.
        Malformed: what `secret_from_words` says of the words.
    """
    first = papers[0]
    for which, paper in enumerate(papers, start=1):
        if (paper.name, paper.data_class, paper.federation) != (first.name, first.data_class, first.federation):
            raise Refused("sheets-mixed", first=1, other=which)
    root = Root(secret_from_words([paper.words for paper in papers]))
    addresses = dict.fromkeys(address for paper in papers for address in paper.addresses)
    return Sheet(root, first.name, first.data_class, first.federation, tuple(addresses))


def _text(paper: Paper, number: int, split: Split) -> str:
    return "\n".join(
        [
            FIRST_LINE,
            "# " + heading(paper, number, split),
            "# " + warning(split),
            f"namespace: {paper.name}",
            f"class: {paper.data_class}",
            f"federation: {text_of(paper.federation)}",
            *(f"address: {address}" for address in paper.addresses),
            "words:",
            *numbered_words(paper.words),
            "",
        ]
    )


def _read(lines: list[tuple[int, str]]) -> Paper:
    if lines[0][1].lower().startswith(QR_BEGINNING):
        return _read_qr(lines)
    fields: dict[str, list[str]] = {name: [] for name in _FIELDS}
    words: list[str] | None = None
    for number, line in lines:
        if line.lower() == FIRST_LINE:
            continue
        label, _colon, value = line.partition(":")
        if label.lower() == "words":
            words = value.split()
        elif words is not None:
            words += line.split()
        elif label.lower() in fields and value.strip():
            fields[label.lower()].append(value.strip())
        else:
            raise Malformed("sheet-form", line=number)
    return _paper(fields, words or [])


def _read_qr(lines: list[tuple[int, str]]) -> Paper:
    """A terminal or a mail may have broken the line anywhere; it has no blanks of its own."""
    text = "".join("".join(line.split()) for _number, line in lines)[len(QR_BEGINNING) :]
    try:
        found = parse_qs(text, max_num_fields=_QR_FIELDS_MAX)
    except ValueError as error:
        raise Malformed("sheet-form", line=lines[0][0]) from error
    fields = {name: found.get(name, []) for name in _FIELDS}
    return _paper(fields, [word for words in found.get("words", []) for word in words.split(".")])


def _paper(fields: dict[str, list[str]], words: list[str]) -> Paper:
    for name in _SINGLE:
        if len(fields[name]) != 1 or len(fields[name][0].encode()) > NAME_BYTES_MAX:
            raise Malformed("sheet-incomplete", field=name)
    if not words:
        raise Malformed("sheet-incomplete", field="words")
    (name,), (data_class,), (federation,) = (fields[label] for label in _SINGLE)
    addresses = fields["address"]
    if not name.isprintable():
        raise Malformed("sheet-incomplete", field="namespace")
    if any(len(address.encode()) > ADDRESS_BYTES_MAX for address in addresses):
        raise Malformed("sheet-incomplete", field="address")
    spoken = tuple(word for word in words if not _NUMBER.fullmatch(word))
    return Paper(name, data_class, FederationId(identity_from_text(federation)), tuple(addresses), spoken)
