"""`maillon namespace sheet`: printing again, laying out and splitting, and every way to get the words wrong."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node.cli.exits import CODES
from node.cli.tree import program
from node.vault.sheet import Sheet, read_sheet, write_sheet
from protocol.ids import FederationId
from protocol.namespace.root import Root
from tests.support.namespaces import some

SHEET = Sheet(Root(some("root")), "mairie", "internal", FederationId(some("federation")), ("a.example:7400",))
TEXT = write_sheet(SHEET, b"\x12\x34")


def run(*arguments: str, typed: str = "") -> Result:
    runner = CliRunner(env={"MAILLON_DIR": None, "LANGUAGE": "en"})
    return runner.invoke(program, ["namespace", "sheet", *arguments], input=typed, prog_name="maillon")


def problem(result: Result) -> Any:
    return json.loads(result.stdout.splitlines()[-1])["error"]


def test_a_typed_sheet_is_printed_again() -> None:
    result = run(typed=TEXT)
    assert result.exit_code == 0, result.output
    assert read_sheet(result.stdout) == SHEET


def test_a_file_is_split_and_what_is_printed_opens_the_same_namespace(tmp_path: Path) -> None:
    (tmp_path / "sheet").write_text(TEXT, encoding="utf-8")
    result = run(str(tmp_path / "sheet"), "--split", "2/3")
    assert result.exit_code == 0, result.output
    papers = result.stdout.split("maillon-sheet 1")[1:]
    assert len(papers) == 3
    assert read_sheet("maillon-sheet 1" + papers[2] + "maillon-sheet 1" + papers[0]) == SHEET
    alone = run("--json", typed="maillon-sheet 1" + papers[1])
    assert alone.exit_code == CODES["refused"]
    assert problem(alone)["identifier"] == "sheets-too-few"
    assert problem(alone)["parameters"]["present"] == ["2"]


def test_html_goes_to_a_new_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    output = tmp_path / "sheet.html"
    result = run("--html", "--output", str(output), typed=TEXT)
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert output.read_text(encoding="utf-8").count("<svg") == 1
    words = TEXT.partition("words:")[2].split()
    assert words[1] not in result.output
    again = run("--html", "--output", str(output), typed=TEXT)
    assert again.exit_code == CODES["refused"]
    assert "exists" in again.stderr


def test_an_impossible_split_makes_no_file(tmp_path: Path) -> None:
    output = tmp_path / "sheet.txt"
    assert run("--split", "5/3", "--output", str(output), typed=TEXT).exit_code == CODES["refused"]
    assert run("--split", "most", "--output", str(output), typed=TEXT).exit_code == 2
    assert not output.exists()


def words_changed(change: dict[int, str]) -> str:
    head, _words, rest = TEXT.partition("words:\n")
    words = [word for word in rest.split() if not word.isdigit()]
    return head + "words:\n" + " ".join(change.get(number, word) for number, word in enumerate(words, 1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({9: "zero"}, "word 9: `zero` must be"),
        ({9: "xyzzy"}, "Did you mean"),
        ({33: ""}, "has 32"),
    ],
)
def test_a_slip_of_the_pen_is_told(change: dict[int, str], told: str) -> None:
    result = run(typed=words_changed(change))
    assert result.exit_code == CODES["malformed"]
    assert told in result.stderr
