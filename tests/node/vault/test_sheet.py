"""The recovery sheet: what is printed can be read back, from paper or from its QR code, whole or split."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.vault.sheet import (
    FIRST_LINE,
    WHOLE,
    Sheet,
    Split,
    papers_of,
    qr_text,
    read_sheet,
    write_papers,
    write_sheet,
)
from node.vault.sheet_page import sheet_page
from node.vault.sheet_words import words_of
from protocol.errors import Malformed, Refused
from protocol.ids import FederationId
from protocol.namespace.root import Root
from tests.support.namespaces import some

ROOT = Root(some("root"))
SHEET = Sheet(
    ROOT, "la mairie", "health", FederationId(some("federation")), ("a.example:4444", "[2001:db8::1]:4444", "c:1")
)
GOOD = words_of(ROOT.secret, b"\x12\x34")
THREE_OF_FIVE = Split(3, 5)
PAPERS = papers_of(SHEET, THREE_OF_FIVE, b"\x12\x34")


def test_a_printed_sheet_is_read_back() -> None:
    text = write_sheet(SHEET, b"\x12\x34")
    assert text.startswith(FIRST_LINE)
    assert read_sheet(text) == SHEET


def test_it_is_the_same_sheet_in_capitals_with_dots_and_without_prose() -> None:
    lines = [line for line in write_sheet(SHEET, b"\x12\x34").splitlines() if not line.startswith("#")]
    head, words = lines[: lines.index("words:")], GOOD
    typed = "\n\n".join([*head, "WORDS:", *(f"{number}. {word.upper()}" for number, word in enumerate(words, 1))])
    assert read_sheet(typed) == SHEET


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "Zs", "S"]), min_size=1, max_size=20), st.integers(1, 200))
def test_the_qr_code_says_the_same_wherever_its_line_is_broken(name: str, width: int) -> None:
    name = name.strip()
    if not name or not name.isprintable():
        return
    sheet = replace(SHEET, name=name)
    (paper,) = papers_of(sheet, WHOLE, b"\x12\x34")
    text = qr_text(paper)
    assert re.fullmatch(r"[!-~]+", text)
    broken = "\n".join([text[:20], *(text[start : start + width] for start in range(20, len(text), width))])
    assert read_sheet(broken) == sheet
    assert read_sheet(text) == sheet


def test_enough_papers_one_after_the_other_are_the_sheet_in_either_form() -> None:
    mixed = "\n".join([write_papers(PAPERS[:1], THREE_OF_FIVE), qr_text(PAPERS[3]), "", qr_text(PAPERS[2])])
    assert read_sheet(mixed) == SHEET
    assert read_sheet(write_papers(PAPERS, THREE_OF_FIVE)) == SHEET


def test_papers_of_two_namespaces_do_not_mix() -> None:
    (other,) = papers_of(replace(SHEET, name="the coop"), WHOLE, b"\x12\x34")
    with pytest.raises(Refused, match="sheets-mixed") as caught:
        read_sheet(f"{qr_text(PAPERS[0])}\n{qr_text(PAPERS[1])}\n{qr_text(other)}")
    assert caught.value.parameters == {"first": 1, "other": 3}


@pytest.mark.parametrize("field", ["namespace", "class", "federation", "words"])
def test_a_sheet_with_a_part_torn_off_says_which(field: str) -> None:
    lines = write_sheet(SHEET, b"\x12\x34").splitlines()
    kept = [line for line in lines if not line.startswith((field, " " if field == "words" else field))]
    with pytest.raises(Malformed, match="sheet-incomplete") as caught:
        read_sheet("\n".join(kept))
    assert caught.value.parameters == {"field": field}


def test_a_line_that_belongs_to_no_sheet_is_named() -> None:
    with pytest.raises(Malformed, match="sheet-form") as caught:
        read_sheet(f"{FIRST_LINE}\nshopping list\n")
    assert caught.value.parameters == {"line": 2}


@pytest.mark.parametrize("text", ["", "\n# only prose\n", "\n".join([FIRST_LINE + "\nnamespace: x"] * 17)])
def test_nothing_or_far_too_much_is_no_sheet(text: str) -> None:
    with pytest.raises(Malformed, match=r"sheet-(empty|incomplete)"):
        read_sheet(text)


def test_a_qr_text_of_endless_fields_is_refused() -> None:
    with pytest.raises(Malformed, match="sheet-form"):
        read_sheet("maillon-sheet:1?" + "&".join(["namespace=x"] * 1_000))


def test_a_sheet_does_not_show_its_secret_by_accident() -> None:
    assert ROOT.secret.hex() not in repr(SHEET)
    assert str(ROOT.secret) not in repr(SHEET)
    assert PAPERS[0].words[7] not in repr(PAPERS[0])


def test_the_page_for_the_printer_has_every_paper_with_words_and_code_and_asks_for_nothing_else() -> None:
    page = sheet_page(PAPERS, THREE_OF_FIVE, "en")
    assert page.count("<section>") == page.count("<svg") == 5
    sections = page.split("<section>")[1:]
    for paper, section in zip(PAPERS, sections, strict=True):
        assert tuple(re.findall(r"<li>(\w+)</li>", section)) == paper.words
        assert all(html.escape(address) in section for address in SHEET.addresses)
    assert re.search(r"(src|href)=|@import|url\(|<script", page) is None


def test_a_name_is_text_on_the_page_whatever_it_says() -> None:
    papers = papers_of(replace(SHEET, name="<script>alert('{x}')</script>"), WHOLE, b"\x12\x34")
    page = sheet_page(papers, WHOLE, 'fr"><script>')
    assert "<script" not in page
    assert "&lt;script&gt;" in page
