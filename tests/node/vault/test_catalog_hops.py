"""Listing by common prefixes goes from prefix to prefix: what lies between is not read, however much it is."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from node.host.index import SqliteIndex
from node.vault.catalog.database import CatalogDatabase
from node.vault.catalog.listing import glanced_entry, list_objects, list_versions
from node.vault.catalog.rows import _HOPS, CatalogRows, end_of
from protocol.coding.label import Stamp
from protocol.ids import NamespaceId
from protocol.namespace.changes import BucketCreated
from tests.support.namespaces import object_put

FIRST, TAIL = b"\x10", b"tail/"
names = st.lists(
    st.lists(st.sampled_from([b"/", b"a", b"\0", b"\xff", b"\xc3\xa9", b"//"]), max_size=6).map(b"".join)
)


def rows_of(keys: list[bytes]) -> CatalogRows:
    rows = CatalogRows(SqliteIndex(sqlite3.connect(":memory:"), "memory"))
    rows.create()
    for key in keys:
        rows.write(Stamp(1, 0), key, b"what " + key, None)
    return rows


@given(names, st.sampled_from([b"/", b"a", b"//", b"\0", b"\xc3\xa9"]), st.integers(0, 2), st.integers(1, 5))
def test_hops_are_the_first_rows_of_each_prefix(
    found: list[bytes], delimiter: bytes, behind: int, limit: int
) -> None:
    keys = sorted({FIRST + name + TAIL for name in found if len(name) >= behind})
    expected, seen = [], set()
    for key in keys:
        at = key.find(delimiter, 1 + behind, len(key) - len(TAIL))
        prefix = key if at < 0 else key[: at + len(delimiter)]
        if prefix not in seen:
            seen.add(prefix)
            expected.append((key, b"what " + key))
    hops = rows_of(keys).hops(FIRST, end_of(FIRST), 1 + behind, len(TAIL), delimiter, limit)
    assert hops == expected[:limit]


def test_a_hop_is_a_search() -> None:
    connection = sqlite3.connect(":memory:")
    CatalogRows(SqliteIndex(connection, "memory")).create()
    asked = {"first": b"", "end": b"", "behind": 1, "tail": 0, "delimiter": b"/", "above": b"0", "limit": 9}
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {_HOPS}", asked)]
    looks = [step for step in plan if "rows" in step]
    assert len(looks) == 3
    assert all(step.startswith("SEARCH rows USING PRIMARY KEY") for step in looks)


class Counting(SqliteIndex):
    """Counts the rows that are read."""

    read = 0

    def execute(self, statement: str, parameters: object = ()) -> list[tuple[object, ...]]:
        found = super().execute(statement, parameters)  # type: ignore[arg-type]
        self.read += len(found)
        return found


def test_a_page_reads_no_more_than_it_shows() -> None:
    index = Counting(sqlite3.connect(":memory:"), "memory")
    database = CatalogDatabase(index)
    database.create(NamespaceId(bytes(32)))
    puts = [object_put("box", f"p/{number % 40:02}/{number:04}", number) for number in range(1_200)]
    database.apply(Stamp(1, 0), [BucketCreated("box", 1), *puts])
    for delimiter, prefix, shown in (("/", "", 1), ("/", "p/", 30), ("", "", 30)):
        index.read = 0
        page = list_objects(database.rows, "box", prefix, delimiter, "", 30, glanced_entry)
        assert len(page.entries) + len(page.prefixes) == shown
        assert index.read <= shown + 1
        index.read = 0
        page = list_versions(database.rows, "box", prefix, delimiter, ("", None), 30, glanced_entry)
        assert len(page.entries) + len(page.prefixes) == shown
        assert index.read <= 31
    database.close()
