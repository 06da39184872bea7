"""Times as HTTP, XML and SigV4 write them, to and from seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

_SIGNED = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")


@lru_cache(maxsize=256)
def http_date(at_s: int) -> str:
    """As in Last-Modified."""
    return formatdate(at_s, usegmt=True)


def parse_http_date(text: str) -> int | None:
    """Seconds of an HTTP date, or None when it is none."""
    try:
        found = parsedate_to_datetime(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None


@lru_cache(maxsize=64)
def parse_signed_date(text: str) -> int | None:
    """Seconds of `20130524T000000Z`, or None."""
    found = _SIGNED.fullmatch(text)
    if found is None:
        return None
    try:
        return int(datetime(*(int(part) for part in found.groups()), tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None


def signed_date(at_s: int) -> str:
    """`20130524T000000Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def parse_iso_date(text: str) -> int | None:
    """Seconds of an ISO 8601 time, as XML carries it, or None."""
    try:
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
