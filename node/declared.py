"""Files whose keys are declared: TOML tables read into frozen dataclasses, and the page that describes them.

A section is a dataclass and a key one of its fields, declared with its default and the sentence that explains it, so
there is one list of keys, one place that checks types, and one sentence for each way in which a file can be wrong. A
key that nobody declared is refused with the nearest known name, because a misspelt key that is silently ignored
shows only on the day it was needed.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from node.text.quantities import parse_size, show_size
from protocol.errors import Malformed

T = TypeVar("T")
SIZE = "size"
REQUIRED: Any = dataclasses.MISSING


def setting(
    default: Any,
    doc: str,
    *,
    form: str = "",
    choices: tuple[str, ...] = (),
    least: float = 0,
    most: float = sys.float_info.max,
) -> Any:
    """A documented key. `form` is SIZE for byte counts; `choices` are the only values; numbers are `least` to `most`,
    which by default leaves out nothing but infinity and what is no number.

    A key whose default is REQUIRED must be there.
    """
    metadata = {"doc": doc, "form": form, "choices": choices, "least": least, "most": most}
    return dataclasses.field(default=default, metadata=metadata)


def key_of(setting: dataclasses.Field[Any]) -> str:
    """The key's name in the file: sizes are written with their unit, so the name does without it."""
    return setting.name.removesuffix("_bytes") if setting.metadata["form"] == SIZE else setting.name


def repeated_section(hint: Any) -> Any:
    """The dataclass of a key that takes several sections; None for every other key."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and len(arguments) == 2 and dataclasses.is_dataclass(arguments[0]):
        return arguments[0]
    return None


def read_section(kind: type[T], table: Mapping[str, Any], where: str, path: str) -> T:
    """The section that a table says.

    Raises:
        Malformed: `config-…`, naming the file and the key, which begins with `where`.
    """
    target: Any = kind
    fields = {key_of(setting): setting for setting in dataclasses.fields(target)}
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in fields:
            raise _unknown(key, list(fields), where, path)
    values = {
        fields[key].name: _value(hints[fields[key].name], fields[key], value, f"{where}{key}", path)
        for key, value in table.items()
    }
    for key, declared in fields.items():
        if key not in table and declared.default is REQUIRED:
            raise Malformed("config-key-absent", path=path, key=f"{where}{key}")
    return kind(**values)


def _unknown(key: str, known: list[str], where: str, path: str) -> Malformed:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if near:
        return Malformed("config-unknown-key", path=path, key=where + key, nearest=where + near[0])
    return Malformed("config-unknown-key-far", path=path, key=where + key, known=tuple(sorted(known)))


def _value(hint: Any, setting: dataclasses.Field[Any], value: Any, key: str, path: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise wrong_value(path, key, "a section", value)
        return read_section(hint, value, f"{key}.", path)
    repeated = repeated_section(hint)
    if repeated is not None:
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise wrong_value(path, key, "one or more [[sections]]", value)
        return tuple(read_section(repeated, item, f"{key}.", path) for item in value)
    if setting.metadata["form"] == SIZE:
        return _size(setting, value, key, path)
    expected, accepted = _expectation(hint, setting)
    if not accepted(value):
        raise wrong_value(path, key, expected, value)
    if setting.metadata["choices"]:
        return value
    return tuple(value) if isinstance(hint, types.GenericAlias) else hint(value)


def _size(setting: dataclasses.Field[Any], value: Any, key: str, path: str) -> int:
    try:
        size = parse_size(value) if isinstance(value, str) else value
    except ValueError:
        size = None
    if isinstance(size, bool) or not isinstance(size, int) or size < setting.metadata["least"]:
        raise wrong_value(path, key, 'a size such as "500 GB"', value)
    return size


def _expectation(hint: Any, setting: dataclasses.Field[Any]) -> tuple[str, Any]:
    """What the key takes, in words and as a test."""
    least: float = setting.metadata["least"]
    most: float = setting.metadata["most"]
    choices: tuple[str, ...] = setting.metadata["choices"]
    upwards = f"from {least} up" if most == sys.float_info.max else f"from {least} to {most}"
    if choices:
        return " or ".join(f'"{choice}"' for choice in choices), lambda value: value in choices
    if hint is bool:
        return "true or false", lambda value: isinstance(value, bool)
    if hint is int:
        return f"a whole number {upwards}", lambda value: type(value) is int and least <= value <= most
    if hint is float:
        return f"a number {upwards}", lambda value: type(value) in (int, float) and least <= value <= most
    if hint is str:
        return "text in quotes", lambda value: isinstance(value, str)
    return "a list of texts", lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value)


def wrong_value(path: str, key: str, expected: str, value: Any) -> Malformed:
    """The error of a key whose value is not what it must be."""
    return Malformed("config-value", path=path, key=key, expected=expected, found=repr(value)[:80])


def describe(kind: Any, prefix: str, sections: list[tuple[str, Any]]) -> list[str]:
    """The table of one section; the sections found inside it are added to `sections`."""
    rows = ["| key | default | what it does |", "| --- | --- | --- |"]
    hints = typing.get_type_hints(kind)
    for setting in dataclasses.fields(kind):
        hint = hints[setting.name]
        if dataclasses.is_dataclass(hint):
            sections.append((f"[{setting.name}]", hint))
            continue
        repeated = repeated_section(hint)
        if repeated is not None:
            sections.append((f"[[{prefix}{setting.name}]]", repeated))
            continue
        doc = setting.metadata["doc"]
        if setting.metadata["choices"]:
            doc += " One of " + ", ".join(f"`{choice}`" for choice in setting.metadata["choices"]) + "."
        rows.append(f"| `{key_of(setting)}` | `{_default(setting)}` | {doc} |")
    return rows


def _default(setting: dataclasses.Field[Any]) -> str:
    value: Any = setting.default
    if value is REQUIRED:
        return "(required)"
    if setting.metadata["form"] == SIZE:
        return f'"{show_size(value)}"'
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return f'"{value}"' if isinstance(value, str) else str(value)
