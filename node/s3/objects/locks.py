"""Object Lock: what may not be deleted, for how long, and who may lift it.

GOVERNANCE can be lifted by whoever asks for it and may; COMPLIANCE by nobody, not even the owner; a legal hold stays
until it is taken off. The vault holds to it on every way to a deletion; here it is only read and written.
"""

from __future__ import annotations

from node.s3.calls.call import DOCUMENT_BYTES_MAX, Answer, Call, xml_answer
from node.s3.objects.metadata import lock_mode, retain_until
from node.s3.objects.writing import bypasses
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.versions import read_version, version_headers
from node.s3.texts.xml_in import Element, malformed
from node.s3.texts.xml_out import document, leaf, node, time_of
from node.vault.shelf.terms import BucketInfo, LockDefault, Retention

DAYS_OF_YEAR = 365
DAYS_MAX = 36_500


async def get_configuration(call: Call) -> Answer:
    """GetObjectLockConfiguration."""
    info = call.info()
    if not info.is_locked:
        raise S3Error(faults.NO_LOCK_CONFIGURATION)
    rule = ""
    if info.lock_default is not None:
        default = (leaf("Mode", info.lock_default.mode.name), leaf("Days", info.lock_default.days))
        rule = node("Rule", node("DefaultRetention", *default))
    return xml_answer(document("ObjectLockConfiguration", leaf("ObjectLockEnabled", "Enabled"), rule))


async def put_configuration(call: Call) -> Answer:
    """PutObjectLockConfiguration."""
    asked = await call.xml("ObjectLockConfiguration", DOCUMENT_BYTES_MAX)
    asked.only("ObjectLockEnabled", "Rule")
    if asked.value("ObjectLockEnabled") != "Enabled":
        raise malformed()
    rule = asked.one("Rule")
    default = None if rule is None else rule.one("DefaultRetention")
    call.info()
    await call.shelf.buckets.set_lock_default(call.bucket, None if default is None else _default(default))
    return Answer()


def _default(told: Element) -> LockDefault:
    told.only("Mode", "Days", "Years")
    days, years = told.value("Days"), told.value("Years")
    if (days is None) is (years is None):
        raise malformed()
    text = days or years or ""
    count = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    total = count if years is None else count * DAYS_OF_YEAR
    if not 1 <= total <= DAYS_MAX:
        raise faults.invalid("Days", text, "Default retention period must be a positive integer value.")
    return LockDefault(lock_mode(told.need("Mode")), total)


async def get_retention(call: Call) -> Answer:
    """GetObjectRetention."""
    info, version = _locked(call), read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.stat(call.bucket, call.key, version=version)
    if found.retention is None:
        raise S3Error(faults.NO_SUCH_LOCK)
    told = (leaf("Mode", found.retention.mode.name), leaf("RetainUntilDate", time_of(found.retention.until_s)))
    return xml_answer(document("Retention", *told), version_headers(info, found))


async def put_retention(call: Call) -> Answer:
    """PutObjectRetention."""
    asked = await call.xml("Retention", DOCUMENT_BYTES_MAX)
    asked.only("Mode", "RetainUntilDate")
    info, version = _locked(call), read_version(call.request.query.get("versionId"))
    wanted = None
    if asked.children:
        until_s = retain_until(asked.need("RetainUntilDate"), call.host.wall.now_s())
        wanted = Retention(lock_mode(asked.need("Mode")), until_s)
    found = await call.shelf.objects.set_retention(
        call.bucket, call.key, wanted, version=version, bypass_governance=bypasses(call)
    )
    return Answer(200, version_headers(info, found))


async def get_legal_hold(call: Call) -> Answer:
    """GetObjectLegalHold."""
    info, version = _locked(call), read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.stat(call.bucket, call.key, version=version)
    return xml_answer(
        document("LegalHold", leaf("Status", "ON" if found.legal_hold else "OFF")), version_headers(info, found)
    )


async def put_legal_hold(call: Call) -> Answer:
    """PutObjectLegalHold."""
    asked = await call.xml("LegalHold", DOCUMENT_BYTES_MAX)
    status = asked.value("Status")
    if status not in ("ON", "OFF"):
        raise malformed()
    info, version = _locked(call), read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.set_legal_hold(call.bucket, call.key, is_held=status == "ON", version=version)
    return Answer(200, version_headers(info, found))


def _locked(call: Call) -> BucketInfo:
    """The bucket. Raises S3Error(InvalidRequest) when it was not made for locks."""
    info = call.info()
    if not info.is_locked:
        raise S3Error(faults.INVALID_REQUEST, "Bucket is missing Object Lock Configuration")
    return info
