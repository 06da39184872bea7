"""Canonical, bounded msgpack: one value, one sequence of bytes.

Signatures and hashes are taken over these bytes, so each value has exactly one encoding: shortest integers and
lengths, map keys that are text in strictly rising byte order, no floats, no extensions, valid UTF-8. `decode`
first walks the bytes without building anything, so that depth, counts and form are known to be good before
msgpack spends memory on them; then msgpack builds the value.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

from typing import TypeAlias

import msgpack

from protocol.errors import Malformed, OverLimit
from protocol.limits import MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX, MESSAGE_ITEMS_MAX

Value: TypeAlias = "bool | int | bytes | str | tuple[Value, ...] | list[Value] | dict[str, Value] | None"

_INT_MIN = -(2**63)
_INT_MAX = 2**64 - 1
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
        Malformed: `message-type` for a value that has no canonical form (floats, integers over 64 bits).
    """
    return bytes(msgpack.packb(_sorted(value), use_bin_type=True, strict_types=True))


def decode(data: bytes | bytearray | memoryview, *, size_bytes_max: int = MESSAGE_BYTES_MAX) -> Value:
    """The value of canonical bytes; arrays come back as tuples.

    Raises:
        OverLimit: `message-size`, `message-depth` or `message-items`.
        Malformed: `message-form` with the offset of the first byte that breaks the form.
    """
    if len(data) > size_bytes_max:
        raise OverLimit("message-size", size_bytes=len(data), limit_bytes=size_bytes_max)
    raw = bytes(data)
    _Scanner(raw).scan()
    try:
        value: Value = msgpack.unpackb(raw, raw=False, use_list=False, strict_map_key=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise Malformed("message-form", offset=0) from error
    return value


def _sorted(value: Value) -> Value:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise Malformed("message-type", type="map key")
        return {key: _sorted(value[key]) for key in sorted(value, key=str.encode)}
    if isinstance(value, tuple | list):
        return [_sorted(item) for item in value]
    if value is None or isinstance(value, bool | bytes | str):
        return value
    if isinstance(value, int) and _INT_MIN <= value <= _INT_MAX:
        return value
    raise Malformed("message-type", type=type(value).__name__)


class _Scanner:
    """Walks msgpack without building it; `offset` is always the next unread byte."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.offset = 0
        self.items = 0

    def scan(self) -> None:
        self._value(depth=0)
        if self.offset != len(self.raw):
            raise Malformed("message-form", offset=self.offset)

    def _value(self, *, depth: int) -> None:
        if depth > MESSAGE_DEPTH_MAX:
            raise OverLimit("message-depth", limit=MESSAGE_DEPTH_MAX)
        self.items += 1
        if self.items > MESSAGE_ITEMS_MAX:
            raise OverLimit("message-items", limit=MESSAGE_ITEMS_MAX)
        first = self._take(1)[0]
        if first < 0x80 or first >= 0xE0 or first in (0xC0, 0xC2, 0xC3):
            return
        if first < 0x90:
            self._map(first & 0x0F, depth)
        elif first < 0xA0:
            self._array(first & 0x0F, depth)
        elif first < 0xC0:
            self._text(first & 0x1F)
        else:
            self._long_form(first, depth)

    def _long_form(self, first: int, depth: int) -> None:
        if first in _BINARIES:
            self._take(self._number(*_BINARIES[first]))
        elif first in _STRINGS:
            self._text(self._number(*_STRINGS[first]))
        elif first in _ARRAYS:
            self._array(self._number(*_ARRAYS[first]), depth)
        elif first in _MAPS:
            self._map(self._number(*_MAPS[first]), depth)
        elif first in _UNSIGNED:
            self._number(*_UNSIGNED[first])
        elif first in _SIGNED:
            width, below = _SIGNED[first]
            if int.from_bytes(self._take(width), "big", signed=True) >= below:
                raise Malformed("message-form", offset=self.offset - width)
        else:
            raise Malformed("message-form", offset=self.offset - 1)

    def _number(self, width: int, at_least: int) -> int:
        number = int.from_bytes(self._take(width), "big")
        if number < at_least:
            raise Malformed("message-form", offset=self.offset - width)
        return number

    def _take(self, size: int) -> bytes:
        end = self.offset + size
        if end > len(self.raw):
            raise Malformed("message-form", offset=self.offset)
        taken = self.raw[self.offset : end]
        self.offset = end
        return taken

    def _text(self, size: int) -> bytes:
        start = self.offset
        taken = self._take(size)
        try:
            taken.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("message-form", offset=start) from error
        return taken

    def _array(self, count: int, depth: int) -> None:
        self._fits(count)
        for _ in range(count):
            self._value(depth=depth + 1)

    def _map(self, count: int, depth: int) -> None:
        self._fits(2 * count)
        previous: bytes | None = None
        for _ in range(count):
            key = self._key()
            if previous is not None and key <= previous:
                raise Malformed("message-form", offset=self.offset)
            previous = key
            self._value(depth=depth + 1)

    def _key(self) -> bytes:
        first = self._take(1)[0]
        if 0xA0 <= first < 0xC0:
            return self._text(first & 0x1F)
        if first in _STRINGS:
            return self._text(self._number(*_STRINGS[first]))
        raise Malformed("message-form", offset=self.offset - 1)

    def _fits(self, count: int) -> None:
        # Each item takes at least a byte: a count beyond what is left is a lie, refused before any loop.
        if count > len(self.raw) - self.offset:
            raise Malformed("message-form", offset=self.offset)
