"""Filling the catalog from our own copy of the journal.

Replay goes on from the catalog's tip if that is a tip of the journal, and from the first entry otherwise, in windows
of bounded size, each one transaction: interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from node.host.ports import Threads
from node.vault.catalog.catalog import Applied, Catalog, CatalogTip
from node.vault.journal.own_copy import READ_BYTES, OwnCopy
from protocol.namespace.journal import Opening, decode_entry, entry_hash, start_of
from protocol.namespace.sealed_entry import open_changes

_ENTRIES_MAX: Final = 256


async def replay(
    catalog: Catalog, copy: OwnCopy, opening: Opening, *, upto: int, epoch_key: bytes, threads: Threads
) -> None:
    """Bring the catalog to the first `upto` entries, and make it answer.

    Raises:
        Refused: `change-unknown`: a newer program wrote an entry.
        Damaged: our own copy, or the catalog.
    """
    tip = catalog.tip
    is_ours = tip.epoch == opening.epoch and tip.length <= upto
    if catalog.is_damaged or not is_ours or await copy.head_at(tip.length) != tip.head:
        await catalog.start_over()
        await catalog.enter(CatalogTip(opening.epoch, *start_of(opening)))
    while catalog.tip.length < upto:
        first = catalog.tip.length
        entries = await copy.entries_from(first, size_bytes_max=READ_BYTES, count_max=min(_ENTRIES_MAX, upto - first))
        await catalog.apply(await threads.run_blocking(_opened, epoch_key, opening.epoch, first, entries))
    catalog.set_ready()


def _opened(epoch_key: bytes, epoch: int, first: int, entries: Sequence[bytes]) -> list[Applied]:
    opened: list[Applied] = []
    for position, encoded in enumerate(entries, start=first):
        entry = decode_entry(encoded)
        opened.append((CatalogTip(epoch, position + 1, entry_hash(entry)), open_changes(epoch_key, entry)))
    return opened
