"""CopyObject and UploadPartCopy: bytes that are here already get another name.

Inside a namespace a copy shares the source's blocks and moves no bytes; where it cannot, they are carried over. What
is kept beside the bytes is either the source's or the request's, as the directives say; the ACL is never copied.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from node.s3.asking.canned_acls import ACL_NAME, acl_rows, canned_acl
from node.s3.asking.conditions import writing
from node.s3.asking.ranges import copied
from node.s3.asking.wire import Headers
from node.s3.buckets.expiry import expiration, rules_of
from node.s3.calls.call import Answer, Call, xml_answer
from node.s3.objects.carrying import algorithm_for, carried, must_be_carried
from node.s3.objects.customer_keys import ROW, customer_key, encryption_headers, row_of
from node.s3.objects.metadata import REDIRECT
from node.s3.objects.multipart import part_checksums, read_part, store_part
from node.s3.objects.parts import read_agreed
from node.s3.objects.reading import checksum_elements
from node.s3.objects.sources import SOURCE, Origin, origin_of, require_tags_copied
from node.s3.objects.writing import store, terms_of
from node.s3.texts import faults
from node.s3.texts.checksums import Algorithm
from node.s3.texts.faults import S3Error
from node.s3.texts.versions import shown_version, version_headers
from node.s3.texts.xml_out import document, leaf, time_of
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import Metadata, ObjectRef, PartStat, PutTerms, UploadStat

# With one of these an object may be copied to itself, though it be the one that the object has: so Amazon has it.
_CHANGES = frozenset({REDIRECT, "x-amz-storage-class", "x-amz-server-side-encryption"})


async def copy_object(call: Call) -> Answer:
    """CopyObject."""
    info, origin, request = call.info(), await origin_of(call), call.request
    algorithm = algorithm_for(call, origin.found)
    is_carried = must_be_carried(call, origin, algorithm)
    keeps = _directive(call, "x-amz-metadata-directive")
    if keeps and not is_carried and _is_itself(call, origin) and not request.has_any(_CHANGES):
        raise S3Error(
            faults.INVALID_REQUEST,
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    terms = terms_of(call, writing(request))
    if keeps:
        terms = replace(terms, metadata=_kept_metadata(call, origin.found, terms))
    if _directive(call, "x-amz-tagging-directive"):
        await require_tags_copied(call, origin)
        terms = replace(terms, tags=origin.found.tags)
    made = await (_carry(call, origin, terms, algorithm) if is_carried else _share(call, origin, terms))
    body = document(
        "CopyObjectResult",
        leaf("LastModified", time_of(made.modified_s)),
        leaf("ETag", f'"{made.etag}"'),
        checksum_elements(made),
    )
    source_version = version_headers(origin.bucket, origin.found)
    headers: Headers = (
        *version_headers(info, made),
        *((f"x-amz-copy-source{name.removeprefix('x-amz')}", text) for name, text in source_version),
        *encryption_headers(customer_key(call.request)),
        *expiration(await rules_of(call.shelf, info), made),
    )
    return xml_answer(body, headers)


def _is_itself(call: Call, origin: Origin) -> bool:
    return origin.is_in(call.shelf) and origin.ref == ObjectRef(call.bucket, call.key)


def _directive(call: Call, name: str) -> bool:
    """Whether what the source has is kept."""
    text = call.request.headers.get(name) or "COPY"
    if text not in ("COPY", "REPLACE"):
        raise faults.invalid(name, text, "Unknown metadata directive.")
    return text == "COPY"


def _kept_metadata(call: Call, found: ObjectStat, terms: PutTerms) -> tuple[Metadata, ...]:
    """The source's, but for its ACL and the redirection, which are the request's."""
    redirect = tuple(one for one in terms.metadata if one.name == REDIRECT)
    source = tuple(one for one in found.metadata if one.name not in (ACL_NAME, REDIRECT, ROW))
    return (*source, *redirect, *acl_rows(canned_acl(call.request)))


async def _share(call: Call, origin: Origin, terms: PutTerms) -> ObjectStat:
    """Name the source's blocks: under the same key as it, if it is under one of the client's."""
    row = row_of(origin.found.metadata)
    rows = () if row is None else (row,)
    return await call.shelf.objects.copy(
        origin.ref, call.bucket, call.key, replace(terms, metadata=(*terms.metadata, *rows)),
        keep_metadata=False, keep_tags=False, source_condition=origin.require_same,
    )  # fmt: skip


async def _carry(call: Call, origin: Origin, terms: PutTerms, algorithm: Algorithm | None) -> ObjectStat:
    async with carried(call, origin, None, algorithm) as source:
        terms = replace(terms, finish=partial(call.finish, source))
        return await store(call, source, terms, origin.found.size_bytes)


async def upload_part_copy(call: Call) -> Answer:
    """UploadPartCopy."""
    origin, (upload, number) = await origin_of(call), read_part(call)
    known = await call.shelf.uploads.stat(call.bucket, call.key, upload)
    made = await _copy_part(call, origin, known, number)
    body = document(
        "CopyPartResult",
        leaf("LastModified", time_of(made.modified_s)),
        leaf("ETag", f'"{made.etag}"'),
        part_checksums(made),
    )
    found = origin.found
    version = () if found.is_null else ((f"{SOURCE}-version-id", shown_version(found.version_id)),)
    return xml_answer(body, (*version, *encryption_headers(customer_key(call.request))))


async def _copy_part(call: Call, origin: Origin, known: UploadStat, number: int) -> PartStat:
    header, size_bytes = call.request.headers.get("x-amz-copy-source-range"), origin.found.size_bytes
    part = None if header is None else copied(header, size_bytes)
    if origin.is_in(call.shelf) and origin.key is None and row_of(known.metadata) is None:
        return await call.shelf.uploads.copy_part(
            call.bucket, call.key, known.upload, number, origin.ref, part, source_condition=origin.require_same
        )
    agreement = read_agreed(known.checksum)
    expected_bytes = size_bytes if part is None else part.size_bytes
    async with carried(call, origin, part, None if agreement is None else agreement.algorithm) as source:
        return await store_part(call, known, number, source, expected_bytes)
