"""How many members a block that is not complete bears to lose."""

from __future__ import annotations

import pytest

from node.vault.inspect import block_survives
from protocol.ids import BlockId, OrganisationId
from protocol.namespace.changes import BlockRef
from tests.support.namespaces import node

PLACING = tuple(node(number) for number in range(6))


def block(missing: int, k: int = 3) -> BlockRef:
    return BlockRef(BlockId(bytes(32)), bytes(32), 1, k, 6, PLACING, missing)


def owners(*numbers: int, per_organisation: int = 1) -> dict[bytes, OrganisationId]:
    return {node(number): OrganisationId(node(100 + number // per_organisation)) for number in numbers}


@pytest.mark.parametrize(
    ("missing", "answering", "expected"),
    [
        (0b000000, range(6), 3),
        (0b110000, range(6), 1),
        (0b110000, range(4), 1),
        (0b000000, range(4), 1),
        (0b110000, range(3), 0),
        (0b111000, range(2), -1),
    ],
)
def test_shares_that_are_there_and_answer_count(missing: int, answering: range, expected: int) -> None:
    assert block_survives(block(missing), owners(*answering)) == expected


def test_an_organisation_takes_all_its_shares_with_it() -> None:
    assert block_survives(block(0), owners(*range(6), per_organisation=2)) == 1
    assert block_survives(block(0), owners(*range(6), per_organisation=3)) == 1
