"""Keeping the translations: gather the program's messages, merge them into each language, compile.

Run as `make locale`. What is new or changed appears untranslated in node/locale/*/LC_MESSAGES/maillon.po; the tests
ask that nothing stays so, and that the compiled catalogue is the one in the source.
"""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "node" / "locale"
LANGUAGES = ("fr",)
FLOORS = ("node", "sim")
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
METHODS = [("**.py", "python")]
WIDTH = 118


def gathered() -> Catalog:
    """Every message of the program, as the source has it now."""
    catalogue = Catalog(project="maillon", version="0.1", charset="utf-8", header_comment="# Maillon")
    for floor in FLOORS:
        found = extract_from_dir(ROOT / floor, method_map=METHODS, keywords=KEYWORDS)
        for filename, _line, message, _comments, context in sorted(found, key=lambda item: str(item[2])):
            catalogue.add(message, locations=[(f"{floor}/{filename}", None)], context=context)
    return catalogue


def po_path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "maillon.po"


def read(language: str) -> Catalog:
    """The language's catalogue on disk, or an empty one."""
    path = po_path(language)
    if not path.exists():
        return Catalog(locale=language, project="maillon", version="0.1")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def compiled(catalogue: Catalog) -> bytes:
    """What gettext reads."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def refresh(language: str) -> Catalog:
    """Merge what the program says now into the language; the translations that nothing uses any more go."""
    catalogue = read(language)
    catalogue.update(gathered(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def main() -> None:
    for language in LANGUAGES:
        catalogue = refresh(language)
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalogue, width=WIDTH, sort_output=True, omit_header=False)
        path.with_suffix(".mo").write_bytes(compiled(read(language)))
        missing = [message.id for message in catalogue if message.id and not all_translated(message.string)]
        print(f"{language}: {len(catalogue)} messages, {len(missing)} without translation")


def all_translated(text: str | tuple[str, ...] | list[str]) -> bool:
    """Whether every form of a message has a translation."""
    return all(text) if isinstance(text, tuple | list) else bool(text)


if __name__ == "__main__":
    main()
