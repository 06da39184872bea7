"""A page: sorted rows in the bytes of one block.

A table is a sequence of pages, and each page can be read by itself. A key is written as what it has in common with
the key before it and the rest; lengths stand together, then keys, then values, so that Deflate finds what is alike.
A row without a value is a *tombstone*: it says that the key is gone, to whoever reads older tables too.

    page = Deflate (zlib's form, RFC 1950) of
           0x01 || u32 count || count × u16 common || count × u16 rest || count × u32 value length (2³²−1: none)
           || the rests of the keys || the values
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from protocol import limits
from protocol.errors import Malformed, OverLimit
from protocol.tables.keys import ROW_KEY_BYTES_MAX
from protocol.tables.rows import ROW_VALUE_BYTES_MAX

# Key and value; no value: the key is gone.
TableRow = tuple[bytes, bytes | None]

# Before Deflate. A merge holds one page of each of its tables in memory.
PAGE_BYTES_MAX: Final = 2 * limits.MIB

_FORMAT: Final = 1
_HEAD: Final = struct.Struct(">BI")
_ROW_HEAD_BYTES: Final = 8
_NO_VALUE: Final = 2**32 - 1
_LEVEL: Final = 1


def encode_page(rows: Sequence[TableRow]) -> bytes:
    """The rows as a page. They must be sorted, each key once, and fit (`PageCutter` sees to that)."""
    keys = [key for key, _value in rows]
    common = [_common(before, after) for before, after in pairwise([b"", *keys])]
    rests = [key[shared:] for key, shared in zip(keys, common, strict=True)]
    count = len(rows)
    plain = b"".join(
        (
            _HEAD.pack(_FORMAT, count),
            struct.pack(f">{count}H", *common),
            struct.pack(f">{count}H", *map(len, rests)),
            struct.pack(f">{count}I", *(_NO_VALUE if value is None else len(value) for _key, value in rows)),
            *rests,
            *(value for _key, value in rows if value),
        )
    )
    return zlib.compress(plain, _LEVEL)


def decode_page(page: bytes) -> list[TableRow]:
    """The rows of a page.

    Raises:
        Malformed: `table-page`, with what is wrong.
        OverLimit: `table-page-size`, for more than a page may hold.
    """
    plain = _inflated(page)
    if len(plain) < _HEAD.size or plain[0] != _FORMAT:
        raise Malformed("table-page", what="format")
    count = _HEAD.unpack_from(plain)[1]
    start = _HEAD.size + count * _ROW_HEAD_BYTES
    if start > len(plain):
        raise Malformed("table-page", what="count")
    common = struct.unpack_from(f">{count}H", plain, _HEAD.size)
    rests = struct.unpack_from(f">{count}H", plain, _HEAD.size + 2 * count)
    sizes = struct.unpack_from(f">{count}I", plain, _HEAD.size + 4 * count)
    middle = start + sum(rests)
    if middle + sum(size for size in sizes if size != _NO_VALUE) != len(plain):
        raise Malformed("table-page", what="size")
    keys = _keys(plain, start, common, rests)
    return list(zip(keys, _values(plain, middle, sizes), strict=True))


class PageCutter:
    """Cuts sorted rows into pages, as they come. No page reaches over one of the keys `borders` (sorted)."""

    def __init__(self, borders: Sequence[bytes] = ()) -> None:
        self._borders = deque(borders)
        self._page: list[TableRow] = []
        self._size_bytes = 0

    def add(self, rows: Iterable[TableRow]) -> Iterator[list[TableRow]]:
        """Take more rows; the pages that are full now."""
        for row in rows:
            added_bytes = _ROW_HEAD_BYTES + len(row[0]) + len(row[1] or b"")
            is_border = bool(self._borders) and row[0] >= self._borders[0]
            if is_border or self._size_bytes + added_bytes > PAGE_BYTES_MAX - _HEAD.size:
                yield from self.end()
            while self._borders and row[0] >= self._borders[0]:
                self._borders.popleft()
            self._page.append(row)
            self._size_bytes += added_bytes

    def end(self) -> Iterator[list[TableRow]]:
        """The last page, unless it would be empty."""
        page, self._page, self._size_bytes = self._page, [], 0
        if page:
            yield page


def _inflated(page: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(page, PAGE_BYTES_MAX + 1)
    except zlib.error as error:
        raise Malformed("table-page", what="deflate") from error
    if len(plain) > PAGE_BYTES_MAX:
        raise OverLimit("table-page-size", limit_bytes=PAGE_BYTES_MAX)
    if not inflater.eof or inflater.unused_data:
        raise Malformed("table-page", what="deflate")
    return plain


def _keys(plain: bytes, start: int, common: Sequence[int], rests: Sequence[int]) -> list[bytes]:
    keys: list[bytes] = []
    before = b""
    for shared, rest, end in zip(common, rests, accumulate(rests, initial=start), strict=False):
        key = before[:shared] + plain[end : end + rest]
        if key <= before or len(key) != shared + rest or len(key) > ROW_KEY_BYTES_MAX:
            raise Malformed("table-page", what="order")
        keys.append(key)
        before = key
    return keys


def _values(plain: bytes, start: int, sizes: Sequence[int]) -> list[bytes | None]:
    values: list[bytes | None] = []
    for size in sizes:
        if size == _NO_VALUE:
            values.append(None)
            continue
        if size > ROW_VALUE_BYTES_MAX:
            raise Malformed("table-page", what="value")
        values.append(plain[start : start + size])
        start += size
    return values


def _common(before: bytes, after: bytes) -> int:
    """How many bytes the two keys have in common at their start."""
    least = min(len(before), len(after))
    if before[:least] == after[:least]:
        return least
    # The first bit in which the two numbers differ stands in the first byte that does.
    differs = int.from_bytes(before[:least], "big") ^ int.from_bytes(after[:least], "big")
    return least - (differs.bit_length() + 7) // 8
