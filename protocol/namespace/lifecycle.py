"""What expires in a bucket by itself, and when: the rules that a bucket's lifecycle document comes down to. Pure.

The S3 surface reads the document and hands over these rules; the gateway keeps both, and goes through the bucket by
the rules alone. A rule speaks of the objects that match all of its filter. Days count from when a version was put,
or from when it ceased to be the newest, each to the next midnight UTC, as S3 counts them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.namespace.contents import AllTags, Tag
from protocol.wire import schema
from protocol.wire.schema import Length, Range

RULES_MAX: Final = 1_000
DAY_S: Final = 86_400

Days = Annotated[int, Range(1, 36_500)]


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """Which objects, by prefix, tags and size (more than `size_over`, less than `size_under` bytes); and what.

    The newest version expires after `expire_days`, or all of them do at `expire_at_s`; with `expire_markers` a delete
    marker goes that nothing is left behind. Older versions go `noncurrent_days` after they were replaced, but for the
    newest `newer_kept` of them. Uploads are aborted `abort_days` after they began.
    """

    prefix: Annotated[str, Length(0, limits.KEY_BYTES_MAX)] = ""
    tags: AllTags = ()
    size_over: int | None = None
    size_under: int | None = None
    expire_days: Days | None = None
    expire_at_s: int | None = None
    expire_markers: bool = False
    noncurrent_days: Days | None = None
    newer_kept: Annotated[int, Range(0, 100)] = 0
    abort_days: Days | None = None

    def matches(self, key: str, size_bytes: int, tags: Iterable[Tag]) -> bool:
        """Whether the rule speaks of an object with this key, size and tags."""
        return (
            key.startswith(self.prefix)
            and (self.size_over is None or size_bytes > self.size_over)
            and (self.size_under is None or size_bytes < self.size_under)
            and set(self.tags) <= set(tags)
        )

    def expires(self, modified_s: int, now_s: int) -> bool:
        """Whether a newest version that was put then expires."""
        by_age = self.expire_days is not None and now_s >= due_s(modified_s, self.expire_days)
        return by_age or (self.expire_at_s is not None and now_s >= self.expire_at_s)

    def forgets(self, replaced_s: int, newer: int, now_s: int) -> bool:
        """Whether an older version goes that was replaced then, with `newer` older versions that are newer."""
        days = self.noncurrent_days
        return days is not None and newer >= self.newer_kept and now_s >= due_s(replaced_s, days)

    def abandons(self, begun_s: int, now_s: int) -> bool:
        """Whether an upload that began then is aborted."""
        return self.abort_days is not None and now_s >= due_s(begun_s, self.abort_days)


@dataclass(frozen=True, slots=True)
class _Rules:
    WIRE_VERSION: ClassVar[int] = 1
    rules: Annotated[tuple[LifecycleRule, ...], Length(0, RULES_MAX)]


def due_s(since_s: int, days: int) -> int:
    """The first midnight UTC that is not before so many whole days have gone by."""
    return -(-(since_s + days * DAY_S) // DAY_S) * DAY_S


def encode_rules(rules: Iterable[LifecycleRule]) -> bytes:
    """As they stand in a bucket's document."""
    return schema.encode(_Rules(tuple(rules)))


def decode_rules(data: bytes) -> tuple[LifecycleRule, ...]:
    """What `encode_rules` encoded. Raises Malformed, OverLimit."""
    return schema.decode(_Rules, data).rules
