"""Labels and proofs: anybody can check them, and one flipped bit anywhere is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.coding.label import (
    Label,
    ShareProof,
    Stamp,
    sign_label,
    verify_label,
    verify_leaves,
    verify_proof,
    verify_share,
)
from protocol.errors import Forged, MaillonError, Malformed
from protocol.ids import ID_BYTES, Digest, NodeId, PublicKey
from protocol.keys.signing import SigningKey
from protocol.limits import LABEL_BYTES_MAX, LEAF_BYTES, LEAVES_MAX
from protocol.wire import schema
from tests.support.blocks import WRITER, made_block, node_id
from tests.support.vectors import load_vectors

SMALL = made_block(1_000, 3, 6)
LARGE = made_block(5 * LEAF_BYTES + 99, 2, 5)
BLOCKS = st.sampled_from([SMALL, LARGE, made_block(0, 1, 1), made_block(10, 1, 3), made_block(70_000, 4, 4)])


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def refusal(check: Any, *arguments: Any) -> str:
    with pytest.raises(Forged) as refused:
        check(*arguments)
    return refused.value.identifier


@given(BLOCKS)
def test_every_share_of_a_block_passes(block: Any) -> None:
    verify_label(block.label)
    for proof, share in zip(block.proofs, block.shares, strict=True):
        verify_proof(block.header, proof)
        verify_share(block.header, proof, share)
        assert schema.decode(ShareProof, schema.encode(proof)) == proof
    assert schema.decode(Label, schema.encode(block.label)) == block.label


@given(BLOCKS, st.data())
@settings(max_examples=150)
def test_one_flipped_bit_in_a_share_is_noticed_and_its_leaf_named(block: Any, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, block.header.n - 1))
    bit = data.draw(st.integers(0, 8 * block.header.share_bytes - 1))
    with pytest.raises(Forged) as refused:
        verify_share(block.header, block.proofs[index], flipped(block.shares[index], bit))
    assert refused.value.identifier == "share-leaf"
    assert refused.value.parameters == {"index": index, "leaf": bit // 8 // LEAF_BYTES}


@given(BLOCKS, st.data())
@settings(max_examples=150)
def test_one_flipped_bit_in_a_proof_is_noticed(block: Any, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, block.header.n - 1))
    raw = schema.encode(block.proofs[index])
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    try:
        proof = schema.decode(ShareProof, flipped(raw, bit))
        verify_share(block.header, proof, block.shares[index])
    except MaillonError:
        return
    # Copies are the same bytes, so one flipped bit of the number may make of a proof that of another copy.
    assert proof == block.proofs[proof.index] != block.proofs[index]
    assert block.shares[proof.index] == block.shares[index]


@given(BLOCKS, st.data())
@settings(max_examples=150)
def test_one_flipped_bit_in_a_label_is_noticed(block: Any, data: st.DataObject) -> None:
    raw = schema.encode(block.label)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    with pytest.raises(MaillonError):
        verify_label(schema.decode(Label, flipped(raw, bit)))


@given(BLOCKS, st.data())
def test_one_flipped_bit_in_a_header_leaves_no_share_of_its_own(block: Any, data: st.DataObject) -> None:
    raw = schema.encode(block.header)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    try:
        header = schema.decode(type(block.header), flipped(raw, bit))
    except MaillonError:
        return
    # What the root does not cover (class, namespace, codec, padding) is covered by the id and the label.
    assert header.block_id != block.header.block_id
    with pytest.raises(MaillonError):
        verify_label(replace(block.label, header=header))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("header", LARGE.header),
        ("placing", tuple(node_id(index) for index in (1, 0, 2, 3, 4, 5))),
        ("stamp", Stamp(2, 7)),
        ("stamp", Stamp(1, 8)),
        ("keep_until_s", 1),
        ("writer", SigningKey.from_seed(bytes(32)).public),
        ("writer", PublicKey(bytes(32))),
        ("signature", bytes(64)),
    ],
)
def test_the_signature_covers_every_field_of_the_label(field: str, value: Any) -> None:
    changed: dict[str, Any] = {field: value}
    if field == "header":
        changed["placing"] = SMALL.label.placing[:5]
    assert refusal(verify_label, replace(SMALL.label, **changed)) == "signature"


@pytest.mark.parametrize("placing", [(0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 4), (0, 1, 2, 3, 4, 5, 6)])
def test_a_placing_names_n_different_nodes(placing: tuple[int, ...]) -> None:
    nodes = tuple(node_id(number) for number in placing)
    with pytest.raises(Malformed) as refused:
        sign_label(WRITER, SMALL.header, nodes, Stamp(1, 1), 0)
    assert refused.value.identifier == "label-placing"


def test_a_share_of_another_size_is_refused() -> None:
    for share in (b"", SMALL.shares[0] + b"\x00", SMALL.shares[0][:-1]):
        assert refusal(verify_share, SMALL.header, SMALL.proofs[0], share) == "share-size"


def test_a_share_does_not_pass_for_its_neighbour() -> None:
    assert refusal(verify_share, SMALL.header, SMALL.proofs[1], SMALL.shares[0]) == "share-leaf"
    moved = replace(SMALL.proofs[0], index=1)
    assert refusal(verify_share, SMALL.header, moved, SMALL.shares[0]) == "proof-root"


def test_a_proof_that_cannot_belong_to_the_block_is_refused() -> None:
    proof = LARGE.proofs[0]
    for changed, identifier in (
        (replace(proof, index=5), "proof-path"),
        (replace(proof, index=31), "proof-path"),
        (replace(proof, path=proof.path[:-1]), "proof-path"),
        (replace(proof, path=()), "proof-path"),
        (replace(proof, path=(*proof.path, Digest(bytes(32)))), "proof-path"),
        (replace(proof, leaves=proof.leaves[:-ID_BYTES]), "proof-leaves"),
        (replace(proof, leaves=proof.leaves[:-1]), "proof-leaves"),
        (replace(proof, leaves=proof.leaves + b"\x00"), "proof-leaves"),
        (replace(proof, leaves=proof.leaves + proof.leaves[:ID_BYTES]), "proof-leaves"),
        (replace(proof, leaves=proof.leaves[ID_BYTES:] + proof.leaves[:ID_BYTES]), "proof-root"),
        (replace(proof, path=proof.path[::-1]), "proof-root"),
    ):
        assert refusal(verify_proof, LARGE.header, changed) == identifier
    assert (
        refusal(verify_proof, SMALL.header, replace(SMALL.proofs[0], leaves=SMALL.proofs[1].leaves)) == "proof-root"
    )


@given(st.data())
def test_any_run_of_leaves_can_be_checked_alone(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, 4))
    proof, share = LARGE.proofs[index], LARGE.shares[index]
    leaves = len(proof.leaves) // ID_BYTES
    first = data.draw(st.integers(0, leaves - 1))
    count = data.draw(st.integers(1, leaves - first))
    run = share[first * LEAF_BYTES : (first + count) * LEAF_BYTES]
    verify_leaves(proof, first, run)
    assert refusal(verify_leaves, proof, first, run[:-1]) == "share-leaf"
    assert refusal(verify_leaves, proof, first, run + b"\x00") == "share-leaf"
    other = data.draw(st.integers(-4, 4).filter(lambda number: number != first))
    assert refusal(verify_leaves, proof, other, run) == "share-leaf"


def test_no_bytes_are_no_leaf() -> None:
    for first in (0, 1, len(LARGE.proofs[0].leaves) // ID_BYTES, -1):
        assert refusal(verify_leaves, LARGE.proofs[0], first, b"") == "share-leaf"


def test_the_largest_label_and_proof_fit_their_bound() -> None:
    nodes = tuple(node_id(number) for number in range(32))
    header = replace(SMALL.header, k=1, n=32, data_class="x" * 32)
    label = sign_label(WRITER, header, nodes, Stamp(2**63 - 1, 2**63 - 1), 2**63 - 1)
    proof = ShareProof(31, bytes(32 * LEAVES_MAX), (Digest(bytes(32)),) * 5)
    assert len(schema.encode(label)) <= LABEL_BYTES_MAX
    assert len(schema.encode(proof)) <= LABEL_BYTES_MAX


def test_stamps_are_ordered_by_epoch_then_position() -> None:
    assert Stamp(1, 9) < Stamp(2, 0) < Stamp(2, 1)


@pytest.mark.parametrize("which", ["label", "proof"])
def test_vectors(which: str) -> None:
    vector = load_vectors("coding")[which]
    message: Any = SMALL.label if which == "label" else SMALL.proofs[2]
    assert schema.encode(message).hex() == vector["bytes"]
    assert schema.decode(type(message), bytes.fromhex(vector["bytes"])) == message


@given(st.binary(max_size=300))
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    for kind in (Label, ShareProof):
        with pytest.raises(MaillonError):
            schema.decode(kind, raw)


def test_ids_in_a_placing_are_node_ids() -> None:
    with pytest.raises(Malformed):
        schema.encode(replace(SMALL.label, placing=(*SMALL.label.placing[:-1], NodeId(b"short"))))
