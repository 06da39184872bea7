"""Parts of the space of ids, and whose word on strays a holder may obey."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.coding.label import Stamp
from protocol.errors import Forged, Malformed, OverLimit, Refused, Unavailable
from protocol.ids import ID_BYTES, BlockId
from protocol.keys.signing import SigningKey
from protocol.limits import BLOCKS_PER_RELEASE_MAX
from protocol.namespace.inventories import (
    PART_BITS_MAX,
    Part,
    decode_stray_release,
    encode_stray_release,
    sign_stray_release,
    verify_stray_release,
)
from protocol.namespace.releases import encode_release, sign_release
from protocol.namespace.root import Root
from tests.support.namespaces import some

WRITER, OTHER = SigningKey.from_seed(some("writer")), SigningKey.from_seed(some("other writer"))
NAMESPACE = Root(some("root")).namespace
BLOCKS = tuple(BlockId(some("block", number)) for number in range(3))
HORIZON = Stamp(4, 1_000)
RELEASE = sign_stray_release(WRITER, NAMESPACE, 5, HORIZON, BLOCKS)

ids = st.binary(min_size=ID_BYTES, max_size=ID_BYTES)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    bits = draw(st.integers(0, PART_BITS_MAX))
    return Part(bits, draw(st.integers(0, 2**bits - 1)))


@given(ids, st.integers(0, PART_BITS_MAX))
def test_every_id_is_in_exactly_one_part_of_each_size(identity: bytes, bits: int) -> None:
    number = int.from_bytes(identity[:2], "big") >> (16 - bits)
    near = {min(max(0, number + step), 2**bits - 1) for step in (-1, 0, 1)}
    assert [other for other in near if Part(bits, other).holds(identity)] == [number]


@given(parts(), ids)
def test_the_halves_of_a_part_are_the_part(part: Part, identity: bytes) -> None:
    if part.bits == PART_BITS_MAX:
        with pytest.raises(Malformed, match="inventory-part"):
            part.halves()
        return
    lower, upper = part.halves()
    assert (lower.first(), upper.last()) == (part.first(), part.last())
    assert int.from_bytes(lower.last(), "big") + 1 == int.from_bytes(upper.first(), "big")
    assert part.holds(identity) == (lower.holds(identity) or upper.holds(identity))


def test_there_is_no_part_beyond_the_last() -> None:
    with pytest.raises(Malformed, match="inventory-part"):
        Part(3, 8)


def test_the_present_writer_is_obeyed_also_in_an_epoch_that_the_holder_has_not_heard_of() -> None:
    release = decode_stray_release(encode_stray_release(RELEASE))
    verify_stray_release(release, writer=WRITER.public, epoch=5)
    verify_stray_release(release, writer=WRITER.public, epoch=4)


def test_a_writer_that_was_succeeded_is_refused_and_one_whose_card_did_not_come_may_try_again() -> None:
    for writer, epoch in [(WRITER, 6), (OTHER, 6), (OTHER, 5)]:
        with pytest.raises(Refused, match="release-superseded"):
            verify_stray_release(RELEASE, writer=writer.public, epoch=epoch)
    with pytest.raises(Unavailable, match="release-ahead"):
        verify_stray_release(RELEASE, writer=OTHER.public, epoch=4)


def test_nobody_has_a_word_on_what_is_written_in_a_later_epoch() -> None:
    with pytest.raises(Malformed, match="stray-horizon"):
        sign_stray_release(WRITER, NAMESPACE, 5, Stamp(6, 0), BLOCKS)


@pytest.mark.parametrize(
    "changed",
    [
        replace(RELEASE, blocks=BLOCKS[:2]),
        replace(RELEASE, epoch=6),
        replace(RELEASE, horizon=Stamp(5, 0)),
        replace(RELEASE, namespace=Root(some("another root")).namespace),
        replace(RELEASE, signature=sign_release(WRITER, NAMESPACE, 5, BLOCKS).signature),
    ],
    ids=["blocks", "epoch", "horizon", "namespace", "a release's signature"],
)
def test_a_changed_word_is_forged(changed: object) -> None:
    with pytest.raises(Forged, match="signature"):
        verify_stray_release(changed, writer=WRITER.public, epoch=5)  # type: ignore[arg-type]


def test_a_release_is_not_taken_for_one_of_strays() -> None:
    with pytest.raises(Malformed):
        decode_stray_release(encode_release(sign_release(WRITER, NAMESPACE, 5, BLOCKS)))


def test_it_is_bounded() -> None:
    blocks = tuple(BlockId(some("block", number)) for number in range(BLOCKS_PER_RELEASE_MAX + 1))
    sign_stray_release(WRITER, NAMESPACE, 5, HORIZON, blocks[1:])
    with pytest.raises(OverLimit):
        sign_stray_release(WRITER, NAMESPACE, 5, HORIZON, blocks)
