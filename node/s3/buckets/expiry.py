"""When a lifecycle rule will take something away: told with objects and uploads, as S3 tells it.

The rules are obeyed by the vault, in rounds of their own; here it is only said when the first of those that speak of
an object, or of an upload, comes due.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from node.s3.asking.wire import Headers
from node.s3.buckets.lifecycle import DOCUMENT, NamedRule, read_named_rules
from node.s3.texts.times import http_date
from node.vault.objects import ObjectStat
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import BucketInfo
from protocol.namespace.lifecycle import LifecycleRule, due_s

Rules = tuple[NamedRule, ...]


async def rules_of(shelf: Shelf, info: BucketInfo) -> Rules:
    """The enabled rules of a bucket. Most have none, which is known without a look."""
    if DOCUMENT not in info.documents:
        return ()
    document = await shelf.buckets.document(info.name, DOCUMENT)
    return () if document is None else _read(document)


@lru_cache(maxsize=64)
def _read(document: bytes) -> Rules:
    return read_named_rules(document)


def expiration(rules: Rules, found: ObjectStat) -> Headers:
    """`x-amz-expiration` of what a key names."""
    if not rules:
        return ()
    dates = (
        (at_s, one.id)
        for one in rules
        if one.rule.matches(found.key, found.size_bytes, found.tags)
        for at_s in _dates(one.rule, found.modified_s)
    )
    first = min(dates, default=None)
    if first is None:
        return ()
    return (("x-amz-expiration", f'expiry-date="{http_date(first[0])}", rule-id="{quote(first[1])}"'),)


def _dates(rule: LifecycleRule, modified_s: int) -> Iterable[int]:
    if rule.expire_days is not None:
        yield due_s(modified_s, rule.expire_days)
    if rule.expire_at_s is not None:
        yield rule.expire_at_s


def abortion(rules: Rules, key: str, begun_s: int) -> Headers:
    """`x-amz-abort-date` of an upload."""
    matching = [one for one in rules if one.rule.abort_days is not None and key.startswith(one.rule.prefix)]
    dates = ((due_s(begun_s, one.rule.abort_days or 0), one.id) for one in matching)
    first = min(dates, default=None)
    if first is None:
        return ()
    return (("x-amz-abort-date", http_date(first[0])), ("x-amz-abort-rule-id", quote(first[1])))
