"""CopyObject and UploadPartCopy: bytes that are here already get another name.

Inside a namespace a copy shares the source's blocks and moves no bytes. What is kept beside the bytes is either the
source's or the request's, as the directives say; the ACL is never copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from node.s3 import faults
from node.s3.access import Access, Verdict
from node.s3.calls import ACL_NAME, Answer, Call, xml_answer
from node.s3.conditions import reading, writing
from node.s3.customer_keys import COPY_PREFIX, ROW, customer_key, opened, row_of
from node.s3.faults import S3Error
from node.s3.metadata import REDIRECT, acl_rows, canned_acl
from node.s3.multipart import part_checksums, read_part
from node.s3.names import decoded
from node.s3.operations import Right
from node.s3.ranges import copied
from node.s3.reading import checksum_elements
from node.s3.versions import read_version, shown_version, version_headers
from node.s3.wire import Headers
from node.s3.writing import terms_of
from node.s3.xml_out import document, leaf, time_of
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import Metadata, ObjectRef, PutTerms

SOURCE = "x-amz-copy-source"


async def source_of(call: Call) -> ObjectRef:
    """The object that is to be copied, which the caller must be allowed to read.

    Raises:
        S3Error: InvalidArgument, AccessDenied; NotImplemented for another namespace's.
    """
    text = call.request.header(SOURCE) or ""
    path, _mark, query = text.partition("?")
    version = None
    if query:
        name, _equals, value = query.partition("=")
        if name != "versionId":
            raise faults.invalid(
                SOURCE, text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
            )
        version = read_version(decoded(value))
    bucket, _slash, key = decoded(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise faults.invalid(
            SOURCE, text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )
    if ":" in bucket:
        raise faults.not_served("copying from another namespace")
    key_owner = call.caller.owner
    if key_owner is None or key_owner.namespace != call.shelf.namespace:
        raise faults.not_served("copying into another namespace")
    action = "s3:GetObject" if version is None else "s3:GetObjectVersion"
    access = Access(call.caller, call.shelf, call.request.is_secure)
    if await access.to(action, Right.READ, bucket, key) is not Verdict.ALLOWED:
        raise S3Error(faults.ACCESS_DENIED)
    return ObjectRef(bucket, key, version)


async def copy_object(call: Call) -> Answer:
    """CopyObject."""
    info, source, request = call.info(), await source_of(call), call.request
    found = await call.shelf.objects.stat(source.bucket, source.key, version=source.version)
    reading(request, "x-amz-copy-source-").check(found.etag, found.modified_s, is_copy=True)
    keeps = _directive(call, "x-amz-metadata-directive")
    keeps_tags = _directive(call, "x-amz-tagging-directive")
    if keeps and source == ObjectRef(call.bucket, call.key) and request.header(REDIRECT) is None:
        raise S3Error(
            faults.INVALID_REQUEST,
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    _require_algorithm(call, found)
    terms = replace(terms_of(call), condition=writing(request))
    if keeps:
        terms = replace(terms, metadata=_kept_metadata(call, found, terms))
    terms = replace(terms, metadata=(*terms.metadata, *_key_rows(call, found)))
    made = await call.shelf.objects.copy(
        source, call.bucket, call.key, terms,
        keep_metadata=False, keep_tags=keeps_tags, source_condition=still(found),
    )  # fmt: skip
    body = document(
        "CopyObjectResult",
        leaf("LastModified", time_of(made.modified_s)),
        leaf("ETag", f'"{made.etag}"'),
        checksum_elements(made),
    )
    source_version = version_headers(call.shelf.buckets.get(source.bucket), found)
    headers: Headers = (
        *version_headers(info, made),
        *((f"x-amz-copy-source{name.removeprefix('x-amz')}", text) for name, text in source_version),
        ("x-amz-server-side-encryption", "AES256"),
    )
    return xml_answer(body, headers)


def _directive(call: Call, name: str) -> bool:
    """Whether what the source has is kept."""
    text = call.request.header(name) or "COPY"
    if text not in ("COPY", "REPLACE"):
        raise faults.invalid(name, text, "Unknown metadata directive.")
    return text == "COPY"


def _kept_metadata(call: Call, found: ObjectStat, terms: PutTerms) -> tuple[Metadata, ...]:
    """The source's, but for its ACL and the redirection, which are the request's."""
    redirect = tuple(one for one in terms.metadata if one.name == REDIRECT)
    source = tuple(one for one in found.metadata if one.name not in (ACL_NAME, REDIRECT, ROW))
    return (*source, *redirect, *acl_rows(canned_acl(call.request)))


def _key_rows(call: Call, found: ObjectStat) -> tuple[Metadata, ...]:
    """Under a client's key a copy is what its source is: under the same key. Another one would need its bytes."""
    before, after = customer_key(call.request, COPY_PREFIX), customer_key(call.request)
    opened(before, found.metadata)
    if (None if before is None else before.key) != (None if after is None else after.key):
        raise faults.not_served("copying to another key of the client's (SSE-C)")
    row = row_of(found.metadata)
    if row is not None and found.part_count:
        raise faults.not_served("copying an object of several parts under a client's key (SSE-C)")
    return () if row is None else (row,)


def _require_algorithm(call: Call, found: ObjectStat) -> None:
    """A copy has its source's checksums: another algorithm would need its bytes to be read."""
    asked = call.request.header("x-amz-checksum-algorithm")
    if asked is not None and not any(one.algorithm.startswith(asked.upper()) for one in found.checksums):
        raise faults.not_served("x-amz-checksum-algorithm: another one than the source's")


def still(found: ObjectStat) -> Callable[[ObjectStat], None]:
    """The source must be what was looked at when it was decided to copy it."""

    def check(now: ObjectStat) -> None:
        if now.version != found.version:
            raise S3Error(faults.CONDITION_CONFLICT)

    return check


async def upload_part_copy(call: Call) -> Answer:
    """UploadPartCopy."""
    source, (upload, number) = await source_of(call), read_part(call)
    found = await call.shelf.objects.stat(source.bucket, source.key, version=source.version)
    reading(call.request, "x-amz-copy-source-").check(found.etag, found.modified_s, is_copy=True)
    known = await call.shelf.uploads.stat(call.bucket, call.key, upload)
    if row_of(found.metadata) is not None or row_of(known.metadata) is not None:
        raise faults.not_served("copying parts under a client's key (SSE-C)")
    header = call.request.header("x-amz-copy-source-range")
    part = None if header is None else copied(header, found.size_bytes)
    made = await call.shelf.uploads.copy_part(call.bucket, call.key, upload, number, source, part)
    body = document(
        "CopyPartResult",
        leaf("LastModified", time_of(made.modified_s)),
        leaf("ETag", f'"{made.etag}"'),
        part_checksums(made),
    )
    version = () if found.is_null else ((f"{SOURCE}-version-id", shown_version(found.version_id)),)
    return xml_answer(body, version)
