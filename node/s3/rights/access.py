"""Who may do what: a key's own limits, the bucket's policy, and canned ACLs, in this order.

A namespace's keys may do everything in it, within what each was made for (one bucket, reading only) and short of what
a policy denies; the policy itself they can always change, so that nobody locks himself out. Everybody else, keys of
other namespaces and anonymous readers, may do what the policy allows; and read what a canned ACL makes public, of
which only a look at the object can tell.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from node.s3.asking.canned_acls import PUBLIC_READ
from node.s3.asking.operations import Operation, Right
from node.s3.asking.request import Request
from node.s3.calls import documents
from node.s3.calls.call import Caller
from node.s3.rights.policies import Asker, parse_policy, resource_of
from node.s3.rights.policy_conditions import Circumstances
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import BucketInfo
from protocol.quick_init import quick_init

POLICY_DOCUMENT = "policy"
ACL_DOCUMENT = "acl"
OWNERSHIP_DOCUMENT = "ownership"  # there only where it is this:
ENFORCED = "BucketOwnerEnforced"
_OF_POLICY = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
DELETE_OBJECTS = "DeleteObjects"
_VERSIONED = (
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:GetObjectTagging",
    "s3:PutObjectTagging",
    "s3:DeleteObjectTagging",
)
_LISTS = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")
_EXTRAS = {
    "x-amz-acl": "s3:PutObjectAcl",
    "x-amz-tagging": "s3:PutObjectTagging",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
    "x-amz-bypass-governance-retention": "s3:BypassGovernanceRetention",
}
_EXTRA_NAMES = frozenset(_EXTRAS)
_BY_ACL_OF_OBJECT = ("s3:GetObject", "s3:GetObjectVersion")


class Verdict(enum.Enum):
    """What is decided before the object is looked at."""

    ALLOWED = "allowed"
    IF_PUBLIC = "if the object is public"
    DENIED = "denied"


@quick_init
@dataclass(frozen=True, slots=True)
class Access:
    """One caller before one shelf, with a request; `info` is the bucket that this is about, if the shelf has it."""

    caller: Caller
    shelf: Shelf
    info: BucketInfo | None
    request: Request

    @property
    def is_owner(self) -> bool:
        """Whether the caller's key is one of this namespace."""
        return self.caller.owner is not None and self.caller.owner.namespace == self.shelf.namespace

    async def of(self, operation: Operation) -> Verdict:
        """Whether the request may be served."""
        request = self.request
        action = operation.action
        if operation.name == DELETE_OBJECTS and not self.is_owner:
            return self._some_key()
        if "versionId" in request.query and action in _VERSIONED:
            action = f"{action}Version"
        verdict = await self.to(action, operation.right, request.target.bucket, request.target.key)
        if verdict is Verdict.ALLOWED:
            return await self._with_extras(request)
        return verdict

    def _some_key(self) -> Verdict:
        """A guest who deletes many at once is asked about each key, where the bucket has a policy at all."""
        own, info = self.caller.key, self.info
        if info is None or POLICY_DOCUMENT not in info.documents or (own is not None and own.is_read_only):
            return Verdict.DENIED
        return Verdict.ALLOWED

    async def _with_extras(self, request: Request) -> Verdict:
        """Headers by which more is done than bytes are written need rights of their own, of which a policy may also
        deny some to the owner's keys.
        """
        if not request.has_any(_EXTRA_NAMES):
            return Verdict.ALLOWED
        for name, action in _EXTRAS.items():
            if request.headers.get(name) is None:
                continue
            verdict = await self.to(action, Right.WRITE, request.target.bucket, request.target.key)
            if verdict is not Verdict.ALLOWED:
                return Verdict.DENIED
        return Verdict.ALLOWED

    async def to(self, action: str, right: Right, bucket: str, key: str) -> Verdict:
        """Whether the caller may do this to that."""
        own = self.caller.key
        if own is not None and own.is_read_only and right is Right.WRITE:
            return Verdict.DENIED
        if own is not None and own.bucket is not None and bucket and (own.bucket != bucket or not self.is_owner):
            return Verdict.DENIED
        if not bucket:
            return Verdict.ALLOWED if self.is_owner else Verdict.DENIED
        said = await self._policy_says(action, bucket, key)
        if self.is_owner:
            return Verdict.DENIED if said is False and action not in _OF_POLICY else Verdict.ALLOWED
        if said is not None:
            return Verdict.ALLOWED if said else Verdict.DENIED
        return await self._acl_says(action)

    async def _policy_says(self, action: str, bucket: str, key: str) -> bool | None:
        document = await documents.if_any(self.shelf, self.info, POLICY_DOCUMENT)
        if document is None:
            return None
        asker = Asker(
            self.caller.names, self.caller.id, action, resource_of(bucket, key), self._circumstances(action)
        )
        return parse_policy(document, bucket).verdict(asker)

    def _circumstances(self, action: str) -> Circumstances:
        """What a policy may ask of the request: what it lists, if that is what it is allowed to do."""
        request = self.request
        lists = request.query if action in _LISTS else {}
        return Circumstances(request.is_secure, request.client or None, lists.get("prefix"), lists.get("delimiter"))

    async def _acl_says(self, action: str) -> Verdict:
        if are_acls_off(self.info):
            return Verdict.DENIED
        if action in _BY_ACL_OF_OBJECT:
            return Verdict.IF_PUBLIC
        if action in _LISTS and await bucket_acl(self.shelf, self.info) == PUBLIC_READ:
            return Verdict.ALLOWED
        return Verdict.DENIED


def are_acls_off(info: BucketInfo | None) -> bool:
    """Whether the bucket's owner wants no ACL to count."""
    return info is not None and OWNERSHIP_DOCUMENT in info.documents


def require_acls(info: BucketInfo | None, acl: str | None) -> None:
    """Raises S3Error(AccessControlListNotSupported) for an ACL that would let somebody in, where none counts."""
    if acl == PUBLIC_READ and are_acls_off(info):
        raise S3Error(faults.ACL_NOT_SUPPORTED)


async def bucket_acl(shelf: Shelf, info: BucketInfo | None) -> str:
    """The bucket's canned ACL."""
    document = await documents.if_any(shelf, info, ACL_DOCUMENT)
    return "private" if document is None else document.decode()
