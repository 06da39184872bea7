"""Merging: of each key the newest row, whatever the windows in which sources are read."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.tables.merge import Merger
from protocol.tables.page import TableRow

keys = st.binary(min_size=1, max_size=2)
sources = st.lists(st.dictionaries(keys, st.none() | st.binary(max_size=3), max_size=12), max_size=5)


@settings(max_examples=300, deadline=None)
@given(sources, st.integers(1, 5), st.booleans())
def test_the_newest_row_of_each_key_stays(
    newest_first: list[dict[bytes, bytes | None]], window: int, is_oldest: bool
) -> None:
    wanted: dict[bytes, bytes | None] = {}
    for source in reversed(newest_first):
        wanted |= source
    merged = run([sorted(source.items()) for source in newest_first], window, is_oldest=is_oldest)
    assert merged == sorted((k, v) for k, v in wanted.items() if v is not None or not is_oldest)


def run(newest_first: list[list[TableRow]], window: int, *, is_oldest: bool) -> list[TableRow]:
    merger = Merger(len(newest_first), is_oldest=is_oldest)
    merged: list[TableRow] = []
    while True:
        for source in merger.hungry():
            merger.feed(source, newest_first[source][:window])
            del newest_first[source][:window]
        found = merger.step()
        if found is None:
            return merged
        merged += found
