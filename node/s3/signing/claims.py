"""Who a request says it is from, and whether its signature bears that out. Pure: the time and the secret are given.

A request carries a signature in its Authorization header, or in its query (a presigned URL), or none: then it is
anonymous. Dates are checked before secrets are looked up, and everything else before the signature, so that what a
stranger can learn from the order of answers is only whether a key id exists, as with Amazon.
"""

from __future__ import annotations

import re
from functools import lru_cache

from node.s3.asking.request import Request
from node.s3.signing import sigv4
from node.s3.signing.chunk_signatures import STREAMING
from node.s3.signing.sigv4 import ALGORITHM, UNSIGNED, Claim, Scope
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.numbers import read_count
from node.s3.texts.times import parse_http_date, parse_signed_date, signed_date

SKEW_S = 15 * 60
EXPIRES_MAX_S = 7 * 86_400
_HEX = re.compile(r"[0-9a-f]{64}")
_KEPT_MAX = 64
_HEADER_FIELDS = frozenset({"Credential", "SignedHeaders", "Signature"})


def claim_of(request: Request, now_s: int) -> Claim | None:
    """What the request claims; None when it is anonymous.

    Raises:
        S3Error: when it is signed in a way that cannot be true.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _header_claim(request, authorization, now_s)
    if "X-Amz-Algorithm" in request.query or "X-Amz-Signature" in request.query:
        return _query_claim(request, now_s)
    if "AWSAccessKeyId" in request.query and "Signature" in request.query:
        raise S3Error(faults.INVALID_REQUEST, _ONLY_V4)
    return None


def verify(request: Request, claim: Claim, key: bytes) -> None:
    """Raises S3Error(SignatureDoesNotMatch)."""
    for canonical in sigv4.canonical_requests(request, claim):
        expected = sigv4.signature(key, sigv4.string_to_sign(claim, canonical))
        if sigv4.same(claim.signature, expected):
            return
    raise S3Error(faults.SIGNATURE_MISMATCH)


_ONLY_V4 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


def _header_claim(request: Request, authorization: str, now_s: int) -> Claim:
    algorithm, _space, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise S3Error(faults.INVALID_REQUEST, _ONLY_V4)
    parted = [field.strip().partition("=") for field in rest.split(",")]
    fields = {name: value for name, _equals, value in parted}
    if not _HEADER_FIELDS.issubset(fields):
        raise S3Error(faults.AUTHORIZATION_MALFORMED)
    timestamp, at_s = _header_time(request)
    if abs(now_s - at_s) > SKEW_S:
        times = (("RequestTime", timestamp), ("ServerTime", signed_date(now_s)))
        raise S3Error(faults.REQUEST_SKEWED, details=times)
    key_id, scope = read_credential(fields["Credential"], timestamp[:8])
    signed = _signed_headers(fields["SignedHeaders"])
    _require_signed(request, signed)
    payload = request.headers.get("x-amz-content-sha256")
    if payload is None:
        raise S3Error(faults.INVALID_REQUEST, "Missing required header for this request: x-amz-content-sha256")
    if payload not in (UNSIGNED, *STREAMING):
        require_hash(payload)
    return Claim(key_id, scope, signed, fields["Signature"], timestamp, payload)


def require_hash(payload: str) -> None:
    """Raises S3Error(InvalidArgument) for what is no SHA-256."""
    if _HEX.fullmatch(payload) is None:
        raise faults.invalid(
            "x-amz-content-sha256", payload, "x-amz-content-sha256 must be a known value or a SHA256."
        )


def _header_time(request: Request) -> tuple[str, int]:
    text = request.headers.get("x-amz-date")
    if text is not None:
        at_s = parse_signed_date(text)
    else:
        at_s = parse_http_date(request.headers.get("date", ""))
        text = "" if at_s is None else signed_date(at_s)
    if at_s is None:
        raise S3Error(faults.ACCESS_DENIED, "AWS authentication requires a valid Date or x-amz-date header")
    return text, at_s


@lru_cache(maxsize=_KEPT_MAX)
def read_credential(text: str, date: str) -> tuple[str, Scope]:
    """The key id and scope of `AKID/20130524/region/s3/aws4_request`. A client says the same all day.

    Raises:
        S3Error: AuthorizationHeaderMalformed.
    """
    key_id, *parts = text.rsplit("/", 4)
    if not key_id or len(parts) != 4 or parts[2:] != ["s3", "aws4_request"] or not parts[1]:
        raise S3Error(faults.AUTHORIZATION_MALFORMED, "The authorization header is malformed; the Credential is not.")
    if parts[0] != date:
        raise S3Error(faults.AUTHORIZATION_MALFORMED, "Invalid credential date: it is not the date of the request.")
    return key_id, Scope(parts[0], parts[1])


@lru_cache(maxsize=_KEPT_MAX)
def _signed_headers(text: str) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    if "host" not in names or list(names) != sorted(set(names)):
        # One that is named a thousand times would be signed a thousand times, however long its value.
        raise S3Error(
            faults.AUTHORIZATION_MALFORMED, "The signed headers must be sorted, each once, and have host among them."
        )
    return names


def _require_signed(request: Request, signed: tuple[str, ...]) -> None:
    """What S3 gives a meaning to must be signed, or somebody in the middle could add to it."""
    loose = [name for name in request.headers if name not in signed and name.startswith("x-amz-")]
    if loose:
        details = (("HeadersNotSigned", ", ".join(loose)[:256]),)
        raise S3Error(
            faults.ACCESS_DENIED, "There were headers present in the request which were not signed", details=details
        )


def _query_claim(request: Request, now_s: int) -> Claim:
    query = request.query
    needed = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    if any(f"X-Amz-{name}" not in query for name in needed) or query["X-Amz-Algorithm"] != ALGORITHM:
        listed = ", ".join(f"X-Amz-{name}" for name in needed)
        raise S3Error(faults.AUTHORIZATION_QUERY, f"Query-string authentication version 4 requires {listed}.")
    timestamp, expires = query["X-Amz-Date"], query["X-Amz-Expires"]
    at_s = parse_signed_date(timestamp)
    if at_s is None:
        raise S3Error(faults.AUTHORIZATION_QUERY, "X-Amz-Date must be in the ISO8601 Long Format")
    if not (1 <= read_count(expires) <= EXPIRES_MAX_S):
        raise S3Error(faults.AUTHORIZATION_QUERY, "X-Amz-Expires must be between 1 and 604800 seconds")
    if at_s > now_s + SKEW_S:
        raise S3Error(faults.ACCESS_DENIED, "Request is not yet valid")
    if now_s > at_s + int(expires):
        times = (("X-Amz-Expires", expires), ("ServerTime", signed_date(now_s)))
        raise S3Error(faults.ACCESS_DENIED, "Request has expired", details=times)
    key_id, scope = read_credential(query["X-Amz-Credential"], timestamp[:8])
    signed = _signed_headers(query["X-Amz-SignedHeaders"])
    _require_signed(request, (*signed, "x-amz-content-sha256"))
    payload = request.headers.get("x-amz-content-sha256") or query.get("X-Amz-Content-Sha256") or UNSIGNED
    return Claim(key_id, scope, signed, query["X-Amz-Signature"], timestamp, payload)
