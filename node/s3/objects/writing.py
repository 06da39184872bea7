"""PutObject and DeleteObject: a key gets bytes, or loses them.

The answer to a PUT is sent when the bytes and their name are durable. Conditions are decided by the vault in one step
with the write, so of many writers of one key one wins, and the others are told so.
"""

from __future__ import annotations

from functools import partial

from node.s3.asking.conditions import etags, writing
from node.s3.asking.operations import Right
from node.s3.asking.tags import tags_of
from node.s3.asking.wire import Headers
from node.s3.buckets.expiry import expiration, rules_of
from node.s3.calls.call import Answer, Call
from node.s3.calls.failures import told
from node.s3.objects.customer_keys import HiddenSource, customer_key, encryption_headers, fresh
from node.s3.objects.metadata import LOCK_HEADERS, legal_hold_of, metadata_of, retention_of
from node.s3.objects.reading import checksum_headers
from node.s3.rights.access import Access, Verdict, require_acls
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.versions import read_version, shown_version, version_headers
from node.s3.texts.xml_in import Element
from node.s3.texts.xml_out import document, flag, leaf, maybe, node
from node.vault.objects import ObjectStat, Source
from node.vault.shelf.terms import UNCONDITIONAL, BucketInfo, Condition, Deleted, Finisher, PutTerms, Versioning
from protocol.errors import MaillonError
from protocol.limits import OBJECT_BYTES_MAX
from protocol.quick_init import quick_replace

DELETIONS_MAX = 1_000


def terms_of(call: Call, condition: Condition = UNCONDITIONAL, finish: Finisher | None = None) -> PutTerms:
    """What a request's headers say about the object to be, besides what was made of them already.

    Raises:
        S3Error: InvalidRequest for a lock in a bucket that was not made for locks, AccessControlListNotSupported.
    """
    request = call.request
    require_acls(call.known, request.headers.get("x-amz-acl"))
    retention, is_held = None, False
    if request.has_any(LOCK_HEADERS):
        retention, is_held = retention_of(request, call.host.wall.now_s()), legal_hold_of(request)
    if (retention is not None or is_held) and not call.info().is_locked:
        raise S3Error(faults.INVALID_REQUEST, "Bucket is missing Object Lock Configuration")
    return PutTerms(
        finish=finish,
        metadata=metadata_of(request),
        tags=tags_of(request),
        retention=retention,
        legal_hold=is_held,
        condition=condition,
    )


async def put_object(call: Call) -> Answer:
    """PutObject."""
    info, condition = call.info(), writing(call.request)
    require_length(call)
    source, declared = call.upload()
    if declared is not None and declared > OBJECT_BYTES_MAX:
        raise S3Error(faults.ENTITY_TOO_LARGE)
    terms = terms_of(call, condition, partial(call.finish, source))
    found = await store(call, source, terms, declared)
    return Answer(200, await put_headers(call, info, found))


async def store(call: Call, source: Source, terms: PutTerms, expected_bytes: int | None) -> ObjectStat:
    """Put the bytes, hidden under the client's key where the request brings one."""
    key = customer_key(call.request)
    if key is not None:
        made = fresh(key, call.host.entropy)
        source = HiddenSource(source, made.stream(), call.host.threads)
        terms = quick_replace(terms, metadata=(*terms.metadata, made.row))
    return await call.shelf.objects.put(call.bucket, call.key, source, terms, expected_bytes=expected_bytes)


def require_length(call: Call) -> None:
    """Raises S3Error(MissingContentLength) where nothing says where the body ends."""
    headers = call.request.headers
    if "content-length" not in headers and "transfer-encoding" not in headers:
        raise S3Error(faults.MISSING_LENGTH)


async def put_headers(call: Call, info: BucketInfo, found: ObjectStat) -> Headers:
    """What is told of an object that was just written."""
    return (
        ("etag", f'"{found.etag}"'),
        *encryption_headers(customer_key(call.request)),
        *version_headers(info, found),
        *checksum_headers(found),
        *expiration(await rules_of(call.shelf, info), found),
    )


async def delete_object(call: Call) -> Answer:
    """DeleteObject. Without a version it succeeds whether or not there is such a key, as S3 has it."""
    info = call.info()
    done = await call.shelf.objects.delete(
        call.bucket,
        call.key,
        version=read_version(call.request.query.get("versionId")),
        bypass_governance=bypasses(call),
        condition=Condition(if_match=etags(call.request.headers.get("if-match"))),
    )
    return Answer(204, _deleted_headers(info, done))


def bypasses(call: Call) -> bool:
    """Whether governance is to be overridden; whoever may delete here may ask for it."""
    return call.request.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"


def _deleted_headers(info: BucketInfo, done: Deleted) -> Headers:
    if info.versioning is Versioning.NEVER or done.version_id is None:
        return ()
    marker = (("x-amz-delete-marker", "true"),) if done.is_marker else ()
    return (("x-amz-version-id", shown_version(done.version_id)), *marker)


async def delete_objects(call: Call) -> Answer:
    """DeleteObjects: up to 1,000 keys, in one append to the journal."""
    asked = await call.xml("Delete")
    asked.only("Object", "Quiet")
    objects = list(asked.all("Object"))
    if not 1 <= len(objects) <= DELETIONS_MAX:
        raise S3Error(faults.MALFORMED_XML)
    call.info()
    named = [_named(one) for one in objects]
    allowed = [one for one in named if await _may_delete(call, *one)]
    done = await call.shelf.objects.delete_several(call.bucket, allowed, bypass_governance=bypasses(call))
    may = set(allowed)
    denied = [(one, S3Error(faults.ACCESS_DENIED)) for one in named if one not in may]
    is_quiet = (asked.value("Quiet") or "").lower() == "true"
    parts = [
        _result(key, version, one)
        for (key, version), one in (*zip(allowed, done, strict=True), *denied)
        if isinstance(one, MaillonError) or not is_quiet
    ]
    return Answer(200, (("content-type", "application/xml"),), document("DeleteResult", *parts))


async def _may_delete(call: Call, key: str, version: bytes | None) -> bool:
    action = "s3:DeleteObject" if version is None else "s3:DeleteObjectVersion"
    actions = (action, "s3:BypassGovernanceRetention") if bypasses(call) else (action,)
    access = Access(call.caller, call.shelf, call.info(), call.request)
    for one in actions:
        if await access.to(one, Right.WRITE, call.bucket, key) is not Verdict.ALLOWED:
            return False
    return True


def _named(one: Element) -> tuple[str, bytes | None]:
    one.only("Key", "VersionId", "ETag", "LastModifiedTime", "Size")
    one.refuse("ETag", "LastModifiedTime", "Size")
    key = one.one("Key")
    if key is None or not key.text:
        raise S3Error(faults.MALFORMED_XML)
    return key.text, read_version(one.value("VersionId") or None)


def _result(key: str, version: bytes | None, done: Deleted | MaillonError) -> str:
    asked = None if version is None else shown_version(version)
    if isinstance(done, MaillonError):
        error = told(done)
        return node(
            "Error",
            leaf("Key", key),
            maybe("VersionId", asked),
            leaf("Code", error.fault.code),
            leaf("Message", error.message),
        )
    marker = ""
    if done.is_marker and done.version_id is not None:
        marker = flag("DeleteMarker", value=True) + leaf("DeleteMarkerVersionId", shown_version(done.version_id))
    return node("Deleted", leaf("Key", key), maybe("VersionId", asked), marker)
