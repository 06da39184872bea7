"""Manifests: what cannot be is refused by name."""

from __future__ import annotations

import dataclasses

import pytest

from protocol.errors import Malformed, OverLimit
from protocol.ids import Digest, NodeId
from protocol.limits import BLOCK_PLAIN_BYTES_MAX
from protocol.tables.manifest import Manifest, PageRef, TableRef, decode_manifest, encode_manifest
from tests.support.namespaces import block_ref, node

EMPTY = Manifest(1, 0, Digest(bytes(32)), 0, 0, (), ())


def page(first: bytes, last: bytes, tombstones: int = 0) -> PageRef:
    return PageRef(block_ref(1), first, last, 1, 9, tombstones)


def with_pages(*pages: PageRef) -> Manifest:
    return dataclasses.replace(EMPTY, tables=(TableRef(0, 0, 0, pages),))


def test_nodes_and_tables_come_back() -> None:
    manifest = dataclasses.replace(
        with_pages(page(b"a", b"b"), page(b"c", b"c")), nodes=tuple(node(number) for number in range(300))
    )
    assert decode_manifest(encode_manifest(manifest)) == manifest
    assert manifest.blocks() == (block_ref(1), block_ref(1))
    assert decode_manifest(encode_manifest(EMPTY)) == EMPTY


@pytest.mark.parametrize(
    "pages", [(page(b"b", b"a"),), (page(b"a", b"b"), page(b"b", b"c")), (page(b"a", b"b", tombstones=2),)]
)
def test_pages_that_cannot_follow_each_other_are_refused(pages: tuple[PageRef, ...]) -> None:
    with pytest.raises(Malformed, match="manifest-table"):
        decode_manifest(encode_manifest(with_pages(*pages)))


def test_half_a_node_is_refused() -> None:
    one = encode_manifest(dataclasses.replace(EMPTY, nodes=(NodeId(b"short"),)))
    with pytest.raises(Malformed, match="manifest-nodes"):
        decode_manifest(one)


def test_it_must_fit_a_block() -> None:
    many = (node(1),) * (BLOCK_PLAIN_BYTES_MAX // 32)
    with pytest.raises(OverLimit, match="manifest-size"):
        encode_manifest(dataclasses.replace(EMPTY, nodes=many))
