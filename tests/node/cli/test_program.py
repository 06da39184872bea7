"""The program from outside: help, exit codes, --json, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from node.cli.exits import CODES, INTERRUPTED
from node.cli.tree import LazyGroup, program
from tests.support.families import FAMILIES

HEAVY = ("trio", "cryptography", "nacl", "blake3", "msgpack", "rich", "structlog", "zfec", "node.app")


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner(env={"MAILLON_DIR": None, **(env or {})}).invoke(program, arguments, prog_name="maillon")


def commands(group: LazyGroup, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*before, name), found
        if isinstance(found, LazyGroup):
            yield from commands(found, *before, name)


ALL = list(commands(program))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from node.cli.tree import program; program(['--help'], standalone_mode=False);"
        f"heavy = set({HEAVY!r}) & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["put", "get", "ls", "status"])
def test_a_command_that_only_asks_its_node_imports_neither_the_node_nor_ciphers_nor_logs(name: str) -> None:
    heavy = set(HEAVY) - {"trio", "msgpack"} | {"node.config", "node.host.certificate"}
    code = f"import sys, node.cli.{name};heavy = {heavy!r} & set(sys.modules); assert not heavy, heavy"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("names", [names for names, _command in ALL], ids="-".join)
def test_every_command_has_help_and_takes_dir_and_json(names: tuple[str, ...]) -> None:
    result = run(*names, "--help")
    assert result.exit_code == 0, result.output
    assert "--dir" in result.output
    assert "--json" in result.output


def test_other_packages_add_branches_which_help_lists_without_importing_their_commands() -> None:
    code = (
        "import sys; from node.cli.tree import program; program(['--help'], standalone_mode=False);"
        "assert not [name for name in sys.modules if name.startswith('sim.') and not name.startswith('sim.cli')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "  sim " in done.stdout


def test_every_family_of_errors_has_its_own_exit_code() -> None:
    codes = [CODES[blame] for blame in FAMILIES]
    assert len(set(codes)) == len(codes)
    assert not {0, 1, 2, 130} & set(codes)


def test_wrong_usage_is_2() -> None:
    assert run("put").exit_code == 2
    assert run("nonsense").exit_code == 2
    assert run("devnet", "up", "--nodes", "0").exit_code == 2


def test_no_folder_given_says_so(tmp_path: Path) -> None:
    result = run("status")
    assert result.exit_code == CODES["refused"]
    assert "--dir" in result.stderr
    assert result.stdout == ""


def test_the_folder_may_stand_anywhere_and_the_environment_counts_least(tmp_path: Path) -> None:
    here, elsewhere = str(tmp_path / "here"), str(tmp_path / "elsewhere")
    for arguments in (("--dir", here, "status"), ("status", "--dir", here)):
        result = run(*arguments, env={"MAILLON_DIR": elsewhere})
        assert here in result.stderr
        assert elsewhere not in result.stderr
    assert elsewhere in run("status", env={"MAILLON_DIR": elsewhere}).stderr


@pytest.mark.parametrize("arguments", [("--json", "status"), ("status", "--json")])
def test_with_json_an_error_is_a_document(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run("--dir", str(tmp_path), *arguments)
    document = json.loads(result.stdout)
    assert document["error"]["identifier"] == "node-dir-absent"
    assert document["error"]["family"] == "missing"
    assert document["error"]["message"] in result.stderr
    assert result.exit_code == CODES["missing"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_the_program(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_MAILLON_COMPLETE" in result.stdout


def test_completion_of_commands() -> None:
    result = run(env={"_MAILLON_COMPLETE": "bash_complete", "COMP_WORDS": "maillon fed", "COMP_CWORD": "1"})
    assert result.exit_code == 0


def test_ctrl_c_while_a_command_is_read_is_an_interruption_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("node.cli.tree.importlib.import_module", interrupted)
    result = CliRunner().invoke(program, ["status"])
    assert result.exit_code == INTERRUPTED
    assert "Interrupted." in result.stderr


def test_how_things_stand_is_told_in_the_readers_language() -> None:
    told = (
        "import node.cli.federation_members as f; from node.admin.lines import ProposalLine;"
        "print(f.proposals_told((ProposalLine(bytes(32), 'admit', 'Coop', 1, 3, 4, True, 'open'),)))"
    )
    environment = {**os.environ, "LANGUAGE": "fr"}
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, env=environment)
    assert "admettre" in done.stdout
    assert "1 sur 3" in done.stdout
    assert "ouverte" in done.stdout


def test_the_words_of_click_are_in_the_readers_language_too() -> None:
    environment = {**os.environ, "LANGUAGE": "fr"}
    code = "from node.cli.tree import program; program(prog_name='maillon')"

    def told(*arguments: str) -> str:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return done.stdout + done.stderr

    assert "Montrer ce message et sortir." in told("put", "--help")
    assert "Options :" in told("put", "--help")
    assert "[par défaut : 16" in told("put", "--help")
    assert "Il n’y a pas d’option '--secret'." in told("put", "--secret")
    assert "Il manque un argument 'TARGET'." in told("put", "file")
    assert "Argument en trop (c)" in told("put", "a", "b", "c")
