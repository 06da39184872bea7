"""The canned ACL that a request names, and the row beside an object's bytes in which it is kept. Pure.

There are two: private, which is what there is without a row, and readable by everybody. The row lies among the
object's metadata, under a name that no header has.
"""

from __future__ import annotations

from node.s3.asking.request import Request
from node.s3.texts import faults
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import Metadata

ACL_NAME = "acl"
PUBLIC_READ = "public-read"


def is_public(found: ObjectStat) -> bool:
    """Whether the object's own ACL lets everybody read it."""
    return any(one.name == ACL_NAME and one.value == PUBLIC_READ for one in found.metadata)


def acl_rows(acl: str | None) -> tuple[Metadata, ...]:
    """The row in which an object's ACL is kept; none for a private one."""
    return (Metadata(ACL_NAME, PUBLIC_READ),) if acl == PUBLIC_READ else ()


def canned_acl(request: Request) -> str | None:
    """The canned ACL that the request names; None when it names none.

    Objects belong to their bucket's owner, so the ACLs that only give the owner control are `private`.

    Raises:
        S3Error: InvalidArgument; NotImplemented for those that are not served.
    """
    text = request.headers.get("x-amz-acl")
    if text is None:
        return None
    if text in ("private", "bucket-owner-full-control", "bucket-owner-read"):
        return "private"
    if text == PUBLIC_READ:
        return PUBLIC_READ
    if text in ("public-read-write", "authenticated-read", "aws-exec-read", "log-delivery-write"):
        raise faults.not_served(f"x-amz-acl: {text}")
    raise faults.invalid("x-amz-acl", text)
