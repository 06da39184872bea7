"""What is kept beside an object's bytes: headers that come back as they were given, tags, locks, the canned ACL.
Pure.

System headers and the client's own `x-amz-meta-` ones are stored under their header's name. The object's canned ACL
is kept among them under a name that no header has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from node.s3 import faults
from node.s3.calls import ACL_NAME, PUBLIC_READ
from node.s3.customer_keys import ROW
from node.s3.faults import S3Error
from node.s3.request import Request
from node.s3.times import parse_iso_date
from node.s3.wire import Headers
from node.s3.xml_in import Element
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import LockMode, Metadata, Retention, Tag

USER = "x-amz-meta-"
USER_BYTES_MAX = 2_048
SYSTEM_BYTES_MAX = 8_192
NAME_LETTERS_MAX = 256
REDIRECT = "x-amz-website-redirect-location"
SYSTEM = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
DEFAULT_TYPE = "binary/octet-stream"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
TAGS_MAX = 10
BUCKET_TAGS_MAX = 50
_TAG_NAME_MAX, _TAG_VALUE_MAX = 128, 256


def metadata_of(request: Request) -> tuple[Metadata, ...]:
    """What the request's headers ask to keep.

    Raises:
        S3Error: MetadataTooLarge.
    """
    kept: list[Metadata] = []
    for name in SYSTEM:
        value = request.headers.get(name)
        if name == "content-encoding" and value is not None:
            value = _without_framing(value)
        if value:
            kept.append(Metadata(name, value))
    own = [(name, request.header(name) or "") for name in request.header_names() if name.startswith(USER)]
    redirect = request.header(REDIRECT)
    if redirect:
        kept.append(Metadata(REDIRECT, redirect))
    kept += [Metadata(name, value) for name, value in own]
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
    own = sum(len(one.name) - len(USER) + len(one.value) for one in kept if one.name.startswith(USER))
    system = sum(len(one.value) for one in kept if not one.name.startswith(USER))
    if own > USER_BYTES_MAX or system > SYSTEM_BYTES_MAX or any(len(one.name) > NAME_LETTERS_MAX for one in kept):
        sizes = (("Size", str(own)), ("MaxSizeAllowed", str(USER_BYTES_MAX)))
        raise S3Error(faults.METADATA_TOO_LARGE, details=sizes)


def _without_framing(encoding: str) -> str:
    """`aws-chunked` is how the body was sent, not what it is."""
    words = [word.strip() for word in encoding.split(",")]
    return ",".join(word for word in words if word and word.lower() != "aws-chunked")


def acl_rows(acl: str | None) -> tuple[Metadata, ...]:
    """The row in which an object's ACL is kept; none for a private one."""
    return (Metadata(ACL_NAME, PUBLIC_READ),) if acl == PUBLIC_READ else ()


def canned_acl(request: Request) -> str | None:
    """The canned ACL that the request names; None when it names none.

    Objects belong to their bucket's owner, so the ACLs that only give the owner control are `private`.

    Raises:
        S3Error: InvalidArgument; NotImplemented for those that are not served.
    """
    text = request.header("x-amz-acl")
    if text is None:
        return None
    if text in ("private", "bucket-owner-full-control", "bucket-owner-read"):
        return "private"
    if text == PUBLIC_READ:
        return PUBLIC_READ
    if text in ("public-read-write", "authenticated-read", "aws-exec-read", "log-delivery-write"):
        raise faults.not_served(f"x-amz-acl: {text}")
    raise faults.invalid("x-amz-acl", text)


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


# --- tags -----------------------------------------------------------------------------------------------------------


def tags_of(request: Request) -> tuple[Tag, ...]:
    """The tags in `x-amz-tagging`. Raises S3Error(InvalidArgument, InvalidTag)."""
    text = request.header("x-amz-tagging")
    if not text:
        return ()
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=100)
    except ValueError:
        raise faults.invalid("x-amz-tagging", text) from None
    return require_tags(tuple(Tag(name, value) for name, value in pairs), TAGS_MAX)


def read_tagging(tagging: Element, limit: int) -> tuple[Tag, ...]:
    """The tags of a Tagging document. Raises S3Error(MalformedXML, InvalidTag)."""
    tagging.only("TagSet")
    sets = list(tagging.all("TagSet"))
    if len(sets) != 1:
        raise S3Error(faults.MALFORMED_XML)
    return read_tags(sets[0], limit)


def read_tags(told: Element, limit: int) -> tuple[Tag, ...]:
    """The tags in an element. Raises S3Error(MalformedXML, InvalidTag)."""
    told.only("Tag")
    tags = tuple(Tag(one.need("Key"), (one.value("Value") or "")) for one in told.all("Tag"))
    return require_tags(tags, limit)


def require_tags(tags: tuple[Tag, ...], limit: int) -> tuple[Tag, ...]:
    """Raises S3Error(InvalidTag, BadRequest)."""
    if len(tags) > limit:
        raise S3Error(faults.BAD_REQUEST, f"Object tags cannot be greater than {limit}")
    if len({tag.name for tag in tags}) != len(tags):
        raise S3Error(faults.INVALID_TAG, "Cannot provide multiple Tags with the same key")
    for tag in tags:
        if not 1 <= len(tag.name) <= _TAG_NAME_MAX or len(tag.value) > _TAG_VALUE_MAX:
            raise S3Error(faults.INVALID_TAG, "The TagKey or TagValue you have provided is too long")
        if tag.name.lower().startswith("aws:"):
            raise S3Error(faults.INVALID_TAG, "System tags cannot be added/updated by requester")
    return tags


# --- locks ----------------------------------------------------------------------------------------------------------


_MODE, _UNTIL, _HOLD = (f"x-amz-object-lock-{word}" for word in ("mode", "retain-until-date", "legal-hold"))
LOCKING = frozenset({_MODE, _UNTIL, _HOLD})


def retention_of(request: Request, now_s: int) -> Retention | None:
    """The retention in the headers. Raises S3Error(InvalidArgument)."""
    mode, until = request.header(_MODE), request.header(_UNTIL)
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
    text = request.header(_HOLD)
    if text not in (None, "ON", "OFF"):
        raise faults.invalid(_HOLD, text or "")
    return text == "ON"
