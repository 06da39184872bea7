"""Holders: when the plain stream spoils or drops a share, it goes once more inside TLS and nobody is accused."""

from __future__ import annotations

from typing import Any

import pytest

from node.net.connection import Answer
from node.store.shares import ShareFacts
from node.vault.holders import Checking, Holders, Sought
from protocol.coding.block import EncodedBlock, Workspace, encode_block
from protocol.coding.erasure import ZfecEngine
from protocol.coding.label import Stamp, sign_label
from protocol.errors import Forged, MaillonError, Unavailable
from protocol.ids import NamespaceId
from protocol.keys.signing import SigningKey
from protocol.requests import Done, Kind, ShareReply
from protocol.wire import schema
from protocol.wire.envelopes import Carriage
from sim.host.world import World
from tests.support.candidates import node_id

ME, OTHER = node_id(0), node_id(1)
PLACING = tuple(node_id(number) for number in range(6))


class SpoiltMesh:
    """What goes outside TLS fails with `error`; inside, the other node keeps and gives one block's shares."""

    me = ME

    def __init__(self, error: MaillonError, block: EncodedBlock) -> None:
        self.error = error
        self.block = block
        self.view = self
        self.asked: list[Carriage] = []

    def node(self, _node: object) -> None:
        return None

    async def ask(self, _node: object, kind: Kind, question: Any, _reply: object, **how: Any) -> Answer[Any]:
        self.asked.append(how["over"])
        if how["over"] is Carriage.SEALED:
            raise self.error
        if kind is Kind.PUT_SHARE:
            return Answer(Done(), 0)
        share, proof = self.block.shares[question.index], self.block.proofs[question.index]
        how["into"][: len(share)] = share
        label = sign_label(SigningKey.from_seed(bytes(32)), self.block.header, PLACING, Stamp(1, 0), 0)
        return Answer(ShareReply(schema.encode(label), schema.encode(proof)), len(share))


def a_block() -> EncodedBlock:
    return encode_block(
        ZfecEngine(),
        plain=b"x" * 100_000,
        key=bytes(32),
        k=3,
        n=6,
        data_class="internal",
        namespace=NamespaceId(bytes(32)),
        workspace=Workspace(3, 6),
    )


def holders(mesh: SpoiltMesh, bulk: Carriage) -> Holders:
    threads = World(seed=1).host("reader").threads
    return Holders(mesh=mesh, store=None, threads=threads, bulk=bulk, deadline_s=5)


@pytest.mark.parametrize("error", [Unavailable("bulk-lost"), Forged("share-leaf", index=1, leaf=0)])
async def test_what_the_plain_stream_spoils_goes_once_more_inside_tls(error: MaillonError) -> None:
    block = a_block()
    mesh = SpoiltMesh(error, block)
    both = holders(mesh, Carriage.SEALED)
    label = sign_label(SigningKey.from_seed(bytes(32)), block.header, PLACING, Stamp(1, 0), 0)
    assert await both.put(OTHER, [(ShareFacts.of(label, block.proofs[1]), block.shares[1])]) == [None]
    into = memoryview(bytearray(block.header.share_bytes))
    assert await both.get(OTHER, [Sought(block.header.block_id, 1, into)], Checking.NOW) == [block.header]
    assert into == block.shares[1]
    assert mesh.asked == [Carriage.SEALED, Carriage.SECURE] * 2
    assert both.accused() == frozenset()


async def test_a_node_that_is_away_is_not_asked_twice() -> None:
    block = a_block()
    mesh = SpoiltMesh(Unavailable("node-unreachable"), block)
    into = memoryview(bytearray(block.header.share_bytes))
    sought = [Sought(block.header.block_id, 1, into)]
    assert await holders(mesh, Carriage.SEALED).get(OTHER, sought, Checking.NOW) == [mesh.error]
    assert mesh.asked == [Carriage.SEALED]
