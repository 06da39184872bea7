"""The French catalogue is complete, fresh, and asks for the same parameters as the English."""

from __future__ import annotations

import string

import pytest

from tests.tools.catalogue import LANGUAGES, all_translated, compiled, gathered, po_path, read


def fields(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name}


def forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_of_the_program_is_translated(language: str) -> None:
    known = read(language)
    missing = [
        message.id
        for message in gathered()
        if message.id and ((found := known.get(message.id)) is None or not all_translated(found.string))
    ]
    assert not missing, "run `make locale`, then translate them"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_same_parameters(language: str) -> None:
    for message in read(language):
        if message.id:
            wanted = set().union(*(fields(form) for form in forms(message.id)))
            for form in forms(message.string):
                assert fields(form) == wanted, message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_one_in_the_source(language: str) -> None:
    assert po_path(language).with_suffix(".mo").read_bytes() == compiled(read(language)), "run `make locale`"
