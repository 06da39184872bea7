"""Every way in which a command's body can end, and the code it leaves with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from node.cli.exits import CODES, INTERRUPTED, guard
from node.cli.output import Output
from protocol.errors import Missing, Unavailable
from tests.support.families import FAMILIES


def left_with(raised: BaseException, *, json_wanted: bool = False) -> Any:
    with pytest.raises(SystemExit) as caught, guard(Output(json=json_wanted)):
        raise raised
    return caught.value.code


@pytest.mark.parametrize("blame", sorted(FAMILIES))
def test_each_family_leaves_with_its_code(blame: str) -> None:
    assert left_with(FAMILIES[blame]("something")) == CODES[blame]


def test_an_error_inside_nurseries_is_the_error() -> None:
    group = BaseExceptionGroup("outer", [ExceptionGroup("inner", [Missing("object-missing", bucket="b", key="k")])])
    assert left_with(group) == CODES["missing"]


def test_an_interruption_counts_more_than_what_it_caused(capsys: pytest.CaptureFixture[str]) -> None:
    group = BaseExceptionGroup("both", [Unavailable("connection-lost"), KeyboardInterrupt()])
    assert left_with(group) == INTERRUPTED
    assert "Interrupted" in capsys.readouterr().err


def test_a_local_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(FileNotFoundError(2, "No such file or directory", "/some/where")) == CODES["missing"]
    assert "/some/where" in capsys.readouterr().err
    assert left_with(PermissionError(13, "Permission denied", "/some/where")) == CODES["refused"]


def test_a_bug_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), guard(Output(json=False)):
        raise ZeroDivisionError
    with pytest.raises(ExceptionGroup), guard(Output(json=False)):
        raise ExceptionGroup("bug", [ZeroDivisionError()])


def test_a_program_gets_identifier_parameters_and_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    left_with(Missing("object-missing", bucket="b", key="k"), json_wanted=True)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["identifier"] == "object-missing"
    assert error["family"] == "missing"
    assert error["parameters"] == {"bucket": "b", "key": "k"}
    assert "b/k" in error["message"]
