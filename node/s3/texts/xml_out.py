"""XML that S3 answers with, made as text: a listing of a thousand keys is a thousand small joins and no tree.

Names are the program's own; every text goes through `escaped`. Control characters that XML 1.0 cannot carry are
written as S3 writes them, as character references; clients that meet such keys ask for `encoding-type=url`.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escaped(text: str) -> str:
    """The text, harmless inside an element."""
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def _reference(found: re.Match[str]) -> str:
    letter = found.group()
    return _NAMED.get(letter) or f"&#x{ord(letter):x};"


def leaf(name: str, text: str | int) -> str:
    """An element with text."""
    return f"<{name}>{escaped(text) if isinstance(text, str) else text}</{name}>"


def flag(name: str, *, value: bool) -> str:
    """An element that says true or false."""
    return f"<{name}>{'true' if value else 'false'}</{name}>"


def maybe(name: str, text: str | int | None) -> str:
    """An element, or nothing where there is nothing to say."""
    return "" if text is None or text == "" else leaf(name, text)


def node(name: str, *parts: str) -> str:
    """An element around others."""
    return f"<{name}>{''.join(parts)}</{name}>"


def document(name: str, *parts: str) -> bytes:
    """A whole answer."""
    return f'{_HEAD}<{name} xmlns="{NAMESPACE}">{"".join(parts)}</{name}>'.encode()


def bare_document(name: str, *parts: str) -> bytes:
    """A whole answer without a namespace, as errors are."""
    return f"{_HEAD}<{name}>{''.join(parts)}</{name}>".encode()


def time_of(at_s: int) -> str:
    """A time as S3's XML has it."""
    days, seconds = divmod(at_s, 86_400)
    return f"{_day(days)}T{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.000Z"


@lru_cache(maxsize=1_024)
def _day(days: int) -> str:
    """A page of a listing has few days and many times."""
    return (date(1970, 1, 1) + timedelta(days)).isoformat()
