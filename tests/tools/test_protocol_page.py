"""docs/protocol.md says what the code does: every message with its fields, every number, context, error and limit.

What a page cannot be held to by a machine (what a field means, what is checked and when) is for its readers. What can
be is held here, so that the page does not rot in silence: who changes a format is told where to say so.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import protocol
from protocol import limits
from protocol.members.records import RecordKind
from protocol.namespace.changes import KINDS
from protocol.requests import Kind
from protocol.wire.frames import FrameType
from tests.support.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
FLOORS = ("protocol", "node/net")
BLAME = {family.__name__: blame for blame, family in FAMILIES.items()}
ROWS = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in PAGE.splitlines() if line[:1] == "|"]


def sources(*floors: str) -> Iterator[ast.Module]:
    for floor in floors:
        for path in sorted((ROOT / floor).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


def messages() -> list[Any]:
    """Every class of `protocol` that opens with a version, and every class that stands inside one of them."""
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(protocol.__path__, "protocol.")]
    todo = [
        kind
        for module in modules
        for kind in vars(module).values()
        if dataclasses.is_dataclass(kind) and hasattr(kind, "WIRE_VERSION") and kind.__module__ == module.__name__
    ]
    found: list[Any] = []
    while todo:
        kind = todo.pop()
        if kind not in found:
            found.append(kind)
            todo += [part for part in parts_of(kind) if dataclasses.is_dataclass(part)]
    return sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__))


def parts_of(hint: Any) -> list[Any]:
    """The classes that the fields of a class are made of."""
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return [part for field in dataclasses.fields(hint) for part in classes_in(hints[field.name])]
    return []


def classes_in(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in (tuple, typing.Union, types.UnionType, typing.Annotated):
        return [part for inner in typing.get_args(hint) for part in classes_in(inner)]
    return [hint] if isinstance(hint, type) else []


MESSAGES = messages()
ENUMS = sorted(
    {part for kind in MESSAGES for part in parts_of(kind) if issubclass(part, enum.Enum)}, key=lambda e: e.__name__
)


def layout(kind: Any) -> str:
    version = [str(kind.WIRE_VERSION)] if hasattr(kind, "WIRE_VERSION") else []
    return f"[{', '.join(version + [field.name for field in dataclasses.fields(kind)])}]"


def raised() -> dict[str, tuple[set[str], set[str]]]:
    """Identifier → families and parameters, of every error that the floors make by name."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for module in sources(*FLOORS):
        for call in ast.walk(module):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in BLAME:
                continue
            if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
                families, parameters = found.setdefault(call.args[0].value, (set(), set()))
                families.add(BLAME[call.func.id])
                parameters.update(keyword.arg for keyword in call.keywords if keyword.arg)
    return found


RAISED = raised()


def test_there_is_something_to_check() -> None:
    assert len(MESSAGES) > 60
    assert len(RAISED) > 80
    assert len(ENUMS) > 5


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__qualname__)
def test_every_message_is_there_with_its_fields_in_order(kind: Any) -> None:
    if kind.__name__.startswith("_"):  # signed or wrapped, never named
        assert layout(kind) in TEXT
    else:
        assert f"{kind.__name__} = {layout(kind)}" in TEXT


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_every_number_of_a_field_is_there(kind: type[enum.Enum]) -> None:
    missing = [member for member in kind if f"{member.value} {member.name}" not in TEXT]
    assert not missing


@pytest.mark.parametrize("numbers", [Kind, FrameType], ids=["requests", "frames"])
def test_every_kind_of_request_and_type_of_frame_is_there(numbers: type[enum.IntEnum]) -> None:
    assert not [member for member in numbers if [str(member.value), member.name] not in [row[:2] for row in ROWS]]


def test_every_kind_of_record_and_change_is_there() -> None:
    rows = [row[:2] for row in ROWS]
    assert not [kind for kind in RecordKind if [str(kind.value), kind.name] not in rows]
    changes = {number: f"`{kind.__name__} = {layout(kind)}`" for number, kind in KINDS.items()}
    assert not [said for number, said in changes.items() if [str(number), said] not in rows]


def test_every_context_and_purpose_is_there() -> None:
    said = {
        node.value
        for module in sources(*FLOORS)
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"maillon[/ ].+", node.value)
    }
    assert len(said) > 30
    assert not [one for one in sorted(said) if f"`{one}`" not in PAGE]


@pytest.mark.parametrize("identifier", sorted(RAISED))
def test_every_error_is_there_with_family_and_parameters(identifier: str) -> None:
    families, parameters = RAISED[identifier]
    rows = [row for row in ROWS if row[0] == f"`{identifier}`" and families <= set(row[1].split(", "))]
    assert len(rows) == 1
    assert parameters <= set(re.findall(r"`(\w+)`", rows[0][2]))


def used_limits() -> list[str]:
    """Names of `protocol.limits` that any other module mentions."""
    words = set()
    for path in [*(ROOT / "protocol").rglob("*.py"), *(ROOT / "node").rglob("*.py")]:
        if path.name != "limits.py":
            words.update(re.findall(r"\b[A-Z][A-Z_]+\b", path.read_text(encoding="utf-8")))
    return sorted(name for name in vars(limits) if name.isupper() and name in words - {"KIB", "MIB"})


@pytest.mark.parametrize("name", used_limits())
def test_every_limit_is_there_with_its_value(name: str) -> None:
    assert [f"`{name}`", f"{getattr(limits, name):,}"] in [row[:2] for row in ROWS]
