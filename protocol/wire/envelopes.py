"""The messages inside frames: who speaks, what is asked, what came of it.

An envelope wraps the question or answer of a request kind (`protocol.requests`) as opaque bytes: the connection
carries them, the handler decodes them. Payload bytes never stand here; the envelope only says how many follow in
DATA frames, `None` meaning "until END".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol.errors import OverLimit
from protocol.ids import FederationId, NodeId
from protocol.limits import CALL_BYTES_MAX, EXCHANGE_WINDOW_BYTES, KIB
from protocol.wire import schema
from protocol.wire.frames import WINDOW_MAX
from protocol.wire.schema import Length, Range, Signature

# The envelope around a message fits in what is left of a frame.
CALL_MESSAGE_BYTES_MAX = CALL_BYTES_MAX - KIB
NONCE_BYTES = 32

_Message = Annotated[bytes, Length(1, CALL_MESSAGE_BYTES_MAX)]


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

    WIRE_VERSION: ClassVar[int] = 1
    kind: Annotated[int, Range(0, 65_535)]
    payload_bytes: int | None
    answer_window_bytes: Annotated[int, Range(EXCHANGE_WINDOW_BYTES, WINDOW_MAX)]
    carriage: Carriage
    message: _Message


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    WIRE_VERSION: ClassVar[int] = 1
    payload_bytes: int | None
    carriage: Carriage
    message: _Message


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
