"""A glance at an object's row shows what the whole row says, and nothing of a row that is not one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Malformed
from protocol.ids import Digest
from protocol.namespace.contents import NULL_VERSION, Checksum, InlineRef, Metadata, Tag
from protocol.tables.glance import glance
from protocol.tables.rows import Extras, ObjectRow
from protocol.wire import canonical, schema

checksums = st.lists(
    st.builds(
        Checksum, st.sampled_from(["CRC32", "SHA256", "CRC64NVME-COMPOSITE"]), st.binary(min_size=1, max_size=32)
    ),
    max_size=2,
)
extras = st.builds(
    Extras,
    etag=st.text("0123456789abcdef-", max_size=36),
    metadata=st.just((Metadata("content-type", "image/jpeg"),)),
    checksums=checksums.map(tuple),
    retain_until_s=st.integers(0, 2**40),
    legal_hold=st.booleans(),
    tags=st.just((Tag("a", "é"),)),
    retention=st.none(),
    part_count=st.integers(0, 10_000),
)
rows = st.builds(
    ObjectRow,
    version=st.binary(min_size=16, max_size=16),
    size_bytes=st.integers(0, 2**42),
    digest=st.just(Digest(bytes(32))),
    modified_s=st.integers(0, 2**40),
    data_class=st.just("internal"),
    epoch=st.integers(1, 9),
    position=st.integers(0, 9),
    block_count=st.just(0),
    share_bytes=st.just(0),
    blocks=st.just(b""),
    owner=st.just(b""),
    inline=st.sampled_from([None, InlineRef(0, 20, bytes(32))]),
    extras=st.none() | extras,
    packed=st.none(),
    is_null=st.booleans(),
    is_marker=st.booleans(),
)


@given(rows, st.booleans())
def test_a_glance_shows_what_the_row_says(row: ObjectRow, is_latest: bool) -> None:
    found = glance("a/b", schema.encode(row), is_latest=is_latest)
    assert (found.key, found.version, found.size_bytes) == ("a/b", row.version, row.size_bytes)
    assert (found.modified_s, found.is_null, found.is_marker) == (row.modified_s, row.is_null, row.is_marker)
    assert found.etag == (row.extras.etag if row.extras else "")
    assert found.algorithms == tuple(one.algorithm for one in (row.extras.checksums if row.extras else ()))
    assert found.is_latest is is_latest
    assert found.version_id == (NULL_VERSION if row.is_null else row.version)


@pytest.mark.parametrize(
    "bad", [b"", b"\xc1", b"\x01", b"\x91\x01", canonical.encode([1] * 17), canonical.encode([2] * 17)]
)
def test_what_is_no_row_is_refused(bad: bytes) -> None:
    with pytest.raises(Malformed):
        glance("a", bad, is_latest=True)
