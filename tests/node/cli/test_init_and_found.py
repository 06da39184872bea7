"""Making a node and founding a federation, on disk alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node.cli.exits import CODES
from node.cli.federation_join import Joined, joined_told
from node.cli.tree import program
from protocol.ids import Digest, FederationId, NodeId, PublicKey, identity_from_text
from tests.node.host.test_public import issue


def run(*arguments: str) -> Result:
    return CliRunner(env={"MAILLON_DIR": None}).invoke(program, arguments, prog_name="maillon")


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def init(folder: Path, *more: str) -> Any:
    return document("--dir", str(folder), "init", "--organisation", "Les Amis", "--name", "n1", *more)


def test_init_makes_a_node_whose_secrets_only_the_owner_reads(tmp_path: Path) -> None:
    created = init(tmp_path / "n1")
    assert len(identity_from_text(created["id"])) == 32
    assert len(created["recovery"].split()) == 33
    keys = sorted((tmp_path / "n1" / "keys").iterdir())
    assert [path.name for path in keys] == ["node.key", "organisation.key"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys)


def test_init_leaves_an_existing_node_alone(tmp_path: Path) -> None:
    init(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = run("--dir", str(tmp_path), "init", "--organisation", "Others")
    assert result.exit_code == CODES["refused"]
    assert str(tmp_path) in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_organisation_needs_a_name(tmp_path: Path) -> None:
    assert run("--dir", str(tmp_path / "n"), "init").exit_code == CODES["refused"]


def test_a_second_node_takes_the_organisation_over(tmp_path: Path) -> None:
    first = init(tmp_path / "n1")
    second = document("--dir", str(tmp_path / "n2"), "init", "--organisation-from", str(tmp_path / "n1"))
    assert second["organisation_id"] == first["organisation_id"]
    assert second["id"] != first["id"]
    assert second["recovery"] == ""


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "accentué", "line\nbreak"])
def test_any_name_makes_a_configuration_that_can_be_read(tmp_path: Path, name: str) -> None:
    document("--dir", str(tmp_path / "n"), "init", "--organisation", "O", "--name", name)
    assert document("--dir", str(tmp_path / "n"), "config", "check")["node"]["name"] == name


def test_a_configuration_is_good_only_with_a_certificate_that_can_be_used(tmp_path: Path) -> None:
    init(tmp_path)
    files = issue(tmp_path)
    with (tmp_path / "maillon.toml").open("a") as config:
        config.write('\n[s3]\nlisten = "127.0.0.1:9000"\ncertificate = "chain.pem"\nkey = "key.pem"\n')
    assert run("--dir", str(tmp_path), "config", "check").exit_code == 0
    Path(files.key).write_text("no key\n")
    found = run("--dir", str(tmp_path), "config", "check")
    assert found.exit_code == CODES["malformed"]
    assert files.certificate in found.stderr


def test_founding_gives_the_federation_an_id_once(tmp_path: Path) -> None:
    init(tmp_path)
    founded = document("--dir", str(tmp_path), "federation", "found", "--name", "Côte Ouest")
    assert len(identity_from_text(founded["federation"])) == 32
    again = run("--dir", str(tmp_path), "federation", "found", "--name", "Another")
    assert again.exit_code == CODES["refused"]
    assert (tmp_path / "records").stat().st_size > 0


def test_founding_needs_a_node(tmp_path: Path) -> None:
    result = run("--dir", str(tmp_path), "federation", "found", "--name", "x")
    assert result.exit_code == CODES["missing"]


def test_an_impossible_code_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    init(tmp_path)
    result = run("--dir", str(tmp_path), "federation", "found", "--name", "x", "--code", "6/4")
    assert result.exit_code == 2
    assert "6 of 4" in result.stderr
    assert not (tmp_path / "records").exists()


def test_a_node_without_a_federation_does_not_run(tmp_path: Path) -> None:
    init(tmp_path)
    result = run("--dir", str(tmp_path), "node", "run")
    assert result.exit_code == CODES["refused"]
    assert "federation" in result.stderr


def test_a_second_node_is_made_from_the_organisations_words(tmp_path: Path) -> None:
    first = init(tmp_path / "n1")
    numbered = "\n".join(f"{number:2d} {word}" for number, word in enumerate(first["recovery"].split(), 1))
    (tmp_path / "words").write_text(f"# our paper\n{numbered.upper()}\n", encoding="utf-8")
    words = ("--organisation-words", str(tmp_path / "words"))
    second = document("--dir", str(tmp_path / "n2"), "init", "--organisation", "Les Amis", *words)
    assert second["organisation_id"] == first["organisation_id"]
    assert second["id"] != first["id"]
    assert second["recovery"] == ""


def test_words_that_are_not_the_organisations_are_told_apart(tmp_path: Path) -> None:
    first = init(tmp_path / "n1")
    words = first["recovery"].split()
    (tmp_path / "slip").write_text(" ".join([*words[:8], "xyzzy", *words[9:]]), encoding="utf-8")
    (tmp_path / "sheet").write_text("maillon-sheet 1\nnamespace: x\n", encoding="utf-8")
    for name, told in (("slip", words[8]), ("sheet", "organisation's words")):
        given = ("--organisation", "O", "--organisation-words", str(tmp_path / name))
        result = run("--dir", str(tmp_path / "n2"), "init", *given)
        assert result.exit_code == CODES["malformed"]
        assert told in result.stderr


def test_nobody_is_asked_to_admit_one_more_node_of_a_member() -> None:
    for admitted in (False, True):
        joined = Joined(FederationId(Digest(bytes(32))), NodeId(PublicKey(bytes(32))), "Les Amis", 9, admitted)
        told = " ".join(joined_told(joined, Path("n2")))
        assert "maillon --dir n2 node run" in told
        assert ("admit Les Amis" in told) is not admitted
