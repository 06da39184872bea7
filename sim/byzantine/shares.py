"""Holders that lie about shares: what they keep, what they kept, and what is in it.

What holds against all of them: nobody is believed. A share is checked against the block's id, which a reader has from
its own journal; what is missing or wrong is taken from others; and a block has more shares than it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from node.host.ports import Buffer
from node.net.connection import Handler
from node.net.exchange import Exchange
from protocol.coding import merkle
from protocol.coding.label import Label, ShareProof
from protocol.errors import Missing
from protocol.namespace.releases import decode_release
from protocol.requests import (
    Done,
    GetLabel,
    GetShare,
    GetShares,
    GetSharesReply,
    HasShares,
    HasSharesReply,
    Kind,
    PutShares,
    PutSharesReply,
    ReleaseReply,
    ReleaseShares,
    ShareReply,
)
from protocol.wire import schema
from sim.byzantine.liar import Liar, Lie, Twist, answering, swallow

# What a share and what travels with it become.
Spoil = Callable[[ShareReply, Buffer], tuple[ShareReply, bytes]]

_NO_FAILURE = b""


def wrong_bytes(liar: Liar) -> Lie:
    """Sends shares in which one bit is another.

    A reader finds that the bytes are not the block's, names the holder, asks others, and asks this one last for a
    while.
    """

    def spoil(reply: ShareReply, share: Buffer) -> tuple[ShareReply, bytes]:
        data = bytearray(share)
        if data:
            data[len(data) // 2] ^= 1
        return reply, bytes(data)

    return _spoiling(liar, "wrong bytes", spoil)


def forged_shares(liar: Liar) -> Lie:
    """Sends bytes of its own with a proof that leads to a root of its own.

    All of it fits together, but the header that has this root is not that of the block that was asked for.
    """

    def forge(reply: ShareReply, share: Buffer) -> tuple[ShareReply, bytes]:
        label, proof = schema.decode(Label, reply.label), schema.decode(ShareProof, reply.proof)
        data = bytes(255 - byte for byte in bytes(share))
        leaves = merkle.leaf_hashes(data)
        root = merkle.root_from_path(merkle.share_root(leaves, len(data)), proof.index, label.header.n, proof.path)
        forged = replace(label, header=replace(label.header, root=root))
        return ShareReply(schema.encode(forged), schema.encode(replace(proof, leaves=leaves))), data

    return _spoiling(liar, "a share of its own", forge)


def withholds_shares(liar: Liar) -> Lie:
    """Says of every share that it is not here.

    To readers it is one more holder that lost a disk.
    """

    async def get(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("that a share is not here")
        one = exchange.decode(GetShare)
        raise Missing("share-missing", block=one.block, index=one.index)

    async def get_several(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("that shares are not here")
        one = exchange.decode(GetShares).shares[0]
        raise Missing("share-missing", block=one.block, index=one.index)

    async def get_label(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("that a label is not here")
        raise Missing("share-missing", block=exchange.decode(GetLabel).block, index=0)

    async def has(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("that shares are not here")
        await exchange.answer(HasSharesReply((0,) * len(exchange.decode(HasShares).blocks)))

    return Lie({Kind.GET_SHARE: get, Kind.GET_SHARES: get_several, Kind.GET_LABEL: get_label, Kind.HAS_SHARES: has})


def forgets_shares(liar: Liar) -> Lie:
    """Says that shares are kept, and keeps none.

    The writer counts it, and so is wrong about the block by one share, which is within the margin. Until holders are
    audited nobody finds out but who reads.
    """

    async def put(exchange: Exchange, _honest: Handler) -> None:
        await swallow(exchange)
        liar.tells("that a share is kept")
        await exchange.answer(Done())

    async def put_several(exchange: Exchange, _honest: Handler) -> None:
        count = len(exchange.decode(PutShares).shares)
        await swallow(exchange)
        liar.tells("that shares are kept", count=count)
        await exchange.answer(PutSharesReply((_NO_FAILURE,) * count))

    return Lie({Kind.PUT_SHARE: put, Kind.PUT_SHARES: put_several})


def keeps_released(liar: Liar) -> Lie:
    """Says that released shares are gone, and keeps them.

    They are sealed, and their key is gone from the journal: it wastes its own disk.
    """

    async def release(exchange: Exchange, _honest: Handler) -> None:
        blocks = decode_release(exchange.decode(ReleaseShares).release).blocks
        liar.tells("that shares are deleted", count=len(blocks))
        await exchange.answer(ReleaseReply((0,) * len(blocks)))

    return Lie({Kind.RELEASE_SHARES: release})


def _spoiling(liar: Liar, told: str, spoil: Spoil) -> Lie:
    """Shares go out as `spoil` makes them, asked for alone or together."""

    def one(message: object, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
        assert isinstance(message, ShareReply)  # noqa: S101 - what the honest handler answers
        liar.tells(told)
        reply, share = spoil(message, b"".join(bytes(part) for part in payload))
        return reply, [share]

    def several(message: object, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
        assert isinstance(message, GetSharesReply)  # noqa: S101 - what the honest handler answers
        whole = b"".join(bytes(part) for part in payload)
        ends = list(accumulate(found.size_bytes for found in message.found))
        shares, answers = [], []
        for found, end in zip(message.found, ends, strict=True):
            if found.reply is None:
                answers.append(found)
                continue
            liar.tells(told)
            reply, share = spoil(found.reply, whole[end - found.size_bytes : end])
            answers.append(replace(found, reply=reply))
            shares.append(share)
        return GetSharesReply(tuple(answers)), shares

    twists: dict[Kind, Twist] = {Kind.GET_SHARE: answering(one), Kind.GET_SHARES: answering(several)}
    return Lie(twists)
