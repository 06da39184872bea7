"""Every error that the program raises by name has a sentence, which asks only for parameters that the error has."""

from __future__ import annotations

import ast
import string
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.text.told import TOLD
from tests.support.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
NAMES = {family.__name__ for family in FAMILIES.values()} | {"MaillonError"}


@dataclass(frozen=True, slots=True)
class Raised:
    """One place that makes an error. `parameters` is None where they are passed on as a mapping."""

    identifier: str
    parameters: frozenset[str] | None
    where: str


def raised_in(path: Path) -> list[Raised]:
    found = []
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in NAMES:
            continue
        if not call.args or not isinstance(call.args[0], ast.Constant) or not isinstance(call.args[0].value, str):
            continue
        keywords = [keyword.arg for keyword in call.keywords]
        parameters = None if None in keywords else frozenset(keyword for keyword in keywords if keyword)
        found.append(Raised(call.args[0].value, parameters, f"{path.relative_to(ROOT)}:{call.lineno}"))
    return found


PATHS = [path for floor in ("protocol", "node", "sim") for path in sorted((ROOT / floor).rglob("*.py"))]
ERRORS = sorted((error for path in PATHS for error in raised_in(path)), key=lambda error: error.identifier)


def fields(template: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(template) if name}


def test_the_program_raises_errors_by_name() -> None:
    assert len(ERRORS) > 50


@pytest.mark.parametrize("identifier", sorted({error.identifier for error in ERRORS}))
def test_every_identifier_has_a_sentence(identifier: str) -> None:
    where = [error.where for error in ERRORS if error.identifier == identifier]
    assert identifier in TOLD, f"raised at {where}"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error.identifier}@{error.where}")
def test_a_sentence_asks_only_for_what_its_error_says(error: Raised) -> None:
    if error.parameters is not None and error.identifier in TOLD:
        assert fields(TOLD[error.identifier]) <= error.parameters
