"""Blocks: any k of n shares give the bytes back, and nothing of the last block is left in the next."""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.coding.block import Workspace, decode_block, encode_block, open_block, rebuild_shares, recode_block
from protocol.coding.erasure import ZfecEngine
from protocol.coding.header import Header
from protocol.coding.label import verify_share
from protocol.errors import Forged, Refused, Unavailable
from protocol.limits import BLOCK_PLAIN_BYTES_MAX, SEGMENT_PLAIN_BYTES
from tests.support.blocks import NAMESPACE, MadeBlock, made_block
from tests.support.vectors import load_vectors

ENGINE = ZfecEngine()
CODES = st.integers(1, 32).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))
SIZES = st.integers(0, 2_000) | st.sampled_from([SEGMENT_PLAIN_BYTES, SEGMENT_PLAIN_BYTES + 1, 200_000])


def read_back(block: MadeBlock, indexes: list[int], workspace: Workspace | None = None) -> bytes:
    workspace = workspace or Workspace(block.header.k, block.header.n)
    given_shares = [(index, block.shares[index]) for index in indexes]
    sealed = decode_block(ENGINE, block.header, given_shares, workspace)
    out = memoryview(bytearray(len(block.plain) + 5))
    return bytes(open_block(block.key, block.header, sealed, out))


@given(CODES, SIZES, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_any_k_of_n_shares_give_the_block_back(code: tuple[int, int], size: int, rng: random.Random) -> None:
    k, n = code
    block = made_block(size, k, n)
    for proof, share in zip(block.proofs, block.shares, strict=True):
        verify_share(block.header, proof, share)
    assert read_back(block, rng.sample(range(n), rng.randint(k, n))) == block.plain


@pytest.mark.parametrize(("k", "n"), [(1, 3), (2, 4), (3, 6), (4, 6), (5, 5)])
def test_each_choice_of_k_shares_gives_the_block_back(k: int, n: int) -> None:
    block = made_block(70_001, k, n)
    workspace = Workspace(k, n)
    for indexes in itertools.permutations(range(n), k):
        if k <= 3 or indexes == tuple(sorted(indexes)):
            assert read_back(block, list(indexes), workspace) == block.plain


@given(CODES, st.integers(0, 500), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_repair_rebuilds_any_share_without_the_key(code: tuple[int, int], size: int, rng: random.Random) -> None:
    k, n = code
    block = made_block(size, k, n)
    wanted = rng.sample(range(n), rng.randint(0, n))
    out = [bytearray(block.header.share_bytes) for _ in wanted]
    rebuild_shares(
        ENGINE,
        block.header,
        [(index, block.shares[index]) for index in rng.sample(range(n), k)],
        [(index, memoryview(buffer)) for index, buffer in zip(wanted, out, strict=True)],
    )
    assert out == [block.shares[index] for index in wanted]


def test_shares_received_into_their_slots_are_used_where_they_lie() -> None:
    block = made_block(10_000, 3, 6)
    workspace = Workspace(3, 6)
    slots = workspace.slots(block.header.size_bytes)
    for index in (1, 4, 5):
        slots[index][:] = block.shares[index]
    sealed = decode_block(ENGINE, block.header, [(index, slots[index]) for index in (5, 1, 4)], workspace)
    assert sealed == b"".join(block.shares[:3])[: block.header.size_bytes]
    out = memoryview(bytearray(10_000))
    assert open_block(block.key, block.header, sealed, out) == block.plain


def test_the_sealed_bytes_are_the_first_shares_padded_with_zeros() -> None:
    block = made_block(1_000, 5, 7)
    whole = b"".join(block.shares[:5])
    assert block.header.size_bytes == 1_016
    assert block.header.share_bytes == 204
    assert whole[1_016:] == bytes(4)


def test_a_reused_workspace_leaves_no_trace_of_the_last_block() -> None:
    workspace = Workspace(3, 5)
    for size in (70_000, 1, 0, 65_520, 70_001, 11):
        fresh = made_block(size, 3, 5)
        again = encode_block(
            ENGINE,
            plain=fresh.plain,
            key=fresh.key,
            k=3,
            n=5,
            data_class="internal",
            namespace=NAMESPACE,
            workspace=workspace,
        )
        assert again.header == fresh.header
        assert again.proofs == fresh.proofs
        assert tuple(bytes(share) for share in again.shares) == fresh.shares
        assert read_back(fresh, [4, 3, 0], workspace) == fresh.plain


def test_all_shares_can_be_coded_again_from_any_k() -> None:
    block = made_block(10_000, 3, 6)
    workspace = Workspace(3, 6)
    decode_block(ENGINE, block.header, [(index, block.shares[index]) for index in (1, 4, 5)], workspace)
    again = recode_block(ENGINE, block.header, workspace)
    assert again.proofs == block.proofs
    assert tuple(bytes(share) for share in again.shares) == block.shares


def test_a_block_that_was_not_coded_as_its_header_says_is_found_out() -> None:
    block = made_block(10_000, 3, 6)
    workspace = Workspace(3, 6)
    decode_block(ENGINE, block.header, list(enumerate(block.shares)), workspace)
    lying = replace(block.header, root=made_block(10_000, 3, 6, seed=1).header.root)
    with pytest.raises(Forged) as refused:
        recode_block(ENGINE, lying, workspace)
    assert refused.value.identifier == "block-malformed"


def test_the_biggest_block_goes_there_and_back() -> None:
    block = made_block(BLOCK_PLAIN_BYTES_MAX, 3, 6)
    assert read_back(block, [1, 3, 5]) == block.plain


def test_a_block_over_the_bound_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="smaller blocks"):
        made_block(BLOCK_PLAIN_BYTES_MAX + 1, 1, 1)
    with pytest.raises(ValueError, match="another code"):
        decode_block(ENGINE, made_block(1, 2, 3).header, [], Workspace(2, 4))


def test_too_few_shares_are_named() -> None:
    block = made_block(100, 3, 5)
    twice_the_same = [(index, block.shares[index]) for index in (0, 0, 4)]
    with pytest.raises(Unavailable) as refused:
        decode_block(ENGINE, block.header, twice_the_same, Workspace(3, 5))
    assert refused.value.identifier == "block-shares"
    assert refused.value.parameters == {"block": block.header.block_id, "present": 2, "needed": 3}


def test_a_codec_from_the_future_is_refused_by_name() -> None:
    block = made_block(100, 3, 5)
    header = Header(2, 3, 5, block.header.size_bytes, "internal", NAMESPACE, block.header.root)
    for proof, share in zip(block.proofs, block.shares, strict=True):
        verify_share(header, proof, share)
    with pytest.raises(Refused) as refused:
        decode_block(ENGINE, header, list(enumerate(block.shares)), Workspace(3, 5))
    assert refused.value.identifier == "codec-unknown"


def test_another_key_opens_nothing() -> None:
    block = made_block(100, 2, 3)
    sealed = decode_block(ENGINE, block.header, [(0, block.shares[0]), (2, block.shares[2])], Workspace(2, 3))
    with pytest.raises(Forged):
        open_block(bytes(32), block.header, sealed, memoryview(bytearray(100)))


@pytest.mark.parametrize(
    "vector", load_vectors("coding")["blocks"], ids=lambda vector: f"{vector['k']}-{vector['n']}"
)
def test_vectors(vector: dict[str, int | str | list[str]]) -> None:
    size, k, n = (int(str(vector[name])) for name in ("plain_bytes", "k", "n"))
    plain = bytes(position % 251 for position in range(size))
    made = encode_block(
        ENGINE,
        plain=plain,
        key=bytes.fromhex(str(vector["key"])),
        k=k,
        n=n,
        data_class=str(vector["data_class"]),
        namespace=NAMESPACE,
        workspace=Workspace(k, n),
    )
    assert [hashlib.sha256(share).hexdigest() for share in made.shares] == vector["shares_sha256"]
    assert made.header.root.hex() == vector["root"]
    assert made.block_id == made.header.block_id == bytes.fromhex(str(vector["block_id"]))
