"""Frames: what a connection is made of.

A frame is a header of 16 bytes and a payload of at most 256 KiB, or 4 MiB of DATA. The header says how long the
payload is before a byte of it is read, so a reader can refuse it unread, or have it written straight to where it
belongs. Frames of many exchanges alternate on one connection; an exchange is one question with its answer, and either
end may ask.

    offset  size  field
    0       1     0x4D
    1       1     version of this format: 1
    2       1     type
    3       1     flags, 0
    4       8     exchange, big-endian; odd when the end that dialled asked, even when the other did, 0 for none
    12      4     size of the payload in bytes, big-endian

Each type bounds its payload and says whether it belongs to an exchange; both are checked here, so that whoever
reads a `Header` need not check them again.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from protocol.errors import Malformed, OverLimit
from protocol.limits import DATA_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX, KIB

FRAMES_VERSION = 1
MAGIC = 0x4D
HEADER_BYTES = 16
EXCHANGE_MAX = 2**63 - 1
PING_BYTES = 8
WINDOW_BYTES = 4
WINDOW_MAX = 2**31

_HEADER = struct.Struct(">BBBBQI")
_WINDOW = struct.Struct(">I")


class FrameType(enum.IntEnum):
    """Numbers on the wire."""

    HELLO = 1
    PROOF = 2
    REQUEST = 3
    REPLY = 4
    FAILURE = 5
    DATA = 6
    END = 7
    WINDOW = 8
    CANCEL = 9
    PING = 10
    PONG = 11
    GOODBYE = 12


_TYPES: dict[int, FrameType] = {int(member): member for member in FrameType}


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a type allows: payload bounds in bytes, and whether it may, must or must not name an exchange."""

    least: int
    most: int
    exchange: bool | None


_SHAPES: dict[int, _Shape] = {
    FrameType.HELLO: _Shape(1, 4 * KIB, exchange=False),
    FrameType.PROOF: _Shape(1, 4 * KIB, exchange=False),
    FrameType.REQUEST: _Shape(1, FRAME_PAYLOAD_BYTES_MAX, exchange=True),
    FrameType.REPLY: _Shape(1, FRAME_PAYLOAD_BYTES_MAX, exchange=True),
    FrameType.FAILURE: _Shape(1, 16 * KIB, exchange=None),
    FrameType.DATA: _Shape(1, DATA_BYTES_MAX, exchange=True),
    FrameType.END: _Shape(0, 0, exchange=True),
    FrameType.WINDOW: _Shape(WINDOW_BYTES, WINDOW_BYTES, exchange=True),
    FrameType.CANCEL: _Shape(0, 0, exchange=True),
    FrameType.PING: _Shape(PING_BYTES, PING_BYTES, exchange=False),
    FrameType.PONG: _Shape(PING_BYTES, PING_BYTES, exchange=False),
    FrameType.GOODBYE: _Shape(0, 0, exchange=False),
}


@dataclass(frozen=True, slots=True)
class Header:
    """A header that broke no rule. `exchange` is 0 when the frame speaks for the whole connection."""

    type: FrameType
    exchange: int
    payload_bytes: int


def pack_header(frame_type: FrameType, exchange: int, payload_bytes: int) -> bytes:
    """The 16 bytes of a header. Raises what `parse_header` would raise at the other end."""
    _check(frame_type, exchange, payload_bytes)
    return _HEADER.pack(MAGIC, FRAMES_VERSION, frame_type, 0, exchange, payload_bytes)


def parse_header(raw: bytes | bytearray | memoryview) -> Header:
    """The header in exactly 16 bytes.

    Raises:
        Malformed: `frame-magic`, `frame-version`, `frame-type`, `frame-flags`, `frame-exchange` or `frame-size`.
        OverLimit: `frame-size` for a payload longer than its type allows.
    """
    magic, version, number, flags, exchange, payload_bytes = _HEADER.unpack(raw)
    if magic != MAGIC:
        raise Malformed("frame-magic", found=magic)
    if version != FRAMES_VERSION:
        raise Malformed("frame-version", version=version)
    frame_type = _TYPES.get(number)
    if frame_type is None:
        raise Malformed("frame-type", type=number)
    if flags != 0:
        raise Malformed("frame-flags", flags=flags)
    _check(frame_type, exchange, payload_bytes)
    return Header(frame_type, exchange, payload_bytes)


def pack_window(credit_bytes: int) -> bytes:
    """The payload of a WINDOW frame: this many bytes more may be sent."""
    if not 0 < credit_bytes <= WINDOW_MAX:
        raise Malformed("frame-window", credit_bytes=credit_bytes)
    return _WINDOW.pack(credit_bytes)


def parse_window(payload: bytes) -> int:
    """The credit in a WINDOW frame. Raises Malformed(`frame-window`)."""
    credit_bytes: int = _WINDOW.unpack(payload)[0]
    if not 0 < credit_bytes <= WINDOW_MAX:
        raise Malformed("frame-window", credit_bytes=credit_bytes)
    return credit_bytes


def _check(frame_type: FrameType, exchange: int, payload_bytes: int) -> None:
    shape = _SHAPES[frame_type]
    named = exchange != 0
    if exchange > EXCHANGE_MAX or (shape.exchange is not None and named != shape.exchange):
        raise Malformed("frame-exchange", type=frame_type.name, exchange=exchange)
    if payload_bytes > shape.most:
        raise OverLimit("frame-size", type=frame_type.name, size_bytes=payload_bytes, limit_bytes=shape.most)
    if payload_bytes < shape.least:
        raise Malformed("frame-size", type=frame_type.name, size_bytes=payload_bytes)
