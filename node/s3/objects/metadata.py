"""What is kept beside an object's bytes: headers that come back as they were given, and locks. Pure.

System headers and the client's own `x-amz-meta-` ones are stored under their header's name. The row of the object's
canned ACL (`canned_acls`) is kept among them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from node.s3.asking.canned_acls import ACL_NAME, acl_rows, canned_acl
from node.s3.asking.request import Request
from node.s3.asking.wire import Headers
from node.s3.objects.customer_keys import ROW
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.times import parse_iso_date
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import LockMode, Metadata, Retention

USER = "x-amz-meta-"
USER_BYTES_MAX = 2_048
SYSTEM_BYTES_MAX = 8_192
NAME_LETTERS_MAX = 256
REDIRECT = "x-amz-website-redirect-location"
SYSTEM = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
_KEPT = (*SYSTEM, REDIRECT)
DEFAULT_TYPE = "binary/octet-stream"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def metadata_of(request: Request) -> tuple[Metadata, ...]:
    """What the request's headers ask to keep.

    Raises:
        S3Error: MetadataTooLarge.
    """
    headers, kept = request.headers, list[Metadata]()
    for name in _KEPT:
        if name in headers:
            value = _without_framing(headers[name]) if name == "content-encoding" else headers[name]
            kept += [Metadata(name, value)] if value else []
    kept += [Metadata(name, value) for name, value in headers.items() if name.startswith(USER)]
    if kept:
        require_headers(kept)
        require_small(kept)
    return (*kept, *acl_rows(canned_acl(request)))


def require_headers(kept: Sequence[Metadata]) -> None:
    """Raises S3Error(InvalidArgument) for what came in a URL or a form and could not go out again as a header."""
    for one in kept:
        if _NAME.fullmatch(one.name) is None or _NO_VALUE.search(one.value):
            raise faults.invalid(one.name, one.value[:NAME_LETTERS_MAX], "Metadata must be valid HTTP headers.")


def require_small(kept: Sequence[Metadata]) -> None:
    """Raises S3Error(MetadataTooLarge)."""
    own = system = 0
    for one in kept:
        if one.name.startswith(USER):
            own += len(one.name) - len(USER) + len(one.value)
        else:
            system += len(one.value)
    if own > USER_BYTES_MAX or system > SYSTEM_BYTES_MAX or any(len(one.name) > NAME_LETTERS_MAX for one in kept):
        sizes = (("Size", str(own)), ("MaxSizeAllowed", str(USER_BYTES_MAX)))
        raise S3Error(faults.METADATA_TOO_LARGE, details=sizes)


def _without_framing(encoding: str) -> str:
    """`aws-chunked` is how the body was sent, not what it is."""
    words = [word.strip() for word in encoding.split(",")]
    return ",".join(word for word in words if word and word.lower() != "aws-chunked")


def shown_metadata(found: ObjectStat) -> list[tuple[str, str]]:
    """The headers as they were given."""
    shown = [(one.name, one.value) for one in found.metadata if one.name not in (ACL_NAME, ROW)]
    if not any(name == "content-type" for name, _value in shown):
        shown.append(("content-type", DEFAULT_TYPE))
    return shown


def overrides(request: Request, *, is_anonymous: bool) -> dict[str, str]:
    """The headers that the query sets in the answer's place.

    Raises:
        S3Error: InvalidRequest for an anonymous request, which may not do so.
    """
    found = {name: request.query[f"response-{name}"] for name in SYSTEM if f"response-{name}" in request.query}
    if found and is_anonymous:
        raise S3Error(faults.INVALID_REQUEST, "Request specific response headers cannot be used for anonymous GET")
    if any(not value.isprintable() for value in found.values()):
        raise faults.invalid("response-", "control characters")
    return found


def overridden(headers: list[tuple[str, str]], others: dict[str, str]) -> Headers:
    """Headers, some of them replaced."""
    if not others:
        return headers
    return [*((name, value) for name, value in headers if name not in others), *others.items()]


# --- locks ----------------------------------------------------------------------------------------------------------


_MODE, _UNTIL, _HOLD = (f"x-amz-object-lock-{word}" for word in ("mode", "retain-until-date", "legal-hold"))
LOCK_HEADERS = frozenset({_MODE, _UNTIL, _HOLD})


def retention_of(request: Request, now_s: int) -> Retention | None:
    """The retention in the headers. Raises S3Error(InvalidArgument)."""
    mode, until = request.headers.get(_MODE), request.headers.get(_UNTIL)
    if mode is None and until is None:
        return None
    if mode is None or until is None:
        raise faults.invalid(
            _MODE,
            mode or "",
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
        )
    return Retention(lock_mode(mode), retain_until(until, now_s))


def lock_mode(text: str) -> LockMode:
    """Raises S3Error(InvalidArgument)."""
    if text not in LockMode.__members__:
        raise faults.invalid(_MODE, text, "Unknown wormMode directive.")
    return LockMode[text]


def retain_until(text: str, now_s: int) -> int:
    """Raises S3Error(InvalidArgument)."""
    until_s = parse_iso_date(text)
    if until_s is None:
        raise faults.invalid(_UNTIL, text)
    if until_s <= now_s:
        raise faults.invalid(_UNTIL, text, "The retain until date must be in the future!")
    return until_s


def legal_hold_of(request: Request) -> bool:
    """Whether the headers ask for a legal hold. Raises S3Error(InvalidArgument)."""
    text = request.headers.get(_HOLD)
    if text not in (None, "ON", "OFF"):
        raise faults.invalid(_HOLD, text or "")
    return text == "ON"
