"""What people read, in their language.

Everything below the command line and the pages speaks in identifiers and parameters; here they become sentences.
The English of the source is the key of the catalogue (gettext); the language comes from the usual environment
variables (LANGUAGE, LC_ALL, LC_MESSAGES, LANG). A text without a translation is shown in English, never as an error.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

DOMAIN = "maillon"
LOCALE_DIR = Path(__file__).resolve().parent.parent / "locale"


@cache
def _catalogue() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, localedir=str(LOCALE_DIR), fallback=True)


def _(message: str) -> str:
    """The message in the reader's language."""
    return _catalogue().gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the message that `count` asks for, in the reader's language."""
    return _catalogue().ngettext(singular, plural, count)


def N_(message: str) -> str:  # noqa: N802 (gettext's own name for "translate later")
    """Mark a message for the catalogue and leave it as it is; whoever shows it calls `_`."""
    return message


def language() -> str:
    """The language that `_` speaks now, as HTML names it."""
    return _catalogue().info().get("language", "") or "en"
