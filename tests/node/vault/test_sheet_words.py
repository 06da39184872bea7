"""Words on paper: what was written comes back, and a slip of the pen is found and told."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic import combine_mnemonics, generate_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from node.vault.sheet_words import WORDS, secret_from_words, split_words, words_of
from protocol.errors import Malformed, Refused
from tests.support.namespaces import some

SECRET = some("root")
GOOD = words_of(SECRET, b"\x12\x34")
OF_FIVE = split_words(SECRET, 3, 5, b"\x12\x34")


def test_the_words_are_slip_39() -> None:
    # Written by shamir-mnemonic's own generator and read here, and the other way round.
    ((words,),) = generate_mnemonics(1, [(1, 1)], SECRET)
    assert len(words.split()) == WORDS == len(GOOD)
    assert secret_from_words([words.split()]) == SECRET
    assert combine_mnemonics([" ".join(words) for words in OF_FIVE[1:4]]) == SECRET


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=2, max_size=2))
def test_every_secret_comes_back(secret: bytes, identifier: bytes) -> None:
    assert secret_from_words([words_of(secret, identifier)]) == secret


@settings(max_examples=60, deadline=None)
@given(st.integers(0, WORDS - 1), st.integers(1, 1023))
def test_one_wrong_word_is_found_and_the_right_one_told(position: int, change: int) -> None:
    wrong = list(GOOD)
    wrong[position] = WORDLIST[WORDLIST.index(GOOD[position]) ^ change]
    with pytest.raises(Malformed, match="sheet-word-wrong") as caught:
        secret_from_words([wrong])
    assert caught.value.parameters == {
        "sheet": 1,
        "number": position + 1,
        "word": wrong[position],
        "nearest": GOOD[position],
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(0, WORDS - 1))
def test_a_word_nobody_can_read_is_told_from_the_others(position: int) -> None:
    wrong = [*GOOD[:position], "?????", *GOOD[position + 1 :]]
    with pytest.raises(Malformed, match="sheet-word-unknown") as caught:
        secret_from_words([wrong])
    assert caught.value.parameters == {
        "sheet": 1,
        "number": position + 1,
        "word": "?????",
        "nearest": GOOD[position],
    }


def test_of_two_misspelt_words_the_first_is_named_with_what_looks_most_like_it() -> None:
    wrong = [*GOOD[:4], GOOD[4][:-1] + "q", *GOOD[5:9], GOOD[9] + "x", *GOOD[10:]]
    with pytest.raises(Malformed, match="sheet-word-unknown") as caught:
        secret_from_words([wrong])
    assert caught.value.parameters["number"] == 5
    assert caught.value.parameters["nearest"] == GOOD[4]


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, WORDS - 1), min_size=2, max_size=2))
def test_two_words_that_changed_places_are_named(positions: set[int]) -> None:
    first, second = sorted(positions)
    swapped = list(GOOD)
    swapped[first], swapped[second] = GOOD[second], GOOD[first]
    if swapped != list(GOOD):
        with pytest.raises(Malformed, match="sheet-words-swapped") as caught:
            secret_from_words([swapped])
        assert caught.value.parameters == {"sheet": 1, "first": first + 1, "second": second + 1}


def test_when_more_is_wrong_nothing_is_guessed() -> None:
    wrong = [*GOOD[:3], *GOOD[4:9], GOOD[3], *GOOD[9:]]
    with pytest.raises(Malformed, match="sheet-words") as caught:
        secret_from_words([wrong])
    assert caught.value.identifier == "sheet-words"


def test_a_word_too_few_says_how_many_there_are() -> None:
    with pytest.raises(Malformed, match="sheet-word-count") as caught:
        secret_from_words([GOOD[:-1]])
    assert caught.value.parameters == {"sheet": 1, "found": 32, "needed": 33}


@pytest.mark.parametrize("chosen", list(itertools.combinations(range(5), 3)))
def test_any_three_of_five_suffice_in_any_order(chosen: tuple[int, ...]) -> None:
    assert secret_from_words([OF_FIVE[index] for index in reversed(chosen)]) == SECRET


def test_more_than_enough_is_no_harm_nor_is_the_same_one_twice() -> None:
    assert secret_from_words(OF_FIVE) == SECRET
    assert secret_from_words([OF_FIVE[0], OF_FIVE[0], OF_FIVE[4], OF_FIVE[2]]) == SECRET


def test_two_of_five_are_too_few_and_it_says_which_they_are() -> None:
    with pytest.raises(Refused, match="sheets-too-few") as caught:
        secret_from_words([OF_FIVE[3], OF_FIVE[1], OF_FIVE[3]])
    assert caught.value.parameters == {"found": 2, "needed": 3, "present": ("2", "4")}


@pytest.mark.parametrize("identifier", [b"\x12\x35", b"\x12\x34"])
def test_sheets_of_two_splits_do_not_mix(identifier: bytes) -> None:
    # The second case is the one in 32,768 where both days drew the same identifier: the digest inside tells.
    other_day = split_words(SECRET, 3, 5, identifier)
    with pytest.raises(Refused, match="sheets-mixed"):
        secret_from_words([OF_FIVE[0], OF_FIVE[1], other_day[2]])


def test_a_slip_on_one_of_several_sheets_names_the_sheet() -> None:
    wrong = [OF_FIVE[1][0] if word == OF_FIVE[1][7] else word for word in OF_FIVE[1]]
    with pytest.raises(Malformed, match="sheet-word-wrong") as caught:
        secret_from_words([OF_FIVE[0], wrong, OF_FIVE[2]])
    assert caught.value.parameters["sheet"] == 2
    assert caught.value.parameters["number"] == 8


@pytest.mark.parametrize(("needed", "total"), [(1, 3), (0, 1), (4, 3), (2, 17)])
def test_what_is_no_split_is_refused(needed: int, total: int) -> None:
    with pytest.raises(Refused, match="sheet-split"):
        split_words(SECRET, needed, total, b"\x12\x34")
