"""What a page of a listing shows of an object, read from its row without the rest.

A page has a thousand rows, and a row says far more than is listed: keys that open bytes, blocks, metadata. To build
and to judge all of it takes longer than everything else that a page costs together. So a glance builds the row's
plain values, once, looks at those that are shown, and asks for no more than that these are of their types: the row is
this program's own, and whoever reads rows has checked its sum.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from protocol.errors import Malformed
from protocol.namespace.contents import NULL_VERSION
from protocol.tables.rows import ObjectRow
from protocol.wire import canonical

# The names of checksums, of most entries: they have none.
_NONE: Final[tuple[str, ...]] = ()


class Glance(NamedTuple):
    """An entry of a listing. `algorithms`: of the checksums that the object's client sent.

    `is_latest`: no version of the key is newer. `is_null`: it is the version that S3 calls null. `is_marker`: it is a
    delete marker.
    """

    key: str
    version: bytes
    size_bytes: int
    modified_s: int
    etag: str
    algorithms: tuple[str, ...]
    is_null: bool
    is_marker: bool
    is_latest: bool

    @property
    def version_id(self) -> bytes:
        """What the version is asked for by: the null one by `NULL_VERSION`."""
        return NULL_VERSION if self.is_null else self.version


def glance(key: str, row: bytes, *, is_latest: bool) -> Glance:
    """What is shown of the object with this key, of whose version `row` is the encoded row. Raises Malformed."""
    plain: Any = canonical.build(row)
    try:
        opening, version, size_bytes, _, modified_s, _, _, _, _, _, _, _, _, extras, _, is_null, is_marker = plain
        if extras is None:
            etag, algorithms = "", _NONE
        else:
            etag, _, checksums, _, _, _, _, _ = extras
            algorithms = tuple([name for name, _ in checksums]) if checksums else _NONE
    except (TypeError, ValueError) as error:
        raise Malformed("message-field", field="ObjectRow") from error
    if (
        opening != ObjectRow.WIRE_VERSION
        or type(version) is not bytes
        or type(size_bytes) is not int
        or type(modified_s) is not int
        or type(etag) is not str
        or type(is_null) is not bool
        or type(is_marker) is not bool
        or any(type(name) is not str for name in algorithms)
    ):
        raise Malformed("message-field", field="ObjectRow")
    return Glance(key, version, size_bytes, modified_s, etag, algorithms, is_null, is_marker, is_latest)
