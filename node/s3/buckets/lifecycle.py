"""Lifecycle rules: what is to be forgotten by itself, and when. The vault obeys them; here they are read and shown.

Expiry of objects, of older versions, of delete markers with nothing behind them, and of abandoned uploads is served.
Moving objects to other storage classes is not, because there is only one: such a rule is refused as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.s3.asking.tags import TAGS_MAX, read_tag, require_tags
from node.s3.calls import documents
from node.s3.calls.call import DOCUMENT_BYTES_MAX, NO_CONTENT, Answer, Call, xml_answer
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.times import parse_iso_date
from node.s3.texts.xml_in import Element, malformed, parse
from node.vault.shelf.terms import LifecycleRule, Tag

DOCUMENT = "lifecycle"
RULES_MAX = 1_000
_ID_LETTERS_MAX = 255


async def get_lifecycle(call: Call) -> Answer:
    """GetBucketLifecycleConfiguration: the very document that was put."""
    return xml_answer(await documents.kept(call, DOCUMENT, faults.NO_SUCH_LIFECYCLE))


async def put_lifecycle(call: Call) -> Answer:
    """PutBucketLifecycleConfiguration."""
    data = await call.body(DOCUMENT_BYTES_MAX)
    call.info()
    await call.shelf.buckets.set_lifecycle(call.bucket, data, read_rules(data))
    return Answer()


async def delete_lifecycle(call: Call) -> Answer:
    """DeleteBucketLifecycle."""
    call.info()
    await call.shelf.buckets.set_lifecycle(call.bucket, None, ())
    return NO_CONTENT


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule, and the name that its bucket's owner gave it, if any."""

    id: str
    rule: LifecycleRule


def read_rules(data: bytes) -> tuple[LifecycleRule, ...]:
    """The rules that are enabled. Raises as `read_named_rules`."""
    return tuple(one.rule for one in read_named_rules(data))


def read_named_rules(data: bytes) -> tuple[NamedRule, ...]:
    """The rules that are enabled, and what they are called.

    Raises:
        S3Error: MalformedXML, InvalidRequest, InvalidArgument; NotImplemented for transitions.
    """
    told = parse(data, "LifecycleConfiguration")
    told.only("Rule")
    if not 1 <= len(told.children) <= RULES_MAX:
        raise malformed()
    ids = [name for rule in told.children if (name := rule.value("ID"))]
    if len(set(ids)) != len(ids) or any(len(name) > _ID_LETTERS_MAX for name in ids):
        raise faults.invalid("ID", "", "Rule ID must be unique. Found same ID for more than one rule")
    found = [(rule.need("Status"), NamedRule(rule.value("ID") or "", _rule(rule))) for rule in told.children]
    if any(status not in ("Enabled", "Disabled") for status, _rule in found):
        raise malformed()
    return tuple(rule for status, rule in found if status == "Enabled")


def _rule(told: Element) -> LifecycleRule:
    told.refuse("Transition", "NoncurrentVersionTransition")
    told.only(
        "ID",
        "Prefix",
        "Filter",
        "Status",
        "Expiration",
        "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload",
    )
    prefix, tags, over, under = _filter(told)
    days, at_s, markers = _expiration(told.one("Expiration"))
    older = told.one("NoncurrentVersionExpiration")
    abort = told.one("AbortIncompleteMultipartUpload")
    if told.one("Expiration") is None and older is None and abort is None:
        raise S3Error(faults.INVALID_REQUEST, "At least one action needs to be specified in a rule.")
    if abort is not None and (tags or over is not None or under is not None):
        raise S3Error(
            faults.INVALID_REQUEST, "AbortIncompleteMultipartUpload cannot be specified with Tags or sizes."
        )
    return LifecycleRule(
        prefix=prefix,
        tags=tags,
        size_over=over,
        size_under=under,
        expire_days=days,
        expire_at_s=at_s,
        expire_markers=markers,
        noncurrent_days=None if older is None else _days(older.need("NoncurrentDays")),
        newer_kept=0 if older is None else _kept(older),
        abort_days=None if abort is None else _days(abort.need("DaysAfterInitiation")),
    )


def _filter(told: Element) -> tuple[str, tuple[Tag, ...], int | None, int | None]:
    """Prefix, tags, and the sizes between which an object must be."""
    chosen = told.one("Filter")
    if chosen is None:
        return told.value("Prefix") or "", (), None, None
    both = chosen.one("And")
    if both is None and len(chosen.children) > 1:
        raise malformed()
    inner = chosen if both is None else both
    inner.only("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    tags = tuple(read_tag(one) for one in inner.all("Tag"))
    prefix = inner.one("Prefix")
    over, under = inner.value("ObjectSizeGreaterThan"), inner.value("ObjectSizeLessThan")
    return (
        "" if prefix is None else prefix.text,
        require_tags(tags, TAGS_MAX),
        None if over is None else _whole(over),
        None if under is None else _whole(under),
    )


def _expiration(told: Element | None) -> tuple[int | None, int | None, bool]:
    """Days, a date, or delete markers."""
    if told is None:
        return None, None, False
    told.only("Days", "Date", "ExpiredObjectDeleteMarker")
    if len(told.children) != 1:
        raise malformed()
    days, date = told.value("Days"), told.value("Date")
    if date is not None:
        at_s = parse_iso_date(date)
        if at_s is None or at_s % 86_400:
            raise faults.invalid("Date", date, "'Date' must be at midnight GMT")
        return None, at_s, False
    if days is not None:
        return _days(days), None, False
    return None, None, told.value("ExpiredObjectDeleteMarker") == "true"


def _kept(older: Element) -> int:
    older.only("NoncurrentDays", "NewerNoncurrentVersions")
    text = older.value("NewerNoncurrentVersions")
    return 0 if text is None else _whole(text)


def _days(text: str) -> int:
    found = _whole(text)
    if found < 1:
        raise faults.invalid("Days", text, "'Days' for Expiration action must be a positive integer")
    return found


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise malformed()
    return int(text)
