"""A block can be coded again from any k shares, and one that was never coded honestly is recognised."""

from __future__ import annotations

import dataclasses

import pytest

from protocol.coding.block import Workspace, decode_block, encode_block, recode_block
from protocol.coding.erasure import ZfecEngine
from protocol.errors import Forged
from protocol.ids import Digest, NamespaceId


def test_recoding_gives_the_very_same_shares_and_proofs() -> None:
    engine, first, second = ZfecEngine(), Workspace(3, 6), Workspace(3, 6)
    plain = bytes(range(256)) * 900
    encoded = encode_block(
        engine,
        plain=plain,
        key=bytes(32),
        k=3,
        n=6,
        data_class="internal",
        namespace=NamespaceId(bytes(32)),
        workspace=first,
    )
    present = [(index, bytes(encoded.shares[index])) for index in (1, 4, 5)]
    decode_block(engine, encoded.header, present, second)
    again = recode_block(engine, encoded.header, second)
    assert again.header == encoded.header
    assert again.proofs == encoded.proofs
    assert [bytes(share) for share in again.shares] == [bytes(share) for share in encoded.shares]


def test_a_block_whose_writer_lied_about_its_root_is_malformed() -> None:
    engine, workspace = ZfecEngine(), Workspace(3, 6)
    encoded = encode_block(
        engine,
        plain=b"x" * 70_000,
        key=bytes(32),
        k=3,
        n=6,
        data_class="internal",
        namespace=NamespaceId(bytes(32)),
        workspace=workspace,
    )
    with pytest.raises(Forged, match="block-malformed"):
        recode_block(engine, dataclasses.replace(encoded.header, root=Digest(bytes(32))), workspace)
