"""Headers of frames: one form, checked both ways, every field bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import limits
from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.wire import schema
from protocol.wire.envelopes import (
    CALL_MESSAGE_BYTES_MAX,
    BulkHello,
    Carriage,
    Failure,
    FailureParameter,
    Hello,
    Proof,
    Reply,
    Request,
    Role,
    Statement,
    encode_call,
    pack_reply,
    pack_request,
    parse_reply,
    parse_request,
)
from protocol.wire.frames import (
    HEADER_BYTES,
    FrameType,
    Header,
    pack_header,
    pack_window,
    parse_header,
    parse_window,
)
from protocol.wire.schema import Length
from tests.support.vectors import load_vectors

VECTORS = load_vectors("frames")


@dataclass(frozen=True, slots=True)
class Large:
    """More than a call may carry."""

    data: Annotated[bytes, Length(0, limits.MESSAGE_BYTES_MAX)]


ENVELOPES = {
    "hello": Hello(Role.NODE, 1, 1, b"F" * 32, b"N" * 32, b"n" * 32),
    "hello-admin": Hello(Role.ADMIN, 1, 3, None, None, b"n" * 32),
    "statement": Statement(b"dialler", b"acceptor", b"B" * 32),
    "proof": Proof(b"S" * 64),
    "bulk-hello": BulkHello(b"T" * 32),
    "failure": Failure(
        "refused",
        "invitation-used",
        (
            FailureParameter("organisation", "Café", None, None, None),
            FailureParameter("at_s", None, -7, None, None),
            FailureParameter("node", None, None, b"\x01\x02", None),
            FailureParameter("holders", None, None, None, ("a", "b")),
        ),
    ),
}


REQUESTS = {
    "request": Request(16, 1_048_576, 1_048_576, Carriage.SEALED, b"question"),
    "request-streamed": Request(64, None, 2_097_152, Carriage.SECURE, b"question"),
}
REPLIES = {
    "reply": Reply(0, Carriage.SECURE, b"answer"),
    "reply-streamed": Reply(None, Carriage.SEALED, b"answer"),
}


@pytest.mark.parametrize("vector", VECTORS["headers"], ids=lambda vector: vector["name"])
def test_headers_have_these_bytes(vector: dict[str, object]) -> None:
    header = Header(FrameType[str(vector["type"])], int(str(vector["exchange"])), int(str(vector["payload_bytes"])))
    raw = bytes.fromhex(str(vector["hex"]))
    assert pack_header(header.type, header.exchange, header.payload_bytes) == raw
    assert parse_header(raw) == header


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_these_headers_are_refused_by_name(vector: dict[str, str]) -> None:
    with pytest.raises(MaillonError) as caught:
        parse_header(bytes.fromhex(vector["hex"]))
    assert caught.value.identifier == vector["identifier"]
    assert caught.value.blame == vector["family"]


@pytest.mark.parametrize("name", sorted(ENVELOPES))
def test_envelopes_have_these_bytes(name: str) -> None:
    raw = bytes.fromhex(VECTORS["envelopes"][name])
    assert schema.encode(ENVELOPES[name]) == raw
    assert schema.decode(type(ENVELOPES[name]), raw) == ENVELOPES[name]


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_requests_have_these_bytes(name: str) -> None:
    raw = bytes.fromhex(VECTORS["requests"][name])
    assert pack_request(REQUESTS[name]) == raw
    assert parse_request(raw) == REQUESTS[name]


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_replies_have_these_bytes(name: str) -> None:
    raw = bytes.fromhex(VECTORS["replies"][name])
    assert pack_reply(REPLIES[name]) == raw
    assert parse_reply(raw) == REPLIES[name]


@pytest.mark.parametrize("vector", VECTORS["refused requests"], ids=lambda vector: vector["field"])
def test_these_requests_are_refused_by_name(vector: dict[str, str]) -> None:
    with pytest.raises(Malformed, match="request-head") as caught:
        parse_request(bytes.fromhex(vector["hex"]))
    assert caught.value.parameters == {"field": vector["field"]}


@given(st.binary(max_size=64))
def test_requests_and_replies_that_parse_pack_to_the_same_bytes(raw: bytes) -> None:
    for parse, pack in ((parse_request, pack_request), (parse_reply, pack_reply)):
        try:
            parsed = parse(raw)  # type: ignore[operator]
        except (Malformed, OverLimit):
            continue
        assert pack(parsed) == raw  # type: ignore[operator]


def test_every_type_has_a_vector() -> None:
    assert {vector["type"] for vector in VECTORS["headers"]} == {member.name for member in FrameType}
    assert set(VECTORS["envelopes"]) == set(ENVELOPES)


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_what_parses_packs_to_the_same_bytes(raw: bytes) -> None:
    try:
        header = parse_header(raw)
    except (Malformed, OverLimit):
        return
    assert pack_header(header.type, header.exchange, header.payload_bytes) == raw


@given(
    st.sampled_from([FrameType.DATA, FrameType.REQUEST, FrameType.REPLY]),
    st.integers(1, 2**63 - 1),
    st.integers(1, limits.FRAME_PAYLOAD_BYTES_MAX),
)
def test_what_packs_parses_to_the_same_header(frame_type: FrameType, exchange: int, size_bytes: int) -> None:
    assert parse_header(pack_header(frame_type, exchange, size_bytes)) == Header(frame_type, exchange, size_bytes)


@given(st.binary(max_size=300))
def test_no_bytes_make_an_envelope_raise_anything_unnamed(raw: bytes) -> None:
    for kind in {type(envelope) for envelope in ENVELOPES.values()}:
        try:
            decoded = schema.decode(kind, raw)
        except (Malformed, OverLimit):
            continue
        assert schema.encode(decoded) == raw


def test_credit_is_a_positive_number_of_bytes() -> None:
    assert parse_window(pack_window(1)) == 1
    assert parse_window(pack_window(2**31)) == 2**31
    for raw in (bytes(4), b"\xff\xff\xff\xff"):
        with pytest.raises(Malformed, match="frame-window"):
            parse_window(raw)
    with pytest.raises(Malformed, match="frame-window"):
        pack_window(0)


def test_the_largest_message_still_fits_in_a_frame() -> None:
    largest = Request(65_535, 2**63 - 1, 2**31, Carriage.SEALED, b"x" * CALL_MESSAGE_BYTES_MAX)
    assert len(pack_request(largest)) <= limits.FRAME_PAYLOAD_BYTES_MAX


def test_a_message_that_would_not_fit_is_refused() -> None:
    with pytest.raises(OverLimit, match="message-size"):
        encode_call(Large(bytes(CALL_MESSAGE_BYTES_MAX)))
