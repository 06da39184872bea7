"""The messages inside frames: who speaks, what is asked, what came of it.

An envelope wraps the question or answer of a request kind (`protocol.requests`) as opaque bytes: the connection
carries them, the handler decodes them. Payload bytes never stand here; the envelope only says how many follow in
DATA frames, `None` meaning "until END". Requests and replies have a head of fixed size in front of the message,
because every share that moves pays for them; all else is a message of `protocol.wire.schema`.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol.errors import Malformed, OverLimit
from protocol.ids import FederationId, NodeId
from protocol.limits import CALL_BYTES_MAX, EXCHANGE_WINDOW_BYTES, KIB
from protocol.wire import schema
from protocol.wire.frames import WINDOW_MAX
from protocol.wire.schema import Length, Range, Signature

# The head of a request or reply fits in what is left of a frame.
CALL_MESSAGE_BYTES_MAX = CALL_BYTES_MAX - KIB
NONCE_BYTES = 32
HEADS_VERSION = 1
PAYLOAD_BYTES_MAX = 2**63 - 1

# version, carriage, kind, answer window, payload size + 1 (0: streamed)
_REQUEST = struct.Struct(">BBHIQ")
# version, carriage, payload size + 1
_REPLY = struct.Struct(">BBQ")


class Role(enum.IntEnum):
    """As whom the dialling end comes. The end that answers is always a node."""

    NODE = 1
    JOINER = 2
    ADMIN = 3
    NAMESPACE = 4


class Carriage(enum.IntEnum):
    """Where an exchange's payload travels: inside TLS, or on the plain stream for bytes that are sealed already."""

    SECURE = 0
    SEALED = 1


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of each end. An ADMIN has neither federation nor key."""

    WIRE_VERSION: ClassVar[int] = 1
    role: Role
    protocol_from: Annotated[int, Range(1, 65_535)]
    protocol_to: Annotated[int, Range(1, 65_535)]
    federation: FederationId | None
    node: NodeId | None
    nonce: Annotated[bytes, Length(NONCE_BYTES, NONCE_BYTES)]


@dataclass(frozen=True, slots=True)
class Statement:
    """What each end signs: both hellos as they were sent, and the certificate that this end saw."""

    WIRE_VERSION: ClassVar[int] = 1
    dialler_hello: bytes
    acceptor_hello: bytes
    binding: Annotated[bytes, Length(0, 32)]


@dataclass(frozen=True, slots=True)
class Proof:
    """The signature over a `Statement`."""

    WIRE_VERSION: ClassVar[int] = 1
    signature: Signature


@dataclass(frozen=True, slots=True)
class BulkHello:
    """The first frame on a plain stream: the token that was given inside TLS."""

    WIRE_VERSION: ClassVar[int] = 1
    token: Annotated[bytes, Length(32, 32)]


@dataclass(frozen=True, slots=True)
class Request:
    """A question. The asker may at once send EXCHANGE_WINDOW_BYTES of its payload; the other end may send
    `answer_window_bytes` of the answer's."""

    kind: int
    payload_bytes: int | None
    answer_window_bytes: int
    carriage: Carriage
    message: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    payload_bytes: int | None
    carriage: Carriage
    message: bytes


@dataclass(frozen=True, slots=True)
class FailureParameter:
    """One parameter of an error; exactly one of the four is set."""

    name: Annotated[str, Length(1, 64)]
    text: Annotated[str, Length(0, 512)] | None
    number: Annotated[int, Range(-(2**63), 2**63 - 1)] | None
    raw: Annotated[bytes, Length(0, 256)] | None
    names: Annotated[tuple[Annotated[str, Length(0, 128)], ...], Length(0, 32)] | None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error with a name (`protocol.errors`), in place of an answer, or of what remained of one."""

    WIRE_VERSION: ClassVar[int] = 1
    family: Annotated[str, Length(1, 32)]
    identifier: Annotated[str, Length(1, 64)]
    parameters: Annotated[tuple[FailureParameter, ...], Length(0, 16)]


def encode_call(message: object) -> bytes:
    """A question or answer, ready for its envelope. Raises OverLimit(`message-size`)."""
    encoded = schema.encode(message)
    if len(encoded) > CALL_MESSAGE_BYTES_MAX:
        raise OverLimit("message-size", size_bytes=len(encoded), limit_bytes=CALL_MESSAGE_BYTES_MAX)
    return encoded


def pack_request(request: Request) -> bytes:
    """The payload of a REQUEST frame. Raises what `parse_request` would raise at the other end."""
    if not EXCHANGE_WINDOW_BYTES <= request.answer_window_bytes <= WINDOW_MAX:
        raise Malformed("request-head", field="answer_window_bytes")
    size = _packed_size(request.payload_bytes)
    head = _REQUEST.pack(HEADS_VERSION, request.carriage, request.kind, request.answer_window_bytes, size)
    return head + request.message


def parse_request(payload: bytes) -> Request:
    """The request in a REQUEST frame.

    Raises:
        Malformed: `request-head`. OverLimit: `message-size`.
    """
    if len(payload) <= _REQUEST.size:
        raise Malformed("request-head", field="message")
    version, carriage, kind, window_bytes, size = _REQUEST.unpack_from(payload)
    if version != HEADS_VERSION:
        raise Malformed("request-head", field="version")
    if not EXCHANGE_WINDOW_BYTES <= window_bytes <= WINDOW_MAX:
        raise Malformed("request-head", field="answer_window_bytes")
    message = _message(payload[_REQUEST.size :])
    return Request(kind, _parsed_size(size), window_bytes, _carriage(carriage), message)


def pack_reply(reply: Reply) -> bytes:
    """The payload of a REPLY frame."""
    return _REPLY.pack(HEADS_VERSION, reply.carriage, _packed_size(reply.payload_bytes)) + reply.message


def parse_reply(payload: bytes) -> Reply:
    """The reply in a REPLY frame.

    Raises:
        Malformed: `request-head`. OverLimit: `message-size`.
    """
    if len(payload) <= _REPLY.size:
        raise Malformed("request-head", field="message")
    version, carriage, size = _REPLY.unpack_from(payload)
    if version != HEADS_VERSION:
        raise Malformed("request-head", field="version")
    return Reply(_parsed_size(size), _carriage(carriage), _message(payload[_REPLY.size :]))


def _message(message: bytes) -> bytes:
    if len(message) > CALL_MESSAGE_BYTES_MAX:
        raise OverLimit("message-size", size_bytes=len(message), limit_bytes=CALL_MESSAGE_BYTES_MAX)
    return message


def _carriage(number: int) -> Carriage:
    try:
        return Carriage(number)
    except ValueError as error:
        raise Malformed("request-head", field="carriage") from error


def _packed_size(payload_bytes: int | None) -> int:
    if payload_bytes is None:
        return 0
    if not 0 <= payload_bytes <= PAYLOAD_BYTES_MAX:
        raise Malformed("request-head", field="payload_bytes")
    return payload_bytes + 1


def _parsed_size(size: int) -> int | None:
    if size > PAYLOAD_BYTES_MAX + 1:
        raise Malformed("request-head", field="payload_bytes")
    return size - 1 if size else None
