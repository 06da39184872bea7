"""What a copy is to be made of: found, allowed, under the conditions that the client set.

`x-amz-copy-source` names buckets as paths do: one of the key's own namespace first, then one that is shared with it;
`NAMESPACE:BUCKET` names one from outside. Who copies must be allowed to read what it copies, like any reader.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.s3.asking.canned_acls import is_public
from node.s3.asking.conditions import reading
from node.s3.asking.operations import Right
from node.s3.asking.request import Request, Target
from node.s3.asking.targets import named_bucket
from node.s3.asking.unserved import OWNER_OF_SOURCE, require_owner
from node.s3.calls.call import Call
from node.s3.objects.customer_keys import COPY_PREFIX, CustomerKey, ObjectKey, customer_key, opened
from node.s3.rights.access import Access, Verdict
from node.s3.rights.finding import find_source
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.names import decoded
from node.s3.texts.versions import read_version
from node.vault.objects import ObjectStat
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import BucketInfo, ObjectRef
from protocol.errors import Missing

SOURCE = "x-amz-copy-source"


@dataclass(frozen=True, slots=True, repr=False)
class Origin:
    """An object that its reader may copy. `key`: the client's, under which it is; `object_key`: its own."""

    shelf: Shelf
    ref: ObjectRef
    found: ObjectStat
    key: CustomerKey | None
    object_key: ObjectKey | None

    @property
    def bucket(self) -> BucketInfo:
        return self.shelf.buckets.get(self.ref.bucket)

    def is_in(self, shelf: Shelf) -> bool:
        """Whether it is of that namespace, so that its blocks may be named there."""
        return self.shelf.namespace == shelf.namespace

    def require_same(self, now: ObjectStat) -> None:
        """Raises S3Error(ConditionalRequestConflict) when it is not what was looked at any more."""
        if now.version != self.found.version:
            raise S3Error(faults.CONDITION_CONFLICT)


async def origin_of(call: Call) -> Origin:
    """The object that is to be copied.

    Raises:
        S3Error: InvalidArgument, AccessDenied, NoSuchBucket, PreconditionFailed; InvalidRequest for a wrong key.
        Missing: as `Objects.stat`.
    """
    request = call.request
    target, version = source_named(request)
    action = "s3:GetObject" if version is None else "s3:GetObjectVersion"
    meant, verdict = await find_source(call.shelves, call.caller, request, target, action)
    shelf = meant.shelf
    require_owner(request, shelf.namespace, OWNER_OF_SOURCE)
    ref = ObjectRef(target.bucket, target.key, version)
    found = await _look(shelf, ref, verdict)
    reading(request, "x-amz-copy-source-").check(found.etag, found.modified_s, is_copy=True)
    key = customer_key(request, COPY_PREFIX)
    return Origin(shelf, ref, found, key, opened(key, found.metadata))


def source_named(request: Request) -> tuple[Target, bytes | None]:
    """The object that the request names, and its version. Raises S3Error(InvalidArgument)."""
    text = request.headers.get(SOURCE, "")
    path, _mark, query = text.partition("?")
    name, _equals, value = query.partition("=")
    bucket, _slash, key = decoded(path).removeprefix("/").partition("/")
    if not bucket or not key or (query and name != "versionId"):
        raise faults.invalid(
            SOURCE, text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )
    return named_bucket(bucket, key), read_version(decoded(value)) if query else None


async def _look(shelf: Shelf, ref: ObjectRef, verdict: Verdict) -> ObjectStat:
    """What is there, as of now. Raises S3Error(AccessDenied) where only what is public may be seen."""
    try:
        found = await shelf.objects.stat(ref.bucket, ref.key, version=ref.version)
    except Missing:
        if verdict is Verdict.IF_PUBLIC:
            raise S3Error(faults.ACCESS_DENIED) from None
        raise
    if verdict is Verdict.IF_PUBLIC and not is_public(found):
        raise S3Error(faults.ACCESS_DENIED)
    return found


async def require_tags_copied(call: Call, origin: Origin) -> None:
    """Raises S3Error(AccessDenied) when there are tags to be copied, and the caller may not read or not set them."""
    if not origin.found.tags:
        return
    here = Access(call.caller, call.shelf, call.info(), call.request)
    there = Access(call.caller, origin.shelf, origin.bucket, call.request)
    verdicts = (
        await there.to("s3:GetObjectTagging", Right.READ, origin.ref.bucket, origin.ref.key),
        await here.to("s3:PutObjectTagging", Right.WRITE, call.bucket, call.key),
    )
    if any(verdict is not Verdict.ALLOWED for verdict in verdicts):
        raise S3Error(faults.ACCESS_DENIED)
