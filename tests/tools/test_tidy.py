"""The house's own rules that no linter knows: sizes, opening words, where words may be printed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
DOCSTRING_LETTERS_MIN = 20
MAY_PRINT = ("node/cli/",)


def modules(*folders: str) -> list[Path]:
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found, "the tidy test looks at nothing"
    return found


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


PROGRAM = modules("protocol", "node", "sim")
EVERYTHING = modules("protocol", "node", "sim", "tests")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for item in ast.walk(tree):
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            yield item


@pytest.mark.parametrize("path", EVERYTHING, ids=named)
def test_a_module_is_one_idea(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MODULE_LINES_MAX, f"{lines} lines are two ideas"


@pytest.mark.parametrize("path", EVERYTHING, ids=named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    long = [
        f"{item.name}: {(item.end_lineno or 0) - item.lineno + 1} lines"
        for item in functions(tree)
        if (item.end_lineno or 0) - item.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long


@pytest.mark.parametrize("path", PROGRAM, ids=named)
def test_a_module_opens_with_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert sum(letter.isalpha() for letter in docstring) >= DOCSTRING_LETTERS_MIN, "say what this module is and why"


@pytest.mark.parametrize("path", PROGRAM, ids=named)
def test_only_the_command_line_prints(path: Path) -> None:
    if named(path).startswith(MAY_PRINT):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    printed = [
        item.lineno
        for item in ast.walk(tree)
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id == "print"
    ]
    assert not printed
