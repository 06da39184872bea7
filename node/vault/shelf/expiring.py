"""What a bucket's lifecycle rules say of its versions, as somebody goes through them in S3's order. Pure.

A version's fate depends on the others of its key: how many older versions are newer than it, when it was replaced,
and of a marker, whether anything is left behind it. So versions are shown one after the other, the newest of each key
first, and what is due is told as soon as it is known.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from node.vault.objects import ObjectStat
from protocol.namespace.lifecycle import LifecycleRule


class What(enum.Enum):
    """What is to be done: have the key name nothing, or delete this version for good."""

    HIDE = enum.auto()
    DELETE = enum.auto()


@dataclass(frozen=True, slots=True)
class Due:
    """Something that has expired."""

    what: What
    key: str
    version: bytes


class Walk:
    """One walk through a bucket's versions and markers, at the time `now_s`."""

    def __init__(self, rules: Sequence[LifecycleRule], now_s: int) -> None:
        self._rules = rules
        self._now_s = now_s
        self._key: str | None = None
        self._newer = 0
        self._replaced_s = 0
        self._marker: ObjectStat | None = None

    def see(self, entry: ObjectStat) -> list[Due]:
        """The next version; what is due by now."""
        due: list[Due] = []
        if entry.key == self._key:
            self._marker = None
        else:
            due += self.end()
            self._key, self._newer = entry.key, 0
        due += self._newest(entry) if entry.is_latest else self._older(entry)
        self._replaced_s = entry.modified_s
        return due

    def end(self) -> list[Due]:
        """No more versions of this key, or none at all: a marker that nothing is left behind goes."""
        marker, self._marker = self._marker, None
        if marker is None:
            return []
        for rule in self._matching(marker):
            if rule.expire_markers or rule.expires(marker.modified_s, self._now_s):
                return [Due(What.DELETE, marker.key, marker.version)]
        return []

    def _newest(self, entry: ObjectStat) -> list[Due]:
        if entry.is_marker:
            self._marker = entry
            return []
        if any(rule.expires(entry.modified_s, self._now_s) for rule in self._matching(entry)):
            return [Due(What.HIDE, entry.key, entry.version)]
        return []

    def _older(self, entry: ObjectStat) -> list[Due]:
        newer, self._newer = self._newer, self._newer + 1
        if any(rule.forgets(self._replaced_s, newer, self._now_s) for rule in self._matching(entry)):
            return [Due(What.DELETE, entry.key, entry.version)]
        return []

    def _matching(self, entry: ObjectStat) -> list[LifecycleRule]:
        return [rule for rule in self._rules if rule.matches(entry.key, entry.size_bytes, entry.tags)]
