"""The Range header: which bytes of an object are wanted. One range is served; S3 serves no more either. Pure."""

from __future__ import annotations

import re

from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.vault.shelf.terms import ByteRange

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})-(\d{0,19})\s*")
_COPY_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})")


def wanted(header: str | None, size_bytes: int) -> ByteRange | None:
    """The bytes that are wanted of an object of that size; None for all of them.

    A header that is no range, or several, is ignored, as HTTP allows and S3 does.

    Raises:
        S3Error: InvalidRange, for one that touches no byte.
    """
    found = _RANGE.fullmatch(header) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        first, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        first = int(found[1])
        end = min(size_bytes, int(found[2]) + 1) if found[2] else size_bytes
        if found[2] and int(found[2]) < first:
            return None
    if first >= end:
        sizes = (("RangeRequested", (header or "")[:64]), ("ActualObjectSize", str(size_bytes)))
        raise S3Error(faults.INVALID_RANGE, details=sizes, headers=(("content-range", f"bytes */{size_bytes}"),))
    return ByteRange(first, end)


def copied(header: str, size_bytes: int) -> ByteRange:
    """The bytes that UploadPartCopy is to take; both ends must be given and lie inside.

    Raises:
        S3Error: InvalidArgument, InvalidRange.
    """
    found = _COPY_RANGE.fullmatch(header)
    if found is None or int(found[2]) < int(found[1]):
        raise faults.invalid(
            "x-amz-copy-source-range",
            header,
            "The x-amz-copy-source-range value must be of the form bytes=first-last",
        )
    first, end = int(found[1]), int(found[2]) + 1
    if end > size_bytes:
        raise S3Error(faults.INVALID_RANGE, f"Range specified is not valid for source object of size: {size_bytes}")
    return ByteRange(first, end)
