"""Tiers: few tables, few merges, and nothing deleted stays in one for 30 days."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.tables.manifest import PageRef, TableRef
from protocol.tables.tiers import FANOUT, WELL_FILLED_BYTES, kept_pages, next_merge, replacing_since
from tests.support.namespaces import block_ref

DAY_S = 24 * 3600


def page(first: int, last: int, *, size_bytes: int = WELL_FILLED_BYTES, tombstones: int = 0) -> PageRef:
    keys = (first.to_bytes(2, "big"), last.to_bytes(2, "big"))
    return PageRef(block_ref(first), *keys, last - first + 1, size_bytes, tombstones)


def table(*pages: PageRef, tier: int = 0, replacing: int = 0, since_s: int = 0) -> TableRef:
    return TableRef(tier, replacing, since_s, pages or (page(0, 9),))


def checkpoint(tables: list[TableRef], new: TableRef, now_s: int) -> tuple[list[TableRef], int]:
    """The tables after a checkpoint that adds `new`, and how many rows were written for it."""
    merge = next_merge(tables, now_s)
    inputs = tables[: merge.count]
    rows = new.rows + sum(one.rows for one in inputs)
    replacing = 0 if merge.is_oldest else new.replacing + sum(one.replacing for one in inputs)
    since_s = replacing_since(inputs, new.replacing, now_s) if replacing else 0
    merged = TableRef(merge.tier, replacing, since_s, (page(0, rows - 1),))
    return [merged, *tables[merge.count :]], rows


def test_work_and_tables_are_logarithmic() -> None:
    tables: list[TableRef] = []
    written = 0
    for count in range(1, 2_000):
        tables, rows = checkpoint(tables, table(page(0, 0)), now_s=0)
        written += rows
        tiers = 1 + math.floor(math.log(count, FANOUT))
        assert len(tables) <= (FANOUT - 1) * tiers
        assert written <= count * tiers
        assert sum(one.rows for one in tables) == count
        assert [one.tier for one in tables] == sorted(one.tier for one in tables)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4 * DAY_S)), min_size=1, max_size=80))
def test_what_was_replaced_is_gone_before_30_days_are_over(steps: list[tuple[int, int]]) -> None:
    tables: list[TableRef] = []
    now_s = DAY_S
    for replacing, pause_s in steps:
        tables, _rows = checkpoint(tables, table(replacing=replacing), now_s)
        for one in tables:
            assert not one.replacing or one.since_s + 30 * DAY_S > now_s
        assert not tables[-1].replacing
        now_s += pause_s


def test_a_page_stays_when_nobody_has_keys_among_its_own() -> None:
    alone, overlapped, touched = page(0, 9), page(10, 19), page(30, 39)
    small, buried = page(50, 59, size_bytes=WELL_FILLED_BYTES - 1), page(70, 79, tombstones=1)
    tables = [table(page(15, 16)), table(alone, overlapped, touched, small, buried)]

    def is_changed(first: bytes, last: bytes) -> bool:
        return first <= (31).to_bytes(2, "big") <= last

    assert kept_pages(tables, is_changed, is_oldest=False) == [alone, buried]
    assert kept_pages(tables, is_changed, is_oldest=True) == [alone]
