"""GetObject and HeadObject: an object's bytes, or what is known of it, if the reader's conditions hold.

What is answered is decided between the look into the catalog and the first byte: conditions, range and ACL are looked
at with the very version whose bytes follow.
"""

from __future__ import annotations

from node.host.ports import Buffer
from node.s3.asking.conditions import matches, reading
from node.s3.asking.ranges import wanted
from node.s3.asking.wire import Headers
from node.s3.buckets.expiry import Rules, expiration, rules_of
from node.s3.calls.call import Answer, Call
from node.s3.objects.customer_keys import ObjectKey, Shown, all_parts, customer_key, encryption_headers, opened
from node.s3.objects.metadata import overridden, overrides, shown_metadata
from node.s3.objects.parts import PARTS_MAX
from node.s3.texts import checksums, faults
from node.s3.texts.faults import S3Error
from node.s3.texts.times import http_date
from node.s3.texts.versions import read_version, version_headers
from node.s3.texts.xml_out import leaf, time_of
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import BucketInfo, ByteRange, ObjectRef, PartStat

_TOLD_TO_CACHES = ("cache-control", "expires")


async def get_object(call: Call, *, status: int = 200) -> Answer | None:
    """GetObject; `status` where the whole object is the answer."""
    page = _Page(call, call.info(), await _part_wanted(call), status)
    await page.prepare()
    version = read_version(call.request.query.get("versionId"))
    await call.shelf.objects.get(call.bucket, call.key, page, version=version, part=page.choose)
    await call.outgoing.end()
    return None


async def head_object(call: Call) -> Answer:
    """HeadObject."""
    page = _Page(call, call.info(), await _part_wanted(call))
    await page.prepare()
    version = read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.stat(call.bucket, call.key, version=version)
    page.choose(found)
    return Answer(page.status, page.headers(found))


class _Part:
    """One part of a multipart object, by its number."""

    def __init__(self, part: ByteRange | None, count: int, etag: str) -> None:
        self.part = part
        self.count = count
        self.etag = etag


async def _part_wanted(call: Call) -> _Part | None:
    text = call.request.query.get("partNumber")
    if text is None:
        return None
    number = call.query.count("partNumber", default=0, most=PARTS_MAX + 1)
    if not 1 <= number <= PARTS_MAX or "range" in call.request.headers:
        raise faults.invalid("partNumber", text)
    version = read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.stat(call.bucket, call.key, version=version)
    call.require_public(found)  # or a stranger would hear how many parts there are
    if not found.part_count:
        if number > 1:
            raise S3Error(faults.INVALID_PART_NUMBER)
        return _Part(None, 0, found.etag)
    page = await call.shelf.objects.parts(call.bucket, call.key, version=version, after=0, limit=number)
    if len(page.parts) < number:
        raise S3Error(faults.INVALID_PART_NUMBER)
    first = sum(part.size_bytes for part in page.parts[:-1])
    return _Part(ByteRange(first, first + page.parts[-1].size_bytes), found.part_count, found.etag)


class _Page:
    """The answer to a reader, which is also the vault's sink."""

    def __init__(self, call: Call, info: BucketInfo, wanted_part: _Part | None, status: int = 200) -> None:
        self._call = call
        self._status = status
        self._info = info
        self._wanted_part = wanted_part
        self._part: ByteRange | None = None
        self._key = customer_key(call.request)
        self._rules: Rules = ()
        self._parts: tuple[PartStat, ...] = ()
        self._object_key: ObjectKey | None = None
        self._shown: Shown | None = None
        self._overrides = overrides(call.request, is_anonymous=call.caller.key is None)

    @property
    def status(self) -> int:
        return self._status if self._part is None else 206

    async def prepare(self) -> None:
        """What has to be known besides the object: the bucket's rules; under a client's key, the parts' salts."""
        self._rules = await rules_of(self._call.shelf, self._info)
        if self._key is None:
            return
        call, version = self._call, read_version(self._call.request.query.get("versionId"))
        self._parts = await all_parts(call.shelf, ObjectRef(call.bucket, call.key, version))

    def choose(self, found: ObjectStat) -> ByteRange | None:
        """The bytes to read of what was found. Raises S3Error, and then nothing is read."""
        request = self._call.request
        self._call.require_public(found)
        self._check(found)
        self._object_key = opened(self._key, found.metadata)
        if self._wanted_part is not None:
            if self._wanted_part.etag != found.etag:
                raise S3Error(faults.CONDITION_CONFLICT)
            self._part = self._wanted_part.part
            return self._part
        if_range = request.headers.get("if-range")
        if if_range is None or matches(if_range, found.etag):
            self._part = wanted(request.headers.get("range"), found.size_bytes)
        return self._part

    def _check(self, found: ObjectStat) -> None:
        """Raises S3Error: PreconditionFailed; NotModified, with what a cache must know to go on with what it has."""
        try:
            reading(self._call.request).check(found.etag, found.modified_s)
        except S3Error as error:
            if error.fault is not faults.NOT_MODIFIED:
                raise
            shown = overridden(shown_metadata(found), self._overrides)
            kept = (one for one in shown if one[0] in _TOLD_TO_CACHES)
            headers = (*error.headers, *kept, *version_headers(self._info, found))
            raise S3Error(error.fault, headers=headers) from None

    def headers(self, found: ObjectStat) -> Headers:
        """Everything that is told of the object."""
        part = self._part
        told = [
            *shown_metadata(found),
            ("etag", f'"{found.etag}"'),
            ("last-modified", http_date(found.modified_s)),
            ("accept-ranges", "bytes"),
            ("content-length", str(self._size_bytes(found))),
            *encryption_headers(self._key),
            *version_headers(self._info, found),
            *lock_headers(found),
            *(() if "versionId" in self._call.request.query else expiration(self._rules, found)),
        ]
        if part is not None:
            told.append(("content-range", f"bytes {part.first}-{part.end - 1}/{found.size_bytes}"))
        if found.tags:
            told.append(("x-amz-tagging-count", str(len(found.tags))))
        if self._wanted_part is not None and self._wanted_part.count:
            told.append(("x-amz-mp-parts-count", str(self._wanted_part.count)))
        if part is None and self._call.request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            told += checksum_headers(found)
        return overridden(told, self._overrides)

    async def begin(self, found: ObjectStat) -> None:
        """The first bytes are about to come."""
        if self._key is not None and self._object_key is not None:
            if sum(part.size_bytes for part in self._parts) not in (0, found.size_bytes):
                raise S3Error(faults.CONDITION_CONFLICT)  # another object came between the two looks
            first = 0 if self._part is None else self._part.first
            self._shown = Shown(self._key, self._object_key, self._parts, first)
        await self._call.outgoing.begin(self.status, self.headers(found), self._size_bytes(found))

    def _size_bytes(self, found: ObjectStat) -> int:
        """Of what is answered."""
        return found.size_bytes if self._part is None else self._part.size_bytes

    async def write(self, parts: list[Buffer]) -> None:
        """Some bytes, on to the client."""
        if self._shown is not None:
            parts = [await self._call.host.threads.run_blocking(self._shown.turn, part) for part in parts]
        await self._call.outgoing.write(parts)


def lock_headers(found: ObjectStat) -> Headers:
    """What keeps the object from being deleted."""
    told = []
    if found.retention is not None:
        told.append(("x-amz-object-lock-mode", found.retention.mode.name))
        told.append(("x-amz-object-lock-retain-until-date", time_of(found.retention.until_s)))
    if found.legal_hold:
        told.append(("x-amz-object-lock-legal-hold", "ON"))
    return told


def checksum_headers(found: ObjectStat) -> Headers:
    """The checksums that are kept, and what they cover."""
    shown = [checksums.shown(one, found.etag) for one in found.checksums]
    told = [(one.algorithm.header, one.text) for one in shown]
    return [*told, ("x-amz-checksum-type", shown[0].type.value)] if shown else []


def checksum_elements(found: ObjectStat) -> str:
    """The same in XML."""
    shown = [checksums.shown(one, found.etag) for one in found.checksums]
    told = "".join(leaf(f"Checksum{one.algorithm.value}", one.text) for one in shown)
    return told + leaf("ChecksumType", shown[0].type.value) if shown else ""
