"""ListObjects (both versions), ListObjectVersions, ListMultipartUploads: pages of what a bucket holds, in key order.

A page costs the same wherever it begins, because the vault seeks to it, and past whole common prefixes. Where a page
ends is told as an opaque continuation token, or as S3's older markers, which are keys.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import lru_cache

from node.s3.calls.call import Answer, Call, xml_answer
from node.s3.calls.owners import owner_of
from node.s3.objects.parts import read_agreed
from node.s3.texts import checksums, faults
from node.s3.texts.names import encoded
from node.s3.texts.versions import read_upload, read_version, shown_version
from node.s3.texts.xml_out import document, escaped, flag, leaf, maybe, node, time_of
from node.vault.shelf.terms import Checksum, Glance, Page, UploadsPage, UploadStat, VersionsPage

PAGE_MAX = 1_000


class _Terms:
    """What all listings are asked with."""

    def __init__(self, call: Call, *, most: str) -> None:
        query = call.query
        self.prefix = query.text("prefix")
        self.delimiter = query.text("delimiter")
        self.limit = query.count(most, default=PAGE_MAX, most=PAGE_MAX)
        encoding = query.text("encoding-type")
        if encoding not in ("", "url"):
            raise faults.invalid("encoding-type", encoding, "Invalid Encoding Method specified in Request")
        self.encoding = encoding
        # Keys go through one of these once for each entry, so it is chosen once for each page.
        self.name: Callable[[str], str] = _url_name if encoding else escaped

    def prefixes(self, found: tuple[str, ...]) -> str:
        """The common prefixes."""
        return "".join(f"<CommonPrefixes><Prefix>{self.name(one)}</Prefix></CommonPrefixes>" for one in found)

    def shared(self, call: Call, *, most: str) -> str:
        """What all listings say about themselves."""
        return (
            leaf("Name", call.bucket)
            + f"<Prefix>{self.name(self.prefix)}</Prefix>"
            + (f"<Delimiter>{self.name(self.delimiter)}</Delimiter>" if self.delimiter else "")
            + leaf(most, self.limit)
            + maybe("EncodingType", self.encoding)
        )


def _url_name(key: str) -> str:
    return encoded(key, keep="/")


async def list_objects(call: Call) -> Answer:
    """ListObjects, the first version."""
    terms, marker = _Terms(call, most="max-keys"), call.query.text("marker")
    page = await _page(call, terms, marker)
    following = "" if page.next_after is None else f"<NextMarker>{terms.name(page.next_after)}</NextMarker>"
    owner = owner_of(call)
    body = document(
        "ListBucketResult",
        terms.shared(call, most="MaxKeys"),
        f"<Marker>{terms.name(marker)}</Marker>",
        following,
        flag("IsTruncated", value=page.next_after is not None),
        *(_entry(terms, one, owner) for one in page.entries),
        terms.prefixes(page.common_prefixes),
    )
    return xml_answer(body)


async def list_objects_v2(call: Call) -> Answer:
    """ListObjectsV2."""
    if call.query.text("list-type") != "2":
        raise faults.invalid("list-type", call.query.text("list-type"))
    terms, start_after = _Terms(call, most="max-keys"), call.query.text("start-after")
    token = call.request.query.get("continuation-token")
    page = await _page(call, terms, start_after if token is None else _read_token(token))
    owner = owner_of(call) if call.query.text("fetch-owner").lower() == "true" else ""
    body = document(
        "ListBucketResult",
        terms.shared(call, most="MaxKeys"),
        f"<StartAfter>{terms.name(start_after)}</StartAfter>" if start_after else "",
        maybe("ContinuationToken", token),
        leaf("KeyCount", len(page.entries) + len(page.common_prefixes)),
        maybe("NextContinuationToken", None if page.next_after is None else _token(page.next_after)),
        flag("IsTruncated", value=page.next_after is not None),
        *(_entry(terms, one, owner) for one in page.entries),
        terms.prefixes(page.common_prefixes),
    )
    return xml_answer(body)


async def _page(call: Call, terms: _Terms, start_after: str) -> Page[Glance]:
    call.info()
    if not terms.limit:
        return Page((), (), None)
    return await call.shelf.objects.glance(
        call.bucket, prefix=terms.prefix, delimiter=terms.delimiter, start_after=start_after, limit=terms.limit
    )


def _token(after: str) -> str:
    return base64.urlsafe_b64encode(after.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise faults.invalid("continuation-token", token, "The continuation token provided is incorrect") from None


def _entry(terms: _Terms, found: Glance, owner: str) -> str:
    return (
        f"<Contents><Key>{terms.name(found.key)}</Key><LastModified>{time_of(found.modified_s)}</LastModified>"
        f"<ETag>&quot;{escaped(found.etag)}&quot;</ETag>{_algorithms(found)}<Size>{found.size_bytes}</Size>{owner}"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def _algorithms(found: Glance) -> str:
    return _told_algorithms(found.algorithms) if found.algorithms else ""


@lru_cache(maxsize=64)
def _told_algorithms(names: tuple[str, ...]) -> str:
    """The same for most entries of a page."""
    shown = [checksums.shown(Checksum(name, b"\0"), "") for name in names]
    told = "".join(leaf("ChecksumAlgorithm", one.algorithm.value) for one in shown)
    return told + leaf("ChecksumType", shown[0].type.value)


async def list_versions(call: Call) -> Answer:
    """ListObjectVersions."""
    terms = _Terms(call, most="max-keys")
    key_marker, version_marker = call.query.text("key-marker"), call.query.text("version-id-marker")
    if version_marker and not key_marker:
        raise faults.invalid("version-id-marker", "", "A version-id marker cannot be specified without a key marker.")
    call.info()
    after_version = read_version(version_marker or None)
    page: VersionsPage[Glance] = VersionsPage((), (), None, None)
    if terms.limit:
        page = await call.shelf.objects.glance_versions(
            call.bucket,
            prefix=terms.prefix,
            delimiter=terms.delimiter,
            after_key=key_marker,
            after_version=after_version,
            limit=terms.limit,
        )
    owner = owner_of(call)
    body = document(
        "ListVersionsResult",
        terms.shared(call, most="MaxKeys"),
        f"<KeyMarker>{terms.name(key_marker)}</KeyMarker>",
        leaf("VersionIdMarker", version_marker),
        "" if page.next_key is None else f"<NextKeyMarker>{terms.name(page.next_key)}</NextKeyMarker>",
        "" if page.next_version is None else leaf("NextVersionIdMarker", shown_version(page.next_version)),
        flag("IsTruncated", value=page.next_key is not None),
        *(_version(terms, one, owner) for one in page.entries),
        terms.prefixes(page.common_prefixes),
    )
    return xml_answer(body)


def _version(terms: _Terms, found: Glance, owner: str) -> str:
    told = (
        f"<Key>{terms.name(found.key)}</Key><VersionId>{shown_version(found.version_id)}</VersionId>"
        f"<IsLatest>{'true' if found.is_latest else 'false'}</IsLatest>"
        f"<LastModified>{time_of(found.modified_s)}</LastModified>"
    )
    if found.is_marker:
        return f"<DeleteMarker>{told}{owner}</DeleteMarker>"
    return (
        f"<Version>{told}<ETag>&quot;{escaped(found.etag)}&quot;</ETag>{_algorithms(found)}"
        f"<Size>{found.size_bytes}</Size><StorageClass>STANDARD</StorageClass>{owner}</Version>"
    )


async def list_uploads(call: Call) -> Answer:
    """ListMultipartUploads."""
    terms = _Terms(call, most="max-uploads")
    key_marker, upload_marker = call.query.text("key-marker"), call.query.text("upload-id-marker")
    call.info()
    after_upload = read_upload(upload_marker) if upload_marker and key_marker else None
    page = UploadsPage((), (), None, None)
    if terms.limit:
        page = await call.shelf.uploads.list(
            call.bucket,
            prefix=terms.prefix,
            delimiter=terms.delimiter,
            after_key=key_marker,
            after_upload=after_upload,
            limit=terms.limit,
        )
    body = document(
        "ListMultipartUploadsResult",
        leaf("Bucket", call.bucket),
        f"<KeyMarker>{terms.name(key_marker)}</KeyMarker>",
        leaf("UploadIdMarker", upload_marker),
        "" if page.next_key is None else f"<NextKeyMarker>{terms.name(page.next_key)}</NextKeyMarker>",
        "" if page.next_upload is None else leaf("NextUploadIdMarker", page.next_upload.hex()),
        f"<Delimiter>{terms.name(terms.delimiter)}</Delimiter>" if terms.delimiter else "",
        f"<Prefix>{terms.name(terms.prefix)}</Prefix>",
        maybe("EncodingType", terms.encoding),
        leaf("MaxUploads", terms.limit),
        flag("IsTruncated", value=page.next_key is not None),
        *(_upload(call, terms, one) for one in page.uploads),
        terms.prefixes(page.common_prefixes),
    )
    return xml_answer(body)


def _upload(call: Call, terms: _Terms, found: UploadStat) -> str:
    agreement = read_agreed(found.checksum)
    return node(
        "Upload",
        f"<Key>{terms.name(found.key)}</Key>",
        leaf("UploadId", found.upload.hex()),
        owner_of(call, "Initiator"),
        owner_of(call, "Owner"),
        leaf("StorageClass", "STANDARD"),
        leaf("Initiated", time_of(found.begun_s)),
        "" if agreement is None else leaf("ChecksumAlgorithm", agreement.algorithm.value),
        "" if agreement is None else leaf("ChecksumType", agreement.type.value),
    )
