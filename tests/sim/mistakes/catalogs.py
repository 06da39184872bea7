"""Mistakes of whoever keeps the catalog, and the checkpoints that it is filled from again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from node.vault.catalog import frozen
from node.vault.catalog.packed import PackedRows
from node.vault.journal import replay
from tests.sim.mistakes.model import Mistake, instead

_opened: Any = replay._opened
_lose: Any = PackedRows._lose


def _first_is_known(key: bytes, epoch: int, first: int, entries: Sequence[bytes]) -> Any:
    (tip, changes), *rest = _opened(key, epoch, first, entries)
    return [(tip, () if first else changes), *rest]


def _lose_the_last(rows: PackedRows, stamp: Any, block: Any, objects: int, size_bytes: int) -> None:
    _lose(rows, stamp, block, objects + 1, size_bytes)


CATALOGS: Final = (
    Mistake(
        "tombstone-forgotten",
        "A checkpoint writes the rows that are, and not that others are no more.",
        "tidy",
        ("acknowledged", "kept", "readable"),
        10,
        instead(frozen, "_FREEZE", frozen._FREEZE.replace(" OR dirty.in_tables", "")),
    ),
    Mistake(
        "entry-skipped-at-replay",
        "A replay that goes on from the middle of an epoch takes its first entry as known already.",
        "amnesia",
        ("acknowledged", "readable"),
        10,
        instead(replay, "_opened", _first_is_known),
        showed=5,
    ),
    Mistake(
        "pack-freed-too-soon",
        "A pack is released when one of its objects still lives.",
        "tidy",
        ("readable", "kept"),
        10,
        instead(PackedRows, "_lose", _lose_the_last),
        showed=4,
    ),
)
