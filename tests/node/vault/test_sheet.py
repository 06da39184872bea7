"""The recovery sheet: what is printed can be read back, and a slip of the pen is found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.wordlist import WORDLIST

from node.vault.sheet import FIRST_LINE, WORDS, Sheet, read_sheet, root_from_words, words_of, write_sheet
from protocol.errors import Malformed
from protocol.ids import FederationId
from protocol.namespace.root import Root
from tests.support.namespaces import some

ROOT = Root(some("root"))
SHEET = Sheet(ROOT, "la mairie", FederationId(some("federation")), ("a.example:4444", "[2001:db8::1]:4444", "c:1"))
GOOD = words_of(ROOT, b"\x12\x34")


def test_a_printed_sheet_is_read_back() -> None:
    text = write_sheet(SHEET, b"\x12\x34")
    assert text.startswith(FIRST_LINE)
    assert read_sheet(text) == SHEET


def test_it_is_the_same_sheet_in_capitals_with_dots_and_without_prose() -> None:
    lines = [line for line in write_sheet(SHEET, b"\x12\x34").splitlines() if not line.startswith("#")]
    head, words = lines[: lines.index("words:")], GOOD
    typed = "\n\n".join([*head, "WORDS:", *(f"{number}. {word.upper()}" for number, word in enumerate(words, 1))])
    assert read_sheet(typed) == SHEET


def test_the_words_are_slip_39() -> None:
    # Written by shamir-mnemonic's own generator, read here.
    from shamir_mnemonic import generate_mnemonics

    ((words,),) = generate_mnemonics(1, [(1, 1)], ROOT.secret)
    assert len(words.split()) == WORDS == len(GOOD)
    assert root_from_words(words.split()) == ROOT


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=2, max_size=2))
def test_every_root_comes_back(secret: bytes, identifier: bytes) -> None:
    assert root_from_words(words_of(Root(secret), identifier)) == Root(secret)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, WORDS - 1), st.integers(1, 1023))
def test_one_wrong_word_is_found_and_the_right_one_told(position: int, change: int) -> None:
    wrong = list(GOOD)
    wrong[position] = WORDLIST[WORDLIST.index(GOOD[position]) ^ change]
    with pytest.raises(Malformed, match="sheet-word-wrong") as caught:
        root_from_words(wrong)
    assert caught.value.parameters == {
        "number": position + 1,
        "word": wrong[position],
        "nearest": GOOD[position],
    }


def test_a_misspelt_word_is_named_with_its_nearest() -> None:
    wrong = [*GOOD[:4], GOOD[4][:-1] + "q", *GOOD[5:]]
    with pytest.raises(Malformed, match="sheet-word-unknown") as caught:
        root_from_words(wrong)
    assert caught.value.parameters["number"] == 5
    assert caught.value.parameters["nearest"] == GOOD[4]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, WORDS - 2))
def test_two_swapped_words_never_pass(position: int) -> None:
    swapped = list(GOOD)
    swapped[position], swapped[position + 1] = GOOD[position + 1], GOOD[position]
    if swapped != list(GOOD):
        with pytest.raises(Malformed):
            root_from_words(swapped)


def test_a_word_too_few_says_how_many_there_are() -> None:
    with pytest.raises(Malformed, match="sheet-word-count") as caught:
        root_from_words(GOOD[:-1])
    assert caught.value.parameters == {"found": 32, "needed": 33}


@pytest.mark.parametrize("field", ["namespace", "federation", "words"])
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


def test_a_sheet_does_not_show_its_root_by_accident() -> None:
    assert ROOT.secret.hex() not in repr(SHEET)
    assert str(ROOT.secret) not in repr(SHEET)
