"""Which tables to merge: as seldom as possible, but before there are many, and before 30 days are over.

Every checkpoint adds a table of tier 0. When a tier has `FANOUT` tables, they become one of the next tier, so that a
row is written again only once for each tier: the work for a change is logarithmic in the number of checkpoints. Tiers
rise with age, so merging the newest few keeps "newest wins" true.

A row that replaces one in an older table leaves the older one there, with the key that opens a deleted object. Before
that has lasted 30 days all tables are merged; the margin is for days on which it does not work out.

Merging reads only pages that must be read: one that is well filled, and among whose keys nobody else has any, is
taken over as it is (`kept_pages`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from protocol.tables.manifest import PageRef, TableRef
from protocol.tables.page import PAGE_BYTES_MAX

FANOUT: Final = 8
REWRITE_AFTER_S: Final = 25 * 24 * 3600
WELL_FILLED_BYTES: Final = PAGE_BYTES_MAX // 4


@dataclass(frozen=True, slots=True)
class Merge:
    """The newest `count` tables become one of this tier, together with the rows that a checkpoint adds.

    `is_oldest`: no table is left below it, so that no tombstone needs to be kept.
    """

    count: int
    tier: int
    is_oldest: bool


def next_merge(tables: Sequence[TableRef], now_s: int) -> Merge:
    """What a checkpoint does with the tables there are, newest first."""
    if any(table.replacing and table.since_s + REWRITE_AFTER_S <= now_s for table in tables[:-1]):
        return Merge(len(tables), max(table.tier for table in tables), is_oldest=True)
    count, tier = 0, 0
    while True:
        same = sum(1 for table in tables[count:] if table.tier <= tier)
        # What was merged so far, or what is new, is one more.
        if same + 1 < FANOUT:
            return Merge(count, tier, is_oldest=count == len(tables))
        count, tier = count + same, tier + 1


def replacing_since(tables: Sequence[TableRef], replacing: int, now_s: int) -> int:
    """Since when a table made of these tables and of `replacing` new rows holds rows that replace older ones."""
    since = [table.since_s for table in tables if table.replacing]
    return min([*since, *([now_s] if replacing else [])], default=0)


def kept_pages(
    tables: Sequence[TableRef], is_changed: Callable[[bytes, bytes], bool], *, is_oldest: bool
) -> list[PageRef]:
    """The pages that can stay as they are when the tables are merged with new rows, in the order of their keys.

    `is_changed` tells whether a new row has a key between two others, both included.
    """
    kept = [
        page
        for number, table in enumerate(tables)
        for page in table.pages
        if page.rows_bytes >= WELL_FILLED_BYTES
        and not (is_oldest and page.tombstones)
        and not any(_has_between(other, page) for at, other in enumerate(tables) if at != number)
        and not is_changed(page.first, page.last)
    ]
    return sorted(kept, key=lambda page: page.first)


def _has_between(table: TableRef, page: PageRef) -> bool:
    """Whether the table may have a key among those of the page."""
    at = bisect_left(table.pages, page.first, key=lambda other: other.last)
    return at < len(table.pages) and table.pages[at].first <= page.last
