"""Which objects entries say something of, without applying them.

While tables arrive, an object that no later entry touches is final as soon as its row is there. Completing a block
touches nothing: the placing known before still leads to shares enough.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol.namespace.changes import (
    Change,
    LockReplaced,
    MarkerPut,
    MetadataReplaced,
    ObjectDeleted,
    ObjectPut,
    ObjectsPacked,
    TagsReplaced,
)
from protocol.tables.keys import object_key


def touched_by(changes: Iterable[Change]) -> set[bytes]:
    """The row keys of the objects that the changes put, mark, delete, lock or move."""
    touched: set[bytes] = set()
    for change in changes:
        match change:
            case ObjectPut() | ObjectDeleted() | MarkerPut() | TagsReplaced() | LockReplaced() | MetadataReplaced():
                touched.add(object_key(change.bucket, change.key))
            case ObjectsPacked():
                touched.update(object_key(one.bucket, one.key) for one in change.objects)
            case _:
                pass
    return touched
