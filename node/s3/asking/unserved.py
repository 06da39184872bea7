"""Headers that would change what a request means, and that are not served: they are refused by name. Pure.

Ignoring one of them would be a lie: an object would be thought encrypted under a key of one's own, kept in a colder
class, or granted to somebody. Headers that S3 does not know, and those that only tell who asks, are let pass.
"""

from __future__ import annotations

from node.s3.asking.operations import Operation, Right
from node.s3.asking.request import Request
from node.s3.texts import faults
from node.s3.texts.faults import S3Error

_REFUSED = frozenset({
    "x-amz-mfa", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write",
    "x-amz-grant-write-acp", "x-amz-write-offset-bytes", "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-restore", "x-amz-if-match-last-modified-time", "x-amz-if-match-size", "x-amz-rename-source",
    "x-amz-fwd-status", "x-amz-request-route", "x-amz-security-token",
})  # fmt: skip
OWNER, OWNER_OF_SOURCE = "x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"
_SSE = "x-amz-server-side-encryption"


def refuse_unserved(request: Request, operation: Operation) -> None:
    """Raises S3Error(NotImplemented), naming the header."""
    if request.has_any(_REFUSED):
        raise faults.not_served(next(name for name in request.headers if name in _REFUSED))
    if operation.right is not Right.WRITE:
        return
    encryption = request.headers.get(_SSE)
    if encryption not in (None, "AES256"):
        raise faults.not_served(f"{_SSE}: {encryption}")
    storage_class = request.headers.get("x-amz-storage-class")
    if storage_class not in (None, "", "STANDARD"):
        raise faults.not_served(f"x-amz-storage-class: {storage_class}")


def require_owner(request: Request, owner: str, header: str = OWNER) -> None:
    """Raises S3Error(AccessDenied) when the bucket is somebody else's than the client expects."""
    if request.headers.get(header) not in (None, owner):
        raise S3Error(faults.ACCESS_DENIED)
