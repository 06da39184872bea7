"""Mistakes of whoever keeps things on a disk: what is written, what is found again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from node.host.ports import Buffer, File
from node.store.journal_copy import JournalCopy
from node.store.layout import Layout
from node.store.opening import _Recovery
from node.store.store import Store
from node.store.volumes import DiskVolumes
from tests.sim.mistakes.model import Mistake, instead


def _write_and_hope(_copy: JournalCopy, file: File, start: int, parts: Sequence[Buffer]) -> None:
    file.write(start, [part for part in parts if len(part)])


def _write_shares_and_hope(_volumes: DiskVolumes, file: File, layout: Layout) -> None:
    file.write(layout.start, layout.parts)


def _believe_the_index(recovery: _Recovery, number: int, file: File, _known_bytes: int) -> bool:
    recovery._index.reached(number, file.size())
    return True


_read_into: Any = Store.read_into


async def _read_unchecked(store: Store, wanted: object, *, check_leaves: bool) -> Any:
    del check_leaves
    return await _read_into(store, wanted, check_leaves=False)


DISKS: Final = (
    Mistake(
        "journal-not-synced",
        "A holder answers for a journal entry that is in the page cache only.",
        "blackout",
        ("acknowledged", "readable", "healed"),
        5,
        instead(JournalCopy, "_make_durable", _write_and_hope),
    ),
    Mistake(
        "shares-not-synced",
        "A holder answers for a share that is in the page cache only.",
        "blackout",
        ("kept", "readable"),
        5,
        instead(DiskVolumes, "_make_durable", _write_shares_and_hope),
    ),
    Mistake(
        "index-not-brought-up",
        "After a crash the index of shares is believed as it is, and the volumes are not read to their end.",
        "storm",
        ("kept", "readable"),
        3,
        instead(_Recovery, "_scan", _believe_the_index),
    ),
    Mistake(
        "share-without-its-root",
        "A share from the own disk is never held against the block's root, not even when the seal broke.",
        "rot",
        ("readable",),
        10,
        instead(Store, "read_into", _read_unchecked),
    ),
)
