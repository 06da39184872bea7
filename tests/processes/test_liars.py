"""Members that lie to real nodes: holders that answer with wrong bytes, and a gateway that offers wrong shares.

The liar is a member by its own right: it has a node's key, answers probes and gossips; only its word is no good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
import trio

from node.host.ports import Buffer
from node.host.real import real_host
from node.net.connection import Connection, Handler
from node.net.exchange import Exchange
from node.vault.secrets import load_secrets, saved_namespaces
from protocol.coding.block import EncodedBlock, Workspace, encode_block
from protocol.coding.erasure import ZfecEngine
from protocol.coding.label import Label, ShareProof, Stamp, sign_label
from protocol.errors import Forged, MaillonError, Refused
from protocol.ids import Digest, NamespaceId, NodeId, identity_from_text
from protocol.keys.signing import SigningKey
from protocol.limits import BLOCK_PLAIN_BYTES_MAX
from protocol.members.roster import Rules, rules_for
from protocol.placement.place import place
from protocol.requests import Done, HasShares, HasSharesReply, Kind, Ping, PutShare, ShareReply
from protocol.wire import schema
from tests.support.hostile import identity_of, liar, view_of, visiting
from tests.support.processes import GATEWAY, Town, eventually, some_bytes

pytestmark = pytest.mark.processes

LIAR = "n6"
HOLDER = "n2"

# --- holders that answer with wrong bytes

Lie = Callable[[ShareReply, bytes], tuple[ShareReply, bytes]]


def another_bit(reply: ShareReply, share: bytes) -> tuple[ShareReply, bytes]:
    return reply, share[:1000] + bytes([share[1000] ^ 1]) + share[1001:]


def one_byte_less(reply: ShareReply, share: bytes) -> tuple[ShareReply, bytes]:
    return reply, share[:-1]


def one_byte_more(reply: ShareReply, share: bytes) -> tuple[ShareReply, bytes]:
    return reply, share + b"x"


def nothing(reply: ShareReply, share: bytes) -> tuple[ShareReply, bytes]:
    return reply, b""


def another_root(reply: ShareReply, share: bytes) -> tuple[ShareReply, bytes]:
    label = schema.decode(Label, reply.label)
    header = replace(label.header, root=Digest(bytes(32)))
    return replace(reply, label=schema.encode(replace(label, header=header))), share


def no_label(_reply: ShareReply, share: bytes) -> tuple[ShareReply, bytes]:
    return ShareReply(b"\x91" * 40, b"\xc1"), share


LIES: list[Lie] = [
    another_bit,
    one_byte_less,
    one_byte_more,
    nothing,
    another_root,
    no_label,
]


class TwistedExchange:
    """An exchange whose answer is twisted on its way out."""

    def __init__(self, exchange: Exchange, lie: Lie) -> None:
        self._exchange = exchange
        self._lie = lie

    def __getattr__(self, name: str) -> object:
        return getattr(self._exchange, name)

    async def answer(self, message: ShareReply, payload: Sequence[Buffer]) -> None:
        twisted, share = self._lie(message, b"".join(bytes(part) for part in payload))
        await self._exchange.answer(twisted, [share])


async def put_where_it_is_asked(six: Town, name: str) -> tuple[str, bytes]:
    """An object of which every read asks the node `name`: it holds one of the first two shares."""
    for number in range(100):
        key, data = f"asked/{number}", some_bytes(number, BLOCK_PLAIN_BYTES_MAX // 4)
        await six.put(key, data)
        (block,) = await six.blocks(key)
        if name in [share.name for share in block.shares[:2]]:
            return key, data
    raise AssertionError(f"no block asks {name}")


async def read_and_accuse(six: Town, key: str, data: bytes) -> bool:
    """The read is right in any case. The liar is named when it was asked; a member just suspected is asked last."""
    heard = six.listen()
    assert await six.get(key) == data
    return bool(heard.lines("holders.wrong-bytes", f"node={LIAR}"))


async def test_wrong_bytes_from_a_holder_are_noticed_named_and_replaced(six_nodes: Town) -> None:
    key, data = await put_where_it_is_asked(six_nodes, LIAR)
    current: list[Lie] = []

    def lying(kind: Kind, handler: Handler) -> Handler:
        async def lie(exchange: Exchange) -> None:
            await handler(TwistedExchange(exchange, current[0]))  # type: ignore[arg-type]

        return lie if kind is Kind.GET_SHARE else handler

    await six_nodes.kill(LIAR)
    async with liar(six_nodes.dir(LIAR), lying):
        for told in LIES:
            current[:] = [told]
            # Who was accused is asked last for ten minutes: only a gateway that starts anew has forgiven.
            await six_nodes.restart(GATEWAY)
            await six_nodes.see(6)
            await six_nodes.writable()
            await eventually(lambda: read_and_accuse(six_nodes, key, data), f"{told.__name__} is noticed")
        # A lie costs the liar its part of the read; enough liars cost the read, and never a wrong byte.


# --- a gateway that offers wrong shares


@dataclass(frozen=True, slots=True)
class Thief:
    """Who stole the gateway's keys can write as it does, and still only what is lawful and true."""

    namespace: NamespaceId
    writer: SigningKey
    rules: Rules

    def block(self, seed: int) -> EncodedBlock:
        code = self.rules.code
        return encode_block(
            ZfecEngine(),
            plain=memoryview(some_bytes(seed, 500_000)),
            key=bytes(32),
            k=code.k,
            n=code.n,
            data_class=self.rules.data_class.name,
            namespace=self.namespace,
            workspace=Workspace(code.k, code.n),
        )

    def placing(self, encoded: EncodedBlock) -> tuple[NodeId, ...]:
        rules = self.rules
        return place(encoded.header.block_id, rules.data_class, rules.code, rules.candidates, avoid=frozenset())


async def thief_of(six: Town) -> Thief:
    disk = real_host(six.dir(GATEWAY)).disk
    (name,) = saved_namespaces(disk)
    secrets = load_secrets(disk, NamespaceId(identity_from_text(name)))
    view = await view_of(six.dir(GATEWAY))
    return Thief(
        secrets.namespace, secrets.writer_key, rules_for(view.nodes(), view.charter.classes, secrets.data_class)
    )


async def offer(member: Connection, label: Label, proof: ShareProof, share: Buffer) -> MaillonError | None:
    """What the holder has against the share; None when it took it."""
    question = PutShare(schema.encode(label), schema.encode(proof))
    try:
        await member.ask(Kind.PUT_SHARE, question, Done, deadline_s=20, payload=[share])
    except MaillonError as error:
        return error
    return None


async def test_a_holder_takes_no_share_that_is_not_what_its_label_says(six_nodes: Town) -> None:
    thief = await thief_of(six_nodes)
    encoded, other = thief.block(1), thief.block(2)
    placing = thief.placing(encoded)
    holder = identity_of(six_nodes.dir(HOLDER)).node
    index = placing.index(holder)
    share, proof = bytes(encoded.shares[index]), encoded.proofs[index]
    label = sign_label(thief.writer, encoded.header, placing, Stamp(1, 1), 0)
    forged_root = replace(encoded.header, root=other.header.root)
    elsewhere = placing[1:] + placing[:1]
    nobody = tuple(NodeId(bytes([number]) * 32) for number in range(1, 7))
    stranger = SigningKey.from_seed(b"?" * 32)

    def signed(header: object = encoded.header, placed: tuple[NodeId, ...] = placing) -> Label:
        return sign_label(thief.writer, header, placed, Stamp(1, 1), 0)  # type: ignore[arg-type]

    async with visiting(six_nodes.node(HOLDER).address, identity_of(six_nodes.dir(LIAR))) as member:
        for expected, offered in {
            "share-leaf": (label, proof, share[:-1] + bytes([share[-1] ^ 1])),
            "share-size": (label, proof, share[:-1]),
            "proof-root": (signed(forged_root), proof, share),
            "signature": (replace(label, keep_until_s=7), proof, share),
            "label-writer": (sign_label(stranger, encoded.header, placing, Stamp(1, 1), 0), proof, share),
            "placing-elsewhere": (signed(placed=elsewhere), proof, share),
            "placing-unlawful": (
                signed(placed=tuple(n if n == holder else o for n, o in zip(placing, nobody, strict=True))),
                proof,
                share,
            ),
        }.items():
            error = await offer(member, *offered)
            assert error is not None, expected
            assert error.identifier == expected
            assert isinstance(error, Forged | Refused)
        held = await member.ask(Kind.HAS_SHARES, HasShares((encoded.header.block_id,)), HasSharesReply, deadline_s=20)
        assert held.message.held == (0,)
        assert await offer(member, label, proof, share) is None
        held = await member.ask(Kind.HAS_SHARES, HasShares((encoded.header.block_id,)), HasSharesReply, deadline_s=20)
        assert held.message.held == (1 << index,)
        await member.ask(Kind.PING, Ping(()), Ping, deadline_s=20)


async def test_a_member_that_announces_a_share_and_sends_nothing_holds_nobody_up(six_nodes: Town) -> None:
    thief = await thief_of(six_nodes)
    encoded = thief.block(3)
    placing = thief.placing(encoded)
    index = placing.index(identity_of(six_nodes.dir(HOLDER)).node)
    label = sign_label(thief.writer, encoded.header, placing, Stamp(1, 1), 0)
    question = PutShare(schema.encode(label), schema.encode(encoded.proofs[index]))
    data = some_bytes(4, 600_000)
    async with visiting(six_nodes.node(HOLDER).address, identity_of(six_nodes.dir(LIAR))) as member:

        async def announce() -> None:
            size_bytes = len(encoded.shares[index])
            async with member.open(Kind.PUT_SHARE, question, payload_bytes=size_bytes) as exchange:
                await exchange.send([encoded.shares[index][:1_000]])
                await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(announce)
            await member.ask(Kind.PING, Ping(()), Ping, deadline_s=20)
            await six_nodes.put("held-up", data)
            (block,) = await six_nodes.blocks("held-up")
            assert [share.name for share in block.shares if not share.present] == []
            nursery.cancel_scope.cancel()
    assert await six_nodes.get("held-up") == data
