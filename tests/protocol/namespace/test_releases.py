"""Who may release blocks: the newest writer that a holder knows of, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.errors import Forged, OverLimit, Refused, Unavailable
from protocol.ids import BlockId
from protocol.keys.signing import SigningKey
from protocol.limits import BLOCKS_PER_RELEASE_MAX
from protocol.namespace.releases import decode_release, encode_release, sign_release, verify_release
from protocol.namespace.root import Root
from tests.support.namespaces import some

WRITER, OTHER = SigningKey.from_seed(some("writer")), SigningKey.from_seed(some("other writer"))
NAMESPACE = Root(some("root")).namespace
BLOCKS = tuple(BlockId(some("block", number)) for number in range(3))
RELEASE = sign_release(WRITER, NAMESPACE, 5, BLOCKS)


def test_a_release_by_the_present_writer_is_obeyed() -> None:
    verify_release(decode_release(encode_release(RELEASE)), writer=WRITER.public, epoch=5)


def test_a_writer_is_obeyed_in_an_epoch_of_his_that_the_holder_has_not_heard_of() -> None:
    verify_release(RELEASE, writer=WRITER.public, epoch=4)


@pytest.mark.parametrize("writer", [WRITER, OTHER])
def test_a_writer_whose_epoch_is_over_is_refused(writer: SigningKey) -> None:
    with pytest.raises(Refused, match="release-superseded"):
        verify_release(RELEASE, writer=writer.public, epoch=6)


def test_two_writers_of_one_epoch_are_never_both_obeyed() -> None:
    with pytest.raises(Refused, match="release-superseded"):
        verify_release(RELEASE, writer=OTHER.public, epoch=5)


def test_a_writer_whose_card_did_not_come_yet_may_try_again() -> None:
    with pytest.raises(Unavailable, match="release-ahead"):
        verify_release(RELEASE, writer=OTHER.public, epoch=4)


@pytest.mark.parametrize(
    "changed",
    [
        replace(RELEASE, blocks=BLOCKS[:2]),
        replace(RELEASE, epoch=6),
        replace(RELEASE, namespace=Root(some("another root")).namespace),
        replace(RELEASE, signature=sign_release(OTHER, NAMESPACE, 5, BLOCKS).signature),
    ],
    ids=["blocks", "epoch", "namespace", "signature"],
)
def test_a_changed_release_is_forged(changed: object) -> None:
    with pytest.raises(Forged, match="signature"):
        verify_release(changed, writer=WRITER.public, epoch=5)  # type: ignore[arg-type]


def test_a_release_is_bounded() -> None:
    blocks = tuple(BlockId(some("block", number)) for number in range(BLOCKS_PER_RELEASE_MAX + 1))
    sign_release(WRITER, NAMESPACE, 5, blocks[1:])
    with pytest.raises(OverLimit):
        sign_release(WRITER, NAMESPACE, 5, blocks)
