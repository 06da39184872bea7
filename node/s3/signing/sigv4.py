"""AWS Signature Version 4: what is signed, and with which key. Pure;
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html

A signature is an HMAC over a canonical form of the request, under a key that derives from the secret, the date, the
region and the service; so a signature that leaks is good for one request of one day. The region is taken from the
signature: whoever has the secret may call this gateway's region what he likes, because there is only one of it, and
most programs ask their users for nothing or for `us-east-1`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from node.s3.asking.request import Request
from node.s3.texts.names import encoded, encoded_key
from protocol.quick_init import quick_init

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
KEYS_KEPT_MAX = 256
_BLANKS = re.compile(r"[ \t]+")
_CLEAN = re.compile(r"[A-Za-z0-9._~-]*")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and when a signature is valid."""

    date: str
    region: str
    service: str = "s3"

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@quick_init
@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about its signature. `payload` is the x-amz-content-sha256 that was signed."""

    key_id: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    payload: str


class SigningKeys:
    """Derived keys of late, so that most requests need one HMAC and not five."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Scope], bytes] = {}

    def derive(self, secret: str, scope: Scope) -> bytes:
        """The signing key."""
        found = self._kept.get((secret, scope))
        if found is None:
            found = f"AWS4{secret}".encode()
            for part in (scope.date, scope.region, scope.service, "aws4_request"):
                found = hmac.digest(found, part.encode(), "sha256")
            if len(self._kept) >= KEYS_KEPT_MAX:
                self._kept.clear()
            self._kept[secret, scope] = found
        return found


def signature(key: bytes, string_to_sign: str) -> str:
    """The signature of a string, in hexadecimal."""
    return hmac.digest(key, string_to_sign.encode("latin-1", errors="replace"), "sha256").hex()


def same(found: str, expected: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(found.encode(errors="replace"), expected.encode(errors="replace"))


def string_to_sign(claim: Claim, canonical_request: str) -> str:
    """What the signature is over. A URL may name letters that no header has; an honest one does not."""
    hashed = hashlib.sha256(canonical_request.encode("latin-1", errors="replace")).hexdigest()
    return f"{ALGORITHM}\n{claim.timestamp}\n{claim.scope}\n{hashed}"


def canonical_requests(request: Request, claim: Claim) -> Iterator[str]:
    """The canonical forms that honest clients make of this request, the likeliest first.

    S3 wants the path encoded anew from its decoded form. Nearly always that is the path just as it was sent; some
    clients sign that also where it is not. Both forms name the same object.
    """
    query = _canonical_query(request, leave_out="X-Amz-Signature")
    headers = "".join([f"{name}:{_canonical_value(request, name)}\n" for name in claim.signed_headers])
    rest = f"{query}\n{headers}\n{';'.join(claim.signed_headers)}\n{claim.payload}"
    yield f"{request.method}\n{request.raw_path}\n{rest}"
    path = encoded_key(unquote_to_bytes(request.raw_path))
    if path != request.raw_path:
        yield f"{request.method}\n{path}\n{rest}"


def _canonical_query(request: Request, *, leave_out: str) -> str:
    if not request.query_pairs:
        return ""
    pairs = [
        (_encoded_again(name), _encoded_again(value)) for name, value in request.query_pairs if name != leave_out
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded_again(raw: str) -> str:
    if _CLEAN.fullmatch(raw):
        return raw
    return encoded(unquote_to_bytes(raw.replace("+", " ")))


def _canonical_value(request: Request, name: str) -> str:
    """With one blank for several. Only for blanks: in UTF-8 other letters have bytes that look like some here."""
    value = request.headers.get(name, "")
    return " ".join(_BLANKS.split(value)) if "  " in value or "\t" in value else value
