"""Canonical, bounded msgpack: one value, one sequence of bytes.

Signatures and hashes are taken over these bytes, so each value has exactly one encoding: shortest integers and
lengths, map keys that are text in strictly rising byte order, no floats, no extensions, valid UTF-8. `decode`
first walks all but short bytes without building anything, so that depth, counts and form are known to be good before
msgpack spends memory on them; then msgpack builds the value.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

from typing import TypeAlias

import msgpack

from protocol.errors import Malformed, OverLimit
from protocol.limits import KIB, MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX, MESSAGE_ITEMS_MAX

Value: TypeAlias = "bool | int | bytes | str | tuple[Value, ...] | list[Value] | dict[str, Value] | None"

# What is built before it is walked: at most so many bytes, and so many items in any array.
_SMALL_BYTES = 4 * KIB
_SMALL_ITEMS = 64
# Packers are dear to make. They keep nothing but a buffer from one call to the next.
_PACKER = msgpack.Packer(use_bin_type=True, strict_types=True)
_ECHO = msgpack.Packer(use_bin_type=True)
_PLAIN = frozenset({type(None), bool, int, bytes, str})
# First byte → (width of the number that follows, smallest value for which this form is the shortest).
_STRINGS = {0xD9: (1, 32), 0xDA: (2, 1 << 8), 0xDB: (4, 1 << 16)}
_BINARIES = {0xC4: (1, 0), 0xC5: (2, 1 << 8), 0xC6: (4, 1 << 16)}
_ARRAYS = {0xDC: (2, 16), 0xDD: (4, 1 << 16)}
_MAPS = {0xDE: (2, 16), 0xDF: (4, 1 << 16)}
_UNSIGNED = {0xCC: (1, 128), 0xCD: (2, 1 << 8), 0xCE: (4, 1 << 16), 0xCF: (8, 1 << 32)}
_SIGNED = {0xD0: (1, -32), 0xD1: (2, -(1 << 7)), 0xD2: (4, -(1 << 15)), 0xD3: (8, -(1 << 31))}


def encode(value: Value) -> bytes:
    """The one encoding of `value`.

    Raises:
        Malformed: `message-type` for a value that has no canonical form (floats, integers over 64 bits, text that
            is not Unicode).
        OverLimit: `message-depth`.
    """
    try:
        return bytes(_PACKER.pack(_sorted(value, depth=0)))
    except OverflowError as error:
        raise Malformed("message-type", type="int over 64 bits") from error
    except UnicodeEncodeError as error:
        raise Malformed("message-type", type="str with surrogates") from error


def encode_plain(value: Value) -> bytes:
    """As `encode`, for a value without maps. Lists of plain values, as it mostly is, are encoded at once."""
    try:
        return bytes(_PACKER.pack(value))
    except (TypeError, ValueError, OverflowError):
        return encode(value)


def decode(data: bytes | bytearray | memoryview, *, size_bytes_max: int = MESSAGE_BYTES_MAX) -> Value:
    """The value of canonical bytes; arrays come back as tuples.

    Raises:
        OverLimit: `message-size`, `message-depth` or `message-items`.
        Malformed: `message-form` with the offset of a byte that breaks the form.
    """
    if len(data) > size_bytes_max:
        raise OverLimit("message-size", size_bytes=len(data), limit_bytes=size_bytes_max)
    raw = bytes(data)
    if len(raw) <= _SMALL_BYTES and (built := _build_small(raw)):
        return built[0]
    _Scanner(raw).scan()
    return build(raw)


def build(raw: bytes) -> Value:
    """The value of bytes that this program encoded itself and whose sum was checked: nothing is judged but that they
    can be built. Raises Malformed(`message-form`)."""
    try:
        value: Value = msgpack.unpackb(raw, raw=False, use_list=False, strict_map_key=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise Malformed("message-form", offset=0) from error
    return value


def _build_small(raw: bytes) -> tuple[()] | tuple[Value]:
    """The value, if it is canonical, has no map and no long array; otherwise nothing, and the walk judges.

    Most messages are a few hundred bytes and canonical. For those it is quicker to build the value at once, as so few
    bytes cannot make it large, and to see whether it is encoded to the same bytes again.
    """
    try:
        value: Value = msgpack.unpackb(raw, raw=False, use_list=False, max_array_len=_SMALL_ITEMS, max_map_len=0)
    except (ValueError, msgpack.UnpackException):
        return ()
    if not _is_plain(value, depth=0) or _ECHO.pack(value) != raw:
        return ()
    return (value,)


def _is_plain(value: Value, *, depth: int) -> bool:
    if type(value) is not tuple:
        return type(value) in _PLAIN
    if depth >= MESSAGE_DEPTH_MAX:
        return False
    if _PLAIN.issuperset(map(type, value)):
        return True
    deeper = [item for item in value if type(item) not in _PLAIN]
    return all(_is_plain(item, depth=depth + 1) for item in deeper)


def _sorted(value: Value, *, depth: int) -> Value:
    if type(value) in _PLAIN:
        return value
    if depth >= MESSAGE_DEPTH_MAX and value:
        raise OverLimit("message-depth", limit=MESSAGE_DEPTH_MAX)
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            raise Malformed("message-type", type="map key")
        return {key: _sorted(value[key], depth=depth + 1) for key in sorted(value, key=str.encode)}
    if isinstance(value, tuple | list):
        return [item if type(item) in _PLAIN else _sorted(item, depth=depth + 1) for item in value]
    raise Malformed("message-type", type=type(value).__name__)


class _Scanner:
    """Walks msgpack without building it.

    Every message passes here, so the commonest forms are told apart first and nothing is copied. An offset may
    run past the end: the next look at a byte there (IndexError), or the end of the walk, finds that out.
    """

    __slots__ = ("items", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.items = 0

    def scan(self) -> None:
        try:
            end = self._values(0, 1, depth=0)
        except IndexError as error:
            raise Malformed("message-form", offset=len(self.raw)) from error
        if end != len(self.raw):
            raise Malformed("message-form", offset=min(end, len(self.raw)))

    def _values(self, offset: int, count: int, *, depth: int) -> int:
        """Skip `count` values from `offset` on; the offset behind them."""
        raw = self.raw
        self._fits(offset, count)
        if depth > MESSAGE_DEPTH_MAX and count:
            raise OverLimit("message-depth", limit=MESSAGE_DEPTH_MAX)
        self.items += count
        if self.items > MESSAGE_ITEMS_MAX:
            raise OverLimit("message-items", limit=MESSAGE_ITEMS_MAX)
        for _ in range(count):
            first = raw[offset]
            if first < 0x80 or first >= 0xE0 or first in (0xC0, 0xC2, 0xC3):
                offset += 1
            elif first == 0xC4:
                offset += 2 + raw[offset + 1]
            else:
                offset = self._value(first, offset + 1, depth)
        return offset

    def _value(self, first: int, offset: int, depth: int) -> int:
        if first < 0x90:
            return self._map(offset, first & 0x0F, depth=depth + 1)
        if first < 0xA0:
            return self._values(offset, first & 0x0F, depth=depth + 1)
        if first < 0xC0 or first in _STRINGS:
            return self._text(first, offset)
        if first in _UNSIGNED:
            return self._number(offset, *_UNSIGNED[first])[1]
        if first in _BINARIES:
            size, offset = self._number(offset, *_BINARIES[first])
            return offset + size
        if first in _ARRAYS:
            count, offset = self._number(offset, *_ARRAYS[first])
            return self._values(offset, count, depth=depth + 1)
        if first in _MAPS:
            count, offset = self._number(offset, *_MAPS[first])
            return self._map(offset, count, depth=depth + 1)
        if first in _SIGNED:
            return self._negative(offset, *_SIGNED[first])
        raise Malformed("message-form", offset=offset - 1)

    def _map(self, offset: int, count: int, *, depth: int) -> int:
        self._fits(offset, 2 * count)
        previous: bytes | None = None
        for _ in range(count):
            start = offset
            first = self.raw[offset]
            if not (0xA0 <= first < 0xC0 or first in _STRINGS):
                raise Malformed("message-form", offset=offset)
            offset = self._text(first, offset + 1)
            key = self.raw[start + _head_bytes(first) : offset]
            if previous is not None and key <= previous:
                raise Malformed("message-form", offset=start)
            previous = key
            offset = self._values(offset, 1, depth=depth)
        return offset

    def _fits(self, offset: int, count: int) -> None:
        # Each item takes at least a byte: a count beyond what is left is a lie, refused before any loop.
        if count > len(self.raw) - offset:
            raise Malformed("message-form", offset=min(offset, len(self.raw)))

    def _text(self, first: int, offset: int) -> int:
        if first < 0xC0:
            size = first & 0x1F
        else:
            size, offset = self._number(offset, *_STRINGS[first])
        end = offset + size
        try:
            self.raw[offset:end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("message-form", offset=offset + error.start) from error
        return end

    def _number(self, offset: int, width: int, at_least: int) -> tuple[int, int]:
        """The unsigned number at `offset`, and the offset behind it."""
        end = offset + width
        number = int.from_bytes(self.raw[offset:end], "big")
        if number < at_least or end > len(self.raw):
            raise Malformed("message-form", offset=offset)
        return number, end

    def _negative(self, offset: int, width: int, below: int) -> int:
        end = offset + width
        if int.from_bytes(self.raw[offset:end], "big", signed=True) >= below:
            raise Malformed("message-form", offset=offset)
        return end


def _head_bytes(first: int) -> int:
    return 1 if first < 0xC0 else 1 + _STRINGS[first][0]
