"""The admin socket's messages: what may be sent fits into one message, whatever the members call themselves."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from typing import Any

import pytest

from node.admin import member_calls, namespace_calls, object_calls, s3_calls, status_calls
from node.admin.calls import Command
from protocol.ids import ID_BYTES
from protocol.wire import schema
from protocol.wire.envelopes import CALL_MESSAGE_BYTES_MAX
from protocol.wire.schema import DEFAULT_LENGTH, Length, Range

SUBJECTS = (member_calls, namespace_calls, object_calls, s3_calls, status_calls)
COMMANDS = [value for subject in SUBJECTS for value in vars(subject).values() if isinstance(value, Command)]


def largest(hint: Any, length: Length = DEFAULT_LENGTH) -> Any:
    """The largest value that a field of a message may have."""
    if typing.get_origin(hint) is typing.Annotated:
        inner, *bounds = typing.get_args(hint)
        ranges = [bound.most for bound in bounds if isinstance(bound, Range)]
        if ranges:
            return ranges[0]
        return largest(inner, next((bound for bound in bounds if isinstance(bound, Length)), length))
    if isinstance(hint, typing.NewType):
        return b"\xff" * ID_BYTES
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return largest(next(arg for arg in typing.get_args(hint) if arg is not type(None)), length)
    if typing.get_origin(hint) is tuple:
        return tuple(largest(typing.get_args(hint)[0]) for _number in range(length.most))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return next(iter(hint))
    if dataclasses.is_dataclass(hint):
        return largest_message(hint)
    if hint is bool:
        return True
    if hint is int:
        return 2**40
    return "x" * length.most if hint is str else b"x" * length.most


def largest_message(kind: Any) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    return kind(**{field.name: largest(hints[field.name]) for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_largest_question_and_answer_fit_into_one_message(command: Command[Any, Any]) -> None:
    for kind in (command.question, command.answer):
        assert len(schema.encode(largest_message(kind))) <= CALL_MESSAGE_BYTES_MAX, kind.__name__


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_questions_and_answers_come_back_as_they_were(command: Command[Any, Any]) -> None:
    for kind in (command.question, command.answer):
        message = largest_message(kind)
        assert schema.decode(kind, schema.encode(message)) == message


def test_every_command_has_its_own_name() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS) >= 16
