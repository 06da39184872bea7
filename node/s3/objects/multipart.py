"""Multipart uploads: an object that comes in up to 10,000 parts, in any order and many at once.

Each part is durable when it is acknowledged, and journaled under its upload; completing names the listed ones in
order, and moves no bytes. The final ETag is S3's: of the parts' MD5s, with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from node.s3.asking.conditions import bare, writing
from node.s3.asking.targets import url_of
from node.s3.buckets.expiry import abortion, expiration, rules_of
from node.s3.calls.call import NO_CONTENT, Answer, Call, Proven, xml_answer
from node.s3.calls.owners import owner_of
from node.s3.objects.customer_keys import PART_SALT, HiddenSource, customer_key, encryption_headers, fresh, opened
from node.s3.objects.parts import (
    PARTS_MAX,
    Agreed,
    agreed,
    checksum_value,
    expected,
    finish,
    read_agreed,
    without_expected,
)
from node.s3.objects.reading import checksum_elements
from node.s3.objects.writing import require_length, terms_of
from node.s3.texts import checksums, faults
from node.s3.texts.checksums import Algorithm, Type
from node.s3.texts.faults import S3Error
from node.s3.texts.numbers import NO_NUMBER, read_count
from node.s3.texts.versions import read_upload, version_headers
from node.s3.texts.xml_in import Element
from node.s3.texts.xml_out import document, flag, leaf, maybe, node, time_of
from node.vault.objects import ObjectStat, Source
from node.vault.shelf.terms import Finish, Finisher, PartsPage, PartStat, UploadStat
from protocol.errors import MaillonError, Missing

LISTED_MAX = 1_000


async def create_upload(call: Call) -> Answer:
    """CreateMultipartUpload."""
    rules = await rules_of(call.shelf, call.info())
    agreement = agreed(call.request)
    told = "" if agreement is None else str(agreement)
    terms, key = terms_of(call), customer_key(call.request)
    headers = list(encryption_headers(key))
    if key is not None:
        terms = replace(terms, metadata=(*terms.metadata, fresh(key, call.host.entropy).row))
    upload = await call.shelf.uploads.begin(call.bucket, call.key, terms, checksum=told)
    headers += abortion(rules, call.key, call.host.wall.now_s())
    if agreement is not None:
        headers.append(("x-amz-checksum-algorithm", agreement.algorithm.value))
        headers.append(("x-amz-checksum-type", agreement.type.value))
    body = document(
        "InitiateMultipartUploadResult",
        leaf("Bucket", call.bucket),
        leaf("Key", call.key),
        leaf("UploadId", upload.hex()),
    )
    return xml_answer(body, headers)


def read_part(call: Call) -> tuple[bytes, int]:
    """The upload and the part's number. Raises S3Error(InvalidArgument, NoSuchUpload)."""
    text = call.request.query.get("partNumber", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0
    if not 1 <= number <= PARTS_MAX:
        raise faults.invalid(
            "partNumber", text, f"Part number must be an integer between 1 and {PARTS_MAX}, inclusive"
        )
    return read_upload(call.request.query["uploadId"]), number


async def upload_part(call: Call) -> Answer:
    """UploadPart."""
    upload, number = read_part(call)
    require_length(call)
    known = await call.shelf.uploads.stat(call.bucket, call.key, upload)
    agreement = read_agreed(known.checksum)
    source, declared = call.upload()
    _require_agreed(call, agreement, source.algorithm)
    part = await store_part(call, known, number, source, declared)
    shown = [(algorithm.header, text) for algorithm, text in _shown(part)]
    return Answer(200, (("etag", f'"{part.etag}"'), *encryption_headers(customer_key(call.request)), *shown))


async def store_part(
    call: Call, known: UploadStat, number: int, source: Proven, expected_bytes: int | None
) -> PartStat:
    """Put the bytes, hidden under the client's key where the upload has one.

    Raises:
        S3Error: InvalidRequest, AccessDenied when the request brings no key, or another.
    """
    key = customer_key(call.request)
    opened(key, known.metadata)
    finish: Finisher = partial(call.finish, source)
    hidden: Source = source
    if key is not None:
        made = fresh(key, call.host.entropy)
        hidden, finish = HiddenSource(source, made.stream(), call.host.threads), made.salted(finish)
    return await call.shelf.uploads.put_part(
        known.bucket, known.key, known.upload, number, hidden, finish=finish, expected_bytes=expected_bytes
    )


def _require_agreed(call: Call, agreement: Agreed | None, found: Algorithm | None) -> None:
    """Raises S3Error(InvalidRequest) when a part has another checksum than was agreed on."""
    if agreement is not None and found is not None and found is not agreement.algorithm:
        raise S3Error(
            faults.INVALID_REQUEST,
            f"Checksum Type mismatch occurred, expected checksum Type: {agreement.algorithm.value.lower()}, actual "
            f"checksum Type: {found.value.lower()}",
        )
    if agreement is not None and found is None and agreement.type is Type.COMPOSITE and _is_strict(call):
        raise S3Error(
            faults.INVALID_REQUEST,
            f"The upload was created using a {agreement.algorithm.value.lower()} checksum. The complete request must "
            "include the checksum for each part.",
        )


def _is_strict(call: Call) -> bool:
    """A part whose checksum is missing makes a whole without one; only clients that ask for more are refused."""
    return call.request.headers.get("x-amz-sdk-checksum-algorithm") is not None


async def complete_upload(call: Call) -> Answer:
    """CompleteMultipartUpload. A client whose connection broke before it was answered asks again: it is told what was
    done, as long as the key names what its list of parts makes."""
    upload = read_upload(call.request.query["uploadId"])
    info, list_only = call.info(), replace(call, request=without_expected(call.request))
    asked = await list_only.xml("CompleteMultipartUpload")
    listed = [_Listed(one) for one in asked.all("Part")]
    if not listed:
        raise S3Error(faults.MALFORMED_XML)
    try:
        found = await _complete(call, upload, listed)
    except Missing as error:
        if error.identifier != "upload-missing":
            raise
        found = await _completed_before(call, listed)
    body = document(
        "CompleteMultipartUploadResult",
        leaf("Location", url_of(call.request, call.settings)),
        leaf("Bucket", call.bucket),
        leaf("Key", call.key),
        leaf("ETag", f'"{found.etag}"'),
        checksum_elements(found),
    )
    told = expiration(await rules_of(call.shelf, info), found)
    return xml_answer(body, (*encryption_headers(None), *version_headers(info, found), *told))


async def _complete(call: Call, upload: bytes, listed: Sequence[_Listed]) -> ObjectStat:
    agreement = read_agreed((await call.shelf.uploads.stat(call.bucket, call.key, upload)).checksum)
    wanted, size = expected(call.request), call.request.headers.get("x-amz-mp-object-size")

    async def check(parts: tuple[PartStat, ...]) -> Finish:
        for one, part in zip(listed, parts, strict=True):
            one.check(part)
        if size is not None and size != str(sum(part.size_bytes for part in parts)):
            raise S3Error(
                faults.INVALID_REQUEST, "The provided 'x-amz-mp-object-size' header does not match the parts."
            )
        whole = finish(agreement, parts)
        wanted.check(agreement, whole, len(parts))
        return whole

    return await call.shelf.uploads.complete(
        call.bucket, call.key, upload, [(one.number, one.etag) for one in listed],
        finish=check, condition=writing(call.request),
    )  # fmt: skip


async def _completed_before(call: Call, listed: Sequence[_Listed]) -> ObjectStat:
    """What the key names, where that is what the listed parts make. Raises S3Error(NoSuchUpload) otherwise."""
    try:
        found = await call.shelf.objects.stat(call.bucket, call.key)
        etag = checksums.multipart_etag([one.etag for one in listed])
    except (MaillonError, ValueError):
        raise S3Error(faults.NO_SUCH_UPLOAD) from None
    if (found.etag, found.part_count) != (etag, len(listed)):
        raise S3Error(faults.NO_SUCH_UPLOAD)
    return found


class _Listed:
    """One part as the client lists it."""

    def __init__(self, told: Element) -> None:
        self.number = read_count(told.need("PartNumber"))
        if self.number == NO_NUMBER:
            raise S3Error(faults.MALFORMED_XML)
        self.etag = bare(told.need("ETag"))
        self._checksums = [(one, told.value(f"Checksum{one.value}")) for one in Algorithm]

    def check(self, part: PartStat) -> None:
        """Raises S3Error(InvalidPart) when it is not what the client believes."""
        for algorithm, text in self._checksums:
            kept = checksum_value(part.checksums, algorithm)
            if text and kept is not None and checksums.encode(kept) != text:
                raise S3Error(faults.INVALID_PART)


def _shown(part: PartStat) -> list[tuple[Algorithm, str]]:
    known = [one for one in part.checksums if one.algorithm != PART_SALT]
    return [(Algorithm(one.algorithm), checksums.encode(one.value)) for one in known]


def part_checksums(part: PartStat) -> str:
    """A part's checksums in XML."""
    return "".join(leaf(f"Checksum{algorithm.value}", text) for algorithm, text in _shown(part))


async def abort_upload(call: Call) -> Answer:
    """AbortMultipartUpload."""
    await call.shelf.uploads.abort(call.bucket, call.key, read_upload(call.request.query["uploadId"]))
    return NO_CONTENT


async def list_parts(call: Call) -> Answer:
    """ListParts."""
    upload = read_upload(call.request.query["uploadId"])
    after = call.query.count("part-number-marker", default=0, most=PARTS_MAX)
    limit = call.query.count("max-parts", default=LISTED_MAX, most=LISTED_MAX)
    known = await call.shelf.uploads.stat(call.bucket, call.key, upload)
    page = PartsPage((), None)
    if limit:
        page = await call.shelf.uploads.parts(call.bucket, call.key, upload, after=after, limit=limit)
    agreement = read_agreed(known.checksum)
    body = document(
        "ListPartsResult",
        leaf("Bucket", call.bucket),
        leaf("Key", call.key),
        leaf("UploadId", upload.hex()),
        owner_of(call, "Initiator"),
        owner_of(call, "Owner"),
        leaf("StorageClass", "STANDARD"),
        leaf("PartNumberMarker", after),
        maybe("NextPartNumberMarker", page.next_after),
        leaf("MaxParts", limit),
        flag("IsTruncated", value=page.next_after is not None),
        "" if agreement is None else leaf("ChecksumAlgorithm", agreement.algorithm.value),
        "" if agreement is None else leaf("ChecksumType", agreement.type.value),
        *(_part(part) for part in page.parts),
    )
    return xml_answer(body, abortion(await rules_of(call.shelf, call.info()), call.key, known.begun_s))


def _part(part: PartStat) -> str:
    return node(
        "Part",
        leaf("PartNumber", part.number),
        leaf("LastModified", time_of(part.modified_s)),
        leaf("ETag", f'"{part.etag}"'),
        leaf("Size", part.size_bytes),
        part_checksums(part),
    )
