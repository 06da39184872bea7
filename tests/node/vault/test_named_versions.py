"""An inventory misses no block of an object whose row moves while the rows are gone through."""

from __future__ import annotations

import pytest

from node.vault.catalog import named
from node.vault.catalog.named import NamedBlocks
from protocol.namespace.changes import BucketSet, Change, MarkerPut, ObjectDeleted
from protocol.namespace.contents import Versioning
from protocol.namespace.inventories import Part
from protocol.tables.rows import RowKind
from tests.support.inventories import NAMESPACE, scene
from tests.support.namespaces import block_ref, object_put

MARKER = b"\xff" * 16
HIDDEN: list[Change] = [
    BucketSet("photos", Versioning.ENABLED, has_lock=False, lock_default=None),
    object_put("photos", "x", 1, blocks=(block_ref(1),)),
    MarkerPut("photos", "x", MARKER, 1),
]


async def test_a_version_that_its_key_names_again_was_read_or_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await scene()
    for change in HIDDEN:
        await stage.append(change)
    reading = NamedBlocks(stage.catalog, NAMESPACE, Part(0, 0), 10)
    await reading.begin()
    kinds = named._IN_ORDER
    assert kinds.index(RowKind.OBJECT) < kinds.index(RowKind.VERSION)
    # What keys name was gone through; then the marker goes, and the object moves to where nobody looks any more.
    monkeypatch.setattr(named, "_IN_ORDER", kinds[:1])
    await reading.read()
    await stage.append(ObjectDeleted("photos", "x", MARKER))
    monkeypatch.setattr(named, "_IN_ORDER", kinds[1:])
    await reading.read()
    assert block_ref(1).block in reading
    reading.end()
