"""Conditional headers: whether a request still means what its sender thought. Pure.

For reading, RFC 9110 §13.2.2 gives the order; the answers are 412 and 304. For writing, S3 knows If-Match and
If-None-Match, which the vault decides together with the write itself, so that of many writers one wins.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.s3.asking.request import Request
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.times import http_date, parse_http_date
from node.vault.shelf.terms import UNCONDITIONAL, Condition


@dataclass(frozen=True, slots=True)
class Reading:
    """The conditions of a GET, a HEAD, or a copy's source."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None

    def check(self, etag: str, modified_s: int, *, is_copy: bool = False) -> None:
        """Raises S3Error: PreconditionFailed, or NotModified where the reader has it already."""
        if self.if_match is not None:
            if not matches(self.if_match, etag):
                raise _failed("If-Match")
        elif _before(self.if_unmodified_since, modified_s):
            raise _failed("If-Unmodified-Since")
        if self.if_none_match is not None:
            is_known, name = matches(self.if_none_match, etag), "If-None-Match"
        else:
            since_s = parse_http_date(self.if_modified_since) if self.if_modified_since else None
            is_known, name = since_s is not None and modified_s <= since_s, "If-Modified-Since"
        if is_known and is_copy:
            raise _failed(name)
        if is_known:
            told = (("etag", f'"{etag}"'), ("last-modified", http_date(modified_s)))
            raise S3Error(faults.NOT_MODIFIED, headers=told)


_WORDS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
_NAMES = frozenset(_WORDS)
_UNCONDITIONAL = Reading()


def reading(request: Request, prefix: str = "") -> Reading:
    """The conditions that stand in the headers; of a copy's source, with a prefix."""
    if not prefix and not request.has_any(_NAMES):
        return _UNCONDITIONAL
    return Reading(*(request.headers.get(f"{prefix}{name}") for name in _WORDS))


def writing(request: Request) -> Condition:
    """The condition under which a key may be written.

    Raises:
        S3Error: NotImplemented for other values than S3 knows.
    """
    if not request.has_any(_NAMES):
        return UNCONDITIONAL
    if_match, if_none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if if_none_match is not None and if_none_match.strip() != "*":
        raise faults.not_served("If-None-Match with an ETag")
    if if_match is not None and if_none_match is not None:
        raise faults.not_served("If-Match together with If-None-Match")
    return Condition(
        if_match=etags(if_match),
        if_none_match=() if if_none_match is None else ("*",),
    )


def etags(header: str | None) -> tuple[str, ...]:
    """The etags of a header, without their quotes."""
    return () if header is None else tuple(bare(one) for one in header.split(","))


def matches(listed: str, etag: str) -> bool:
    """Whether the etag is one of those listed."""
    return any(one in ("*", etag) for one in etags(listed))


def bare(etag: str) -> str:
    """Without quotes and the mark of weakness."""
    return etag.strip().removeprefix("W/").strip('"')


def _before(header: str | None, modified_s: int) -> bool:
    at_s = parse_http_date(header) if header else None
    return at_s is not None and modified_s > at_s


def _failed(name: str) -> S3Error:
    return S3Error(faults.PRECONDITION_FAILED, details=(("Condition", name),))
