"""The tree over a block: its shape, its domains, and that every byte counts."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from protocol.coding import merkle
from protocol.errors import Forged
from protocol.ids import Digest
from protocol.limits import LEAF_BYTES, SHARES_MAX
from tests.support.blocks import some_bytes

DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)
# Different, as equal shares (k=1) may stand for each other.
ROOTS = st.lists(DIGESTS, min_size=1, max_size=SHARES_MAX, unique=True)


def hashed(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context=context).digest()


def tree(hashes: list[Digest]) -> bytes:
    """The tree again, bottom up: pairs are joined, an odd one moves up as it is."""
    level: list[bytes] = list(hashes)
    while len(level) > 1:
        pairs = [level[start : start + 2] for start in range(0, len(level), 2)]
        level = [hashed("maillon/1 tree inner node", b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


@given(ROOTS)
def test_the_block_root_binds_the_number_of_shares_to_the_tree(roots: list[Digest]) -> None:
    expected = hashed("maillon/1 block root", len(roots).to_bytes(8, "big") + tree(roots))
    assert merkle.block_root(roots) == expected


@given(ROOTS, st.integers(1, 2**32))
def test_the_share_root_binds_the_size_to_all_leaves(leaves: list[Digest], size: int) -> None:
    joined = b"".join(leaves)
    assert merkle.share_root(joined, size) == hashed("maillon/2 share root", size.to_bytes(8, "big") + joined)


@given(ROOTS, st.data())
def test_each_path_leads_to_the_root_from_its_place_only(roots: list[Digest], data: st.DataObject) -> None:
    n = len(roots)
    index = data.draw(st.integers(0, n - 1))
    neighbours = merkle.path(roots, index)
    block = merkle.block_root(roots)
    assert merkle.root_from_path(roots[index], index, n, neighbours) == block
    for other in range(n + 1):
        if other != index:
            assert not leads_to(block, roots[index], other, n, neighbours)
    assert not leads_to(block, roots[index], index, n, (*neighbours, block))
    assert not leads_to(block, roots[index], index, n + 1, neighbours)
    assert not leads_to(block, Digest(bytes(31) + b"\x01"), index, n, neighbours)


def leads_to(block: Digest, root: Digest, index: int, n: int, neighbours: tuple[Digest, ...]) -> bool:
    try:
        return merkle.root_from_path(root, index, n, neighbours) == block
    except Forged as error:
        assert error.identifier == "proof-path"
        return False


@pytest.mark.parametrize("size", [0, 1, LEAF_BYTES - 1, LEAF_BYTES, LEAF_BYTES + 1, 3 * LEAF_BYTES])
def test_leaves_are_64_kib_and_the_last_is_what_remains(size: int) -> None:
    share = some_bytes(size)
    parts = [share[start : start + LEAF_BYTES] for start in range(0, size, LEAF_BYTES)] or [b""]
    assert merkle.leaf_count(size) == len(parts)
    assert merkle.leaf_hashes(share) == b"".join(hashed("maillon/1 share leaf", part) for part in parts)
    assert merkle.leaf_hashes(memoryview(share)) == merkle.leaf_hashes(bytearray(share))


def test_no_hash_passes_for_one_of_another_level() -> None:
    contexts = {merkle.LEAF_CONTEXT, merkle.INNER_CONTEXT, merkle.SHARE_CONTEXT, merkle.BLOCK_CONTEXT}
    assert len({hashed(context, bytes(64)) for context in contexts}) == 4


def test_a_path_of_no_share_is_a_programming_error() -> None:
    for index in (-1, 2):
        with pytest.raises(IndexError):
            merkle.path([Digest(bytes(32))] * 2, index)
