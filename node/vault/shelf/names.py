"""Which names buckets, keys and access keys may have. Pure.

A bucket's name is also a host's name to S3's clients, hence its letters
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html). A key may be any text of 1,024 bytes.
"""

from __future__ import annotations

import re
from typing import Final

from protocol.errors import Refused
from protocol.limits import ACCESS_KEY_BYTES_MAX, KEY_BYTES_MAX

_BUCKET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_ACCESS_KEY: Final = re.compile(r"[A-Za-z0-9_-]{3,128}")
_DOCUMENT: Final = re.compile(r"[a-z][a-z-]{0,31}")
SECRET_BYTES_MIN: Final = 8


def require_bucket_name(bucket: str) -> None:
    """Raises Refused(`bucket-name`)."""
    is_host = ".." not in bucket and ".-" not in bucket and "-." not in bucket
    if _BUCKET_NAME.fullmatch(bucket) is None or not is_host or _ADDRESS.fullmatch(bucket):
        raise Refused("bucket-name", bucket=bucket[:64])


def require_object_key(key: str) -> None:
    """Raises Refused(`object-key`)."""
    try:
        size_bytes = len(key.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise Refused("object-key", size_bytes=len(key), limit_bytes=KEY_BYTES_MAX) from error
    if not 1 <= size_bytes <= KEY_BYTES_MAX:
        raise Refused("object-key", size_bytes=size_bytes, limit_bytes=KEY_BYTES_MAX)


def require_access_key(key_id: str, secret: str) -> None:
    """Raises Refused(`key-name`) for one that a client could not use, or that is too easy to guess."""
    is_usable = secret.isascii() and secret.isprintable() and SECRET_BYTES_MIN <= len(secret) <= ACCESS_KEY_BYTES_MAX
    if _ACCESS_KEY.fullmatch(key_id) is None or not is_usable:
        raise Refused("key-name", key=key_id[:64])


def require_document_name(name: str) -> None:
    """Raises ValueError: the names are the program's own."""
    if _DOCUMENT.fullmatch(name) is None:
        raise ValueError(f"no name for a document: {name!r}")
