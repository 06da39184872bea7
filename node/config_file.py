"""Reading `maillon.toml` into `node.config`, and describing every key of it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from node.config import Config
from node.declared import describe, read_section
from protocol.errors import Malformed, Missing

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
    return read_section(Config, table, "", path)


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
    lines += describe(Config, "", sections)
    for title, kind in sections:
        lines += ["", f"## {title}", "", kind.__doc__ or "", ""]
        lines += describe(kind, title.strip("[]") + ".", sections)
    return "\n".join(lines) + "\n"
