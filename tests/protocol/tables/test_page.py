"""Pages: what is written comes back, in bounded bytes, and nothing else is believed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.tables.page import PAGE_BYTES_MAX, PageCutter, TableRow, decode_page, encode_page

keys = st.binary(min_size=1, max_size=12) | st.binary(min_size=1, max_size=3).map(lambda rest: b"photos/2026/" + rest)
values = st.none() | st.binary(max_size=40)
tables = st.dictionaries(keys, values, max_size=40).map(lambda rows: sorted(rows.items()))


def cut(rows: Sequence[TableRow], borders: Sequence[bytes] = ()) -> list[list[TableRow]]:
    cutter = PageCutter(borders)
    return [*cutter.add(rows), *cutter.end()]


@settings(max_examples=200, deadline=None)
@given(tables)
def test_rows_come_back_as_they_were(rows: list[TableRow]) -> None:
    assert decode_page(encode_page(rows)) == rows


@settings(max_examples=100, deadline=None)
@given(tables, st.lists(keys).map(sorted))
def test_no_page_reaches_over_a_border(rows: list[TableRow], borders: list[bytes]) -> None:
    pages = cut(rows, borders)
    assert [row for page in pages for row in page] == rows
    for page in pages:
        assert not [border for border in borders if page[0][0] < border <= page[-1][0]]


def test_pages_are_as_full_as_they_may_be() -> None:
    rows: list[TableRow] = [(number.to_bytes(4, "big"), bytes(10_000)) for number in range(1_000)]
    pages = cut(rows)
    assert [row for page in pages for row in page] == rows
    assert len(pages) == -(-1_000 * 10_012 // PAGE_BYTES_MAX)
    assert all(len(zlib.decompress(encode_page(page))) <= PAGE_BYTES_MAX for page in pages)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_other_bytes_are_refused_by_name(data: bytes, is_pressed: bool) -> None:
    try:
        rows = decode_page(zlib.compress(data) if is_pressed else data)
    except MaillonError as error:
        assert error.identifier in ("table-page", "table-page-size")
    else:
        assert rows == sorted(rows)


@pytest.mark.parametrize(
    ("rows", "what"),
    [([(b"b", None), (b"a", None)], "order"), ([(b"a", b"1"), (b"a", b"2")], "order"), ([(b"", b"1")], "order")],
)
def test_keys_that_do_not_rise_are_refused(rows: list[TableRow], what: str) -> None:
    with pytest.raises(Malformed, match=what):
        decode_page(encode_page(rows))


def test_what_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(OverLimit, match="table-page-size"):
        decode_page(zlib.compress(bytes(PAGE_BYTES_MAX + 1), 9))
    with pytest.raises(Malformed, match="count"):
        decode_page(zlib.compress(struct.pack(">BI", 1, 2**32 - 1)))


@pytest.mark.parametrize("harm", [lambda page: page[:-1], lambda page: page + b"x", lambda page: b""])
def test_a_page_that_is_cut_or_longer_is_refused(harm: object) -> None:
    assert callable(harm)
    with pytest.raises(Malformed, match="deflate"):
        decode_page(harm(encode_page([(b"a", b"1")])))
