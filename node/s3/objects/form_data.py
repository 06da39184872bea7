"""multipart/form-data, read as it streams: a few short fields, then one file of any size.

The file is not held in memory: it is a `Body` whose end is where the boundary stands. Fields are bounded, in number
and in size, because nobody knows who sends them before the last one is read; what follows the file is not read.
"""

from __future__ import annotations

import re

from node.s3.signing.bodies import Wire
from node.s3.texts import faults
from node.s3.texts.faults import S3Error

READ_BYTES = 64 * 1024
HEADER_BYTES_MAX = 8 * 1024
FIELDS_BYTES_MAX = 20 * 1024
FIELDS_MAX = 100
_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_DISPOSITION = b"content-disposition"
_NAME = re.compile(rb'\s*form-data\s*;.*?\bname="([^"\r\n]*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'\bfilename="([^"\r\n]*)"', re.IGNORECASE)
FILE = "file"


class Form:
    """A form that is being read. After `read_fields` it is the file's `Body`."""

    def __init__(self, wire: Wire, content_type: str) -> None:
        found = _BOUNDARY.match(content_type)
        if found is None:
            raise S3Error(faults.MALFORMED_POST)
        self._wire = wire
        self._delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
        self._held = bytearray(b"\r\n")  # so that the first boundary looks like all others
        self._is_over = False
        self._fields = self._fields_bytes = 0
        self.fields: dict[str, str] = {}
        self.filename = ""

    async def read_fields(self) -> None:
        """Read up to where the file's bytes begin.

        Raises:
            S3Error: MalformedPOSTRequest, MaxPostPreDataLengthExceeded, IncompleteBody.
        """
        if await self._until_delimiter(HEADER_BYTES_MAX):
            raise S3Error(faults.MALFORMED_POST)
        while True:
            name, head = await self._head()
            if name == FILE:
                filename = _FILENAME.search(head)
                self.filename = "" if filename is None else _text(filename[1]).replace("\\", "/").rpartition("/")[2]
                return
            value = await self._until_delimiter(FIELDS_BYTES_MAX)
            self._count(len(name) + len(value))
            self.fields.setdefault(name, _text(value))

    async def _head(self) -> tuple[str, bytes]:
        """The next part's name and headers."""
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > HEADER_BYTES_MAX or self._held.startswith(b"--"):
                raise S3Error(faults.MALFORMED_POST, "POST requires exactly one file upload per request.")
            await self._more()
        if end > HEADER_BYTES_MAX:
            raise S3Error(faults.MALFORMED_POST)
        head = bytes(self._held[:end])
        del self._held[: end + 4]
        found = name_in(head)
        if found is None or not head.startswith(b"\r\n"):
            raise S3Error(faults.MALFORMED_POST)
        return _text(found).lower(), head

    async def _until_delimiter(self, limit_bytes: int) -> bytes:
        while (end := self._held.find(self._delimiter)) < 0:
            if len(self._held) > limit_bytes + READ_BYTES:
                raise S3Error(faults.POST_TOO_LARGE)
            await self._more()
        value = bytes(self._held[:end])
        if len(value) > limit_bytes:
            raise S3Error(faults.POST_TOO_LARGE)
        del self._held[: end + len(self._delimiter)]
        return value

    def _count(self, size_bytes: int) -> None:
        self._fields += 1
        self._fields_bytes += size_bytes
        if self._fields_bytes > FIELDS_BYTES_MAX or self._fields > FIELDS_MAX:
            raise S3Error(faults.POST_TOO_LARGE)

    async def _more(self) -> None:
        buffer = bytearray(READ_BYTES)
        count = await self._wire.receive_into(memoryview(buffer))
        if not count:
            raise S3Error(faults.INCOMPLETE_BODY)
        self._held += buffer[:count]

    async def read_into(self, buffer: memoryview) -> int:
        """Fill the buffer with the file's bytes; less only at its end."""
        count = 0
        while count < len(buffer) and not self._is_over:
            end = self._held.find(self._delimiter)
            # A delimiter may have begun in the last bytes: they are given out when more is known.
            ready = end if end >= 0 else len(self._held) - len(self._delimiter) + 1
            if ready > 0:
                step = min(ready, len(buffer) - count)
                buffer[count : count + step] = self._held[:step]
                del self._held[:step]
                count += step
                end -= step
            elif end < 0:
                await self._more()
            if end == 0:
                self._is_over = True
        return count

    async def end(self) -> tuple[tuple[str, str], ...]:
        """Raises S3Error(IncompleteBody) when the file goes on."""
        if not self._is_over and await self.read_into(memoryview(bytearray(1))):
            raise S3Error(faults.INCOMPLETE_BODY)
        return ()


def name_in(head: bytes) -> bytes | None:
    """The name in a part's headers; each line is looked at once."""
    for line in head.split(b"\r\n"):
        header, _colon, value = line.partition(b":")
        if header.lower() == _DISPOSITION:
            found = _NAME.match(value)
            return None if found is None else found[1]
    return None


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error(faults.MALFORMED_POST) from None
