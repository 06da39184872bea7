"""What one node may ask of another: the numbers and bytes, which never change."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import passing, requests
from protocol.errors import MaillonError
from protocol.ids import BlockId, Digest, NamespaceId, NodeId, PublicKey
from protocol.namespace.inventories import Part
from protocol.namespace.root import WriterCertificate
from protocol.requests import Kind
from protocol.succession import requests as succession_requests
from protocol.succession.ballot import Ballot
from protocol.wire import schema
from tests.support.vectors import load_vectors

HELD = succession_requests.HeldEpoch(epoch=2, length=1, head=Digest(b"\x06" * 32), is_ended=True, is_copy=False)
FIELD = passing.HttpField(name=b"host", value=b"s3.example")
VOUCHER = passing.Voucher(
    namespace=NamespaceId(b"\x05" * 32), access_key="KEY", is_read_only=False, bucket="box", signing_key=b"\x09" * 32
)
SAMPLES: tuple[Any, ...] = (
    requests.Done(),
    requests.Ping(updates=(b"", b"update")),
    requests.PingVia(target=NodeId(b"\x01" * 32)),
    requests.PingViaReply(answered=True),
    requests.PushRecords(records=(b"record",)),
    requests.Reconcile(message=b"round"),
    requests.FetchRecords(ids=(Digest(b"\x02" * 32),)),
    requests.Join(invitation=b"invitation", records=(b"record",)),
    requests.BulkOpen(),
    requests.BulkOffer(address="[::1]:4001", token=b"\x03" * 32),
    requests.PutShare(label=b"label", proof=b"proof"),
    requests.GetShare(block=BlockId(b"\x04" * 32), index=31, first_leaf=63, leaf_count=0),
    requests.ShareReply(label=b"label", proof=b"proof"),
    requests.GetLabel(block=BlockId(b"\x04" * 32)),
    requests.PutShares(shares=(requests.PutShare(label=b"label", proof=b"proof"),)),
    requests.PutSharesReply(outcomes=(b"", b"failure")),
    requests.GetShares(shares=(requests.GetShare(block=BlockId(b"\x04" * 32), index=1, first_leaf=0, leaf_count=0),)),
    requests.FoundShare(reply=None, size_bytes=0, failure=b"failure"),
    requests.GetSharesReply(
        found=(requests.FoundShare(reply=requests.ShareReply(b"label", b"proof"), size_bytes=65_536, failure=b""),)
    ),
    requests.HasShares(blocks=(BlockId(b"\x04" * 32),)),
    requests.HasSharesReply(held=(0, 2**32 - 1)),
    requests.ReleaseShares(release=b"release"),
    requests.ReleaseReply(kept_until_s=(0, 1_800_000_000)),
    requests.CompareBlocks(
        namespace=NamespaceId(b"\x05" * 32), epoch=3, part=Part(bits=2, number=1), message=b"question"
    ),
    requests.CompareBlocksReply(message=b"answers"),
    requests.ReleaseStrays(release=b"release"),
    requests.JournalOpen(opening=b"opening", succession=b""),
    requests.JournalAppend(
        namespace=NamespaceId(b"\x05" * 32),
        epoch=1,
        first=0,
        sizes_bytes=(1, 1_048_576),
        under=Ballot(generation=1, counter=2, writer=PublicKey(b"\x07" * 32), draw=3),
    ),
    requests.JournalTail(namespace=NamespaceId(b"\x05" * 32), epoch=1),
    requests.JournalTailReply(epoch=1, length=2, head=Digest(b"\x06" * 32), is_fenced=True),
    requests.JournalRead(namespace=NamespaceId(b"\x05" * 32), epoch=1, first=2, size_bytes_max=4_194_304),
    requests.JournalReadReply(opening=b"opening", succession=b"succession", sizes_bytes=(17,)),
    requests.NamespaceShow(
        WriterCertificate(
            namespace=NamespaceId(b"\x05" * 32),
            writer=PublicKey(b"\x07" * 32),
            node=NodeId(b"\x01" * 32),
            generation=2,
            from_epoch=3,
            signature=b"\x08" * 64,
        )
    ),
    succession_requests.JournalPrepare(opening=b"opening"),
    succession_requests.SuccessionPromise(candidacy=b"candidacy"),
    succession_requests.PromiseReply(length=2, head=Digest(b"\x06" * 32), accepted=b"proposal"),
    succession_requests.SuccessionAccept(proposal=b"proposal"),
    succession_requests.AcceptReply(signature=b"\x08" * 64),
    succession_requests.SuccessionLearn(succession=b"succession"),
    succession_requests.JournalCopy(opening=b"opening", succession=b"", first=3, sizes_bytes=(17,)),
    succession_requests.SuccessionAsk(namespace=NamespaceId(b"\x05" * 32), epoch_least=2),
    HELD,
    succession_requests.SuccessionAskReply(epochs=(HELD,), newest=b"succession", opening=b""),
    succession_requests.ReleaseJournals(release=b"release"),
    passing.GatewayFind(access_key="KEY", bucket=""),
    passing.GatewayFound(is_here=True),
    FIELD,
    VOUCHER,
    passing.GatewayPass(
        method="PUT",
        path=b"/b/a%20b",
        query=b"x-id=PutObject",
        is_secure=True,
        client="192.0.2.1",
        fields=(FIELD,),
        voucher=VOUCHER,
    ),
    passing.GatewayAnswer(status=200, fields=(FIELD,)),
)
PARTS = {succession_requests.HeldEpoch, passing.HttpField, passing.Voucher}  # stand inside others only
KINDS = tuple(type(sample) for sample in SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_vectors(sample: Any) -> None:
    raw = bytes.fromhex(load_vectors("requests")["messages"][type(sample).__name__])
    assert schema.encode(sample) == raw
    assert schema.decode(type(sample), raw) == sample


def test_every_message_has_a_version_and_a_vector() -> None:
    messages = {
        value
        for module in (requests, succession_requests, passing)
        for value in vars(module).values()
        if inspect.isclass(value) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
    }
    assert messages == set(KINDS)
    assert all(message.WIRE_VERSION >= 1 for message in KINDS if message not in PARTS)


def test_kinds_keep_their_numbers() -> None:
    assert {kind.name: kind.value for kind in Kind} == load_vectors("requests")["kinds"]


@given(st.sampled_from(KINDS), st.binary(max_size=100))
def test_random_bytes_raise_only_our_errors(kind: Any, raw: bytes) -> None:
    try:
        message = schema.decode(kind, raw)
    except MaillonError:
        return
    assert schema.encode(message) == raw


@given(st.sampled_from(SAMPLES), st.data())
def test_changed_bytes_are_refused_or_mean_something_else(sample: Any, data: st.DataObject) -> None:
    raw = bytearray(schema.encode(sample))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        again = schema.decode(type(sample), raw)
    except MaillonError:
        return
    assert again != sample
    assert schema.encode(again) == raw
