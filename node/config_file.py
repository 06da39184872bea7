"""Reading `maillon.toml` into `node.config`, and describing every key of it.

The reader walks the dataclasses and the parsed TOML together, so there is one list of keys, one place that checks
types, and one sentence for each way in which a file can be wrong.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from node.config import SIZE, Config, DiskSection
from node.text.quantities import parse_size, show_size
from protocol.errors import Malformed, Missing

T = TypeVar("T")
FILE_NAME = "maillon.toml"


def load(path: Path) -> Config:
    """The configuration in the file at `path`.

    Raises:
        Missing: `config-absent`. Malformed: `config-…`, naming the file and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Missing("config-absent", path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("config-syntax", path=str(path), problem=str(error)) from error
    return parse(text, path=str(path))


def parse(text: str, *, path: str = FILE_NAME) -> Config:
    """The configuration that `text` says; `path` is only named in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Malformed("config-syntax", path=path, problem=str(error)) from error
    return _section(Config, table, "", path)


def key_of(setting: dataclasses.Field[Any]) -> str:
    """The key's name in the file: sizes are written with their unit, so the name does without it."""
    return setting.name.removesuffix("_bytes") if setting.metadata["form"] == SIZE else setting.name


def _section(kind: type[T], table: Mapping[str, Any], where: str, path: str) -> T:
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
    return kind(**values)


def _unknown(key: str, known: list[str], where: str, path: str) -> Malformed:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if near:
        return Malformed("config-unknown-key", path=path, key=where + key, nearest=where + near[0])
    return Malformed("config-unknown-key-far", path=path, key=where + key, known=tuple(sorted(known)))


def _value(hint: Any, setting: dataclasses.Field[Any], value: Any, key: str, path: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise _wrong(path, key, "a section", value)
        return _section(hint, value, f"{key}.", path)
    if hint == tuple[DiskSection, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise _wrong(path, key, "one or more [[sections]]", value)
        return tuple(_section(DiskSection, item, f"{key}.", path) for item in value)
    if setting.metadata["form"] == SIZE:
        return _size(setting, value, key, path)
    expected, accepted = _expectation(hint, setting)
    if not accepted(value):
        raise _wrong(path, key, expected, value)
    if setting.metadata["choices"]:
        return value
    return tuple(value) if isinstance(hint, types.GenericAlias) else hint(value)


def _size(setting: dataclasses.Field[Any], value: Any, key: str, path: str) -> int:
    try:
        size = parse_size(value) if isinstance(value, str) else value
    except ValueError:
        size = None
    if isinstance(size, bool) or not isinstance(size, int) or size < setting.metadata["least"]:
        raise _wrong(path, key, 'a size such as "500 GB"', value)
    return size


def _expectation(hint: Any, setting: dataclasses.Field[Any]) -> tuple[str, Any]:
    """What the key takes, in words and as a test."""
    least: float = setting.metadata["least"]
    choices: tuple[str, ...] = setting.metadata["choices"]
    if choices:
        return " or ".join(f'"{choice}"' for choice in choices), lambda value: value in choices
    if hint is bool:
        return "true or false", lambda value: isinstance(value, bool)
    if hint is int:
        return f"a whole number from {least} up", lambda value: type(value) is int and value >= least
    if hint is float:
        return f"a number from {least} up", lambda value: type(value) in (int, float) and value >= least
    if hint is str:
        return "text in quotes", lambda value: isinstance(value, str)
    return "a list of texts", lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong(path: str, key: str, expected: str, value: Any) -> Malformed:
    return Malformed("config-value", path=path, key=key, expected=expected, found=repr(value)[:80])


def reference() -> str:
    """docs/configuration.md: every section and key, with its default."""
    lines = [
        "# Configuration",
        "",
        "A node reads one file, `maillon.toml` in its folder, once when it starts. Every key is optional except what",
        "`maillon init` writes. An unknown key stops the start, with the nearest known name. Sizes are numbers of",
        'bytes or text such as "500 GB" or "64 MiB"; durations are seconds.',
        "",
        "This page is written by `maillon config reference`; do not edit it.",
        "",
        "## At the top of the file",
        "",
    ]
    sections: list[tuple[str, Any]] = []
    lines += _table(Config, "", sections)
    for title, kind in sections:
        lines += ["", f"## {title}", "", kind.__doc__ or "", ""]
        lines += _table(kind, title.strip("[]") + ".", sections)
    return "\n".join(lines) + "\n"


def _table(kind: Any, prefix: str, sections: list[tuple[str, Any]]) -> list[str]:
    """The table of one section; the sections found inside it are added to `sections`."""
    rows = ["| key | default | what it does |", "| --- | --- | --- |"]
    hints = typing.get_type_hints(kind)
    for setting in dataclasses.fields(kind):
        hint = hints[setting.name]
        if dataclasses.is_dataclass(hint):
            sections.append((f"[{setting.name}]", hint))
            continue
        if hint == tuple[DiskSection, ...]:
            sections.append((f"[[{prefix}{setting.name}]]", DiskSection))
            continue
        doc = setting.metadata["doc"]
        if setting.metadata["choices"]:
            doc += " One of " + ", ".join(f"`{choice}`" for choice in setting.metadata["choices"]) + "."
        rows.append(f"| `{key_of(setting)}` | `{_default(setting)}` | {doc} |")
    return rows


def _default(setting: dataclasses.Field[Any]) -> str:
    value: Any = setting.default
    if setting.metadata["form"] == SIZE:
        return f'"{show_size(value)}"'
    if isinstance(value, tuple):
        return "[]"
    return f'"{value}"' if isinstance(value, str) else str(value)
