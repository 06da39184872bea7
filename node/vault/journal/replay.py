"""Filling the catalog from the journal, across its epochs.

Replay goes on from the catalog's tip if that is a point of the journal's history. If it is none, or if a checkpoint
says more than the catalog knows, the catalog begins again: with the newest checkpoint's tables, or empty where there
was never one. Entries are applied in windows of bounded size, each one transaction: interrupted, it goes on where it
stopped. A checkpoint is always the first entry of its epoch; so to find the newest, one entry of each epoch is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence, Set
from typing import Final

from node.vault.catalog.catalog import Applied, Catalog, CatalogTip
from node.vault.catalog.touched import touched_by
from node.vault.journal.reader import EpochReader, Epochs
from node.vault.journal.tools import ReadTools
from protocol.namespace.changes import Checkpoint
from protocol.namespace.journal import FIRST_EPOCH, Tip, decode_entry, entry_hash
from protocol.namespace.sealed_entry import open_changes, unwrap_epoch_key

_ENTRIES_MAX: Final = 256

# Fills an empty catalog from a checkpoint's tables; its tip is then what the checkpoint covers.
# Entries after it say something of the objects with these row keys.
LoadTables = Callable[[Checkpoint, Set[bytes]], Awaitable[None]]


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
        await _replay_epoch(tools, catalog, reader, _end_of(reader, upto))
    catalog.set_ready()


def epoch_key_of(tools: ReadTools, reader: EpochReader) -> bytes:
    """The key that opens the epoch's entries. Raises Missing(`generation-key-missing`)."""
    return unwrap_epoch_key(tools.wrapping_key(reader.opening.generation), reader.opening)


async def _find_start(tools: ReadTools, catalog: Catalog, epochs: Epochs, upto: int, load: LoadTables) -> int:
    """Make the catalog one of this history; the epoch to go on in.

    Nothing before what the newest checkpoint covers is looked at: members may have deleted it.
    """
    tip = catalog.tip
    for epoch in range(epochs.newest.opening.epoch, FIRST_EPOCH - 1, -1):
        reader = await epochs.of(epoch)
        if not catalog.is_damaged and tip.epoch == epoch and await _is_of(reader, tip, upto):
            return epoch
        checkpoint = await _checkpoint_of(tools, reader, upto)
        if checkpoint is None:
            continue
        covered = (checkpoint.covers_epoch, checkpoint.covers_length)
        is_between = not catalog.is_damaged and covered <= tip[:2] and tip.epoch < epoch
        if is_between and await _is_of(await epochs.of(tip.epoch), tip, upto):
            return tip.epoch
        await load(checkpoint, await _touched_after(tools, epochs, checkpoint, upto))
        return checkpoint.covers_epoch
    await catalog.start_over()
    return FIRST_EPOCH


async def _touched_after(tools: ReadTools, epochs: Epochs, checkpoint: Checkpoint, upto: int) -> Set[bytes]:
    """The row keys of the objects that entries after what is covered say something of."""
    touched: set[bytes] = set()
    tip = Tip(checkpoint.covers_length, checkpoint.covers_head)
    for epoch in range(checkpoint.covers_epoch, epochs.newest.opening.epoch + 1):
        reader = await epochs.of(epoch)
        tip = tip if epoch == checkpoint.covers_epoch else reader.start
        end, key = _end_of(reader, upto), epoch_key_of(tools, reader)
        while tip.length < end:
            entries = await reader.window(tip, min(_ENTRIES_MAX, end - tip.length))
            opened = await tools.host.threads.run_blocking(_opened, key, epoch, tip.length, entries)
            touched |= touched_by(change for _after, changes in opened for change in changes)
            after = opened[-1][0]
            tip = Tip(after.length, after.head)
    return touched


def _end_of(reader: EpochReader, upto: int) -> int:
    return upto if reader.end is None else reader.end.length


async def _is_of(reader: EpochReader, tip: CatalogTip, upto: int) -> bool:
    return tip.length <= _end_of(reader, upto) and await reader.head_at(tip.length) == tip.head


async def _checkpoint_of(tools: ReadTools, reader: EpochReader, upto: int) -> Checkpoint | None:
    if not _end_of(reader, upto):
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
