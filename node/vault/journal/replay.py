"""Filling the catalog from the journal, across its epochs.

Replay goes on from the catalog's tip if that is a point of the journal's history. If it is none, or if a checkpoint
says more than the catalog knows, the catalog begins again: with the newest checkpoint's tables, or empty where there
was never one. Entries are applied in windows of bounded size, each one transaction: interrupted, it goes on where it
stopped. A checkpoint is always the first entry of its epoch; so to find the newest, one entry of each epoch is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from node.vault.catalog.catalog import Applied, Catalog, CatalogTip
from node.vault.journal.reader import EpochReader, Epochs
from node.vault.journal.tools import ReadTools
from protocol.namespace.changes import Checkpoint
from protocol.namespace.journal import FIRST_EPOCH, Tip, decode_entry, entry_hash
from protocol.namespace.sealed_entry import open_changes, unwrap_epoch_key

_ENTRIES_MAX: Final = 256

# Fills an empty catalog from a checkpoint's tables; its tip is then what the checkpoint covers.
LoadTables = Callable[[Checkpoint], Awaitable[None]]


async def replay(tools: ReadTools, catalog: Catalog, epochs: Epochs, upto: int, load: LoadTables) -> None:
    """Bring the catalog to the first `upto` entries of the newest epoch, and make it answer.

    Raises:
        Refused: `change-unknown`: a newer program wrote an entry.
        Unavailable: `entry-unreadable`. Missing: `journal-proof`. Damaged: the catalog.
    """
    first = await _find_start(tools, catalog, epochs, upto, load)
    for epoch in range(first, epochs.newest.opening.epoch + 1):
        reader = await epochs.of(epoch)
        if catalog.tip.epoch != epoch:
            await catalog.enter(CatalogTip(epoch, *reader.start))
        end = reader.end.length if reader.end is not None else upto
        await _replay_epoch(tools, catalog, reader, end)
    catalog.set_ready()


def epoch_key_of(tools: ReadTools, reader: EpochReader) -> bytes:
    """The key that opens the epoch's entries. Raises Missing(`generation-key-missing`)."""
    return unwrap_epoch_key(tools.wrapping_key(reader.opening.generation), reader.opening)


async def _find_start(tools: ReadTools, catalog: Catalog, epochs: Epochs, upto: int, load: LoadTables) -> int:
    """Make the catalog one of this history; the epoch to go on in."""
    newest = epochs.newest.opening.epoch
    is_usable = not catalog.is_damaged and FIRST_EPOCH <= catalog.tip.epoch <= newest
    if is_usable and not await _is_of(await epochs.of(catalog.tip.epoch), catalog.tip, upto):
        is_usable = False
    knows = (catalog.tip.epoch, catalog.tip.length) if is_usable else (0, 0)
    for epoch in range(newest, max(knows[0], FIRST_EPOCH) - 1, -1):
        checkpoint = await _checkpoint_of(tools, await epochs.of(epoch), upto)
        if checkpoint is not None and (checkpoint.covers_epoch, checkpoint.covers_length) > knows:
            await catalog.start_over()
            await load(checkpoint)
            return checkpoint.covers_epoch
        if checkpoint is not None:
            break
    if not is_usable:
        await catalog.start_over()
        return FIRST_EPOCH
    return catalog.tip.epoch


async def _is_of(reader: EpochReader, tip: CatalogTip, upto: int) -> bool:
    end = reader.end.length if reader.end is not None else upto
    return tip.length <= end and await reader.head_at(tip.length) == tip.head


async def _checkpoint_of(tools: ReadTools, reader: EpochReader, upto: int) -> Checkpoint | None:
    if (reader.end.length if reader.end is not None else upto) == 0:
        return None
    changes = open_changes(epoch_key_of(tools, reader), await reader.entry(0))
    found = [change for change in changes if isinstance(change, Checkpoint)]
    return found[-1] if found else None


async def _replay_epoch(tools: ReadTools, catalog: Catalog, reader: EpochReader, end: int) -> None:
    key = epoch_key_of(tools, reader)
    while catalog.tip.length < end:
        tip = Tip(catalog.tip.length, catalog.tip.head)
        entries = await reader.window(tip, min(_ENTRIES_MAX, end - tip.length))
        epoch = reader.opening.epoch
        await catalog.apply(await tools.host.threads.run_blocking(_opened, key, epoch, tip.length, entries))


def _opened(key: bytes, epoch: int, first: int, entries: Sequence[bytes]) -> list[Applied]:
    opened: list[Applied] = []
    for position, encoded in enumerate(entries, start=first):
        entry = decode_entry(encoded)
        opened.append((CatalogTip(epoch, position + 1, entry_hash(entry)), open_changes(key, entry)))
    return opened
