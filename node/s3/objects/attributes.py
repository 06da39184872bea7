"""GetObjectAttributes: what is known of an object, without a byte of it."""

from __future__ import annotations

from node.s3.asking.conditions import reading
from node.s3.calls.call import Answer, Call, xml_answer
from node.s3.objects.customer_keys import customer_key, opened
from node.s3.objects.multipart import part_checksums
from node.s3.objects.parts import PARTS_MAX
from node.s3.texts import checksums, faults
from node.s3.texts.faults import S3Error
from node.s3.texts.numbers import read_count
from node.s3.texts.times import http_date
from node.s3.texts.versions import read_version, version_headers
from node.s3.texts.xml_out import document, flag, leaf, maybe, node
from node.vault.objects import ObjectStat

_KNOWN = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
PARTS_LISTED_MAX = 1_000


async def get_attributes(call: Call) -> Answer:
    """GetObjectAttributes."""
    asked = [
        word.strip() for word in call.request.headers.get("x-amz-object-attributes", "").split(",") if word.strip()
    ]
    if not asked or any(word not in _KNOWN for word in asked):
        raise S3Error(faults.INVALID_ARGUMENT, "Invalid attribute name specified.")
    info, version = call.info(), read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.stat(call.bucket, call.key, version=version)
    reading(call.request).check(found.etag, found.modified_s)
    opened(customer_key(call.request), found.metadata)
    body = document(
        "GetObjectAttributesResponse",
        leaf("ETag", found.etag) if "ETag" in asked else "",
        _checksums(found) if "Checksum" in asked else "",
        await _parts(call, found) if "ObjectParts" in asked and found.part_count else "",
        leaf("StorageClass", "STANDARD") if "StorageClass" in asked else "",
        leaf("ObjectSize", found.size_bytes) if "ObjectSize" in asked else "",
    )
    return xml_answer(body, (("last-modified", http_date(found.modified_s)), *version_headers(info, found)))


def _checksums(found: ObjectStat) -> str:
    shown = [checksums.shown(one, found.etag) for one in found.checksums]
    if not shown:
        return ""
    # A composite checksum is told here without the number of parts, which ObjectParts has.
    told = (leaf(f"Checksum{one.algorithm.value}", one.text.partition("-")[0]) for one in shown)
    return node("Checksum", *told, leaf("ChecksumType", shown[0].type.value))


async def _parts(call: Call, found: ObjectStat) -> str:
    limit = _count(call, "x-amz-max-parts", default=PARTS_LISTED_MAX)
    after = _count(call, "x-amz-part-number-marker", default=0)
    version = found.version_id
    page = await call.shelf.objects.parts(
        call.bucket, call.key, version=version, after=after, limit=max(1, min(limit, PARTS_LISTED_MAX))
    )
    listed = (
        node("Part", leaf("PartNumber", part.number), leaf("Size", part.size_bytes), part_checksums(part))
        for part in page.parts
    )
    return node(
        "ObjectParts",
        leaf("PartsCount", found.part_count),
        leaf("PartNumberMarker", after),
        maybe("NextPartNumberMarker", page.next_after),
        leaf("MaxParts", limit),
        flag("IsTruncated", value=page.next_after is not None),
        *listed,
    )


def _count(call: Call, name: str, *, default: int) -> int:
    text = call.request.headers.get(name)
    if text is None:
        return default
    count = read_count(text)
    if not 0 <= count <= PARTS_MAX:
        raise faults.invalid(name, text)
    return count
