"""How S3 writes names into URLs: percent-encoding of keys, and bucket names by S3's own rules.

SigV4 and `encoding-type=url` both encode everything but the unreserved letters of RFC 3986, and a key's slashes.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, unquote_to_bytes

from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from protocol.limits import BUCKET_NAME_BYTES_MAX, KEY_BYTES_MAX

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def encoded(text: str | bytes, *, keep: str = "") -> str:
    """Percent-encoded as SigV4 wants it; letters of `keep` stay."""
    return quote(text, safe=f"-_.~{keep}")


def encoded_key(key: str | bytes) -> str:
    """A key as it stands in a path."""
    return encoded(key, keep="/")


def decoded(text: str) -> str:
    """The opposite; a plus sign is a plus sign. Raises S3Error(InvalidURI) for what is not UTF-8, or has a NUL."""
    try:
        found = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error(faults.INVALID_URI) from None
    if "\0" in found:
        raise S3Error(faults.INVALID_URI)
    return found


def require_key(key: str) -> None:
    """Raises S3Error(KeyTooLongError) beyond 1,024 bytes."""
    size_bytes = len(key.encode())
    if size_bytes > KEY_BYTES_MAX:
        sizes = (("Size", str(size_bytes)), ("MaxSizeAllowed", str(KEY_BYTES_MAX)))
        raise S3Error(faults.KEY_TOO_LONG, details=sizes)


def fits_bucket(name: str) -> bool:
    """Whether the vault could have a bucket of this name at all; those that were made otherwise than through S3 keep
    to no more than its length."""
    return 0 < len(name.encode()) <= BUCKET_NAME_BYTES_MAX


def is_bucket_name(name: str) -> bool:
    """Whether a bucket may be called so: S3's rules for new buckets."""
    if _BUCKET.fullmatch(name) is None or ".." in name or name.startswith("xn--"):
        return False
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return True
    return False
