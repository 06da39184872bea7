"""A recovery rehearsed: everything that it would need is looked for, and nothing anywhere is changed.

The newest epoch is found and its holders are asked how far they go, but none is asked to promise anything: the writer
does not notice. What w of them have is replayed into a catalog of our own, and a sample of the objects is read, every
byte of them, from the members' shares. A namespace that passes would have come back today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from node.host.ports import Buffer
from node.vault.catalog.catalog import Catalog
from node.vault.catalog.values import StoredObject
from node.vault.journal.reader import Epochs
from node.vault.journal.replay import LoadTables, replay
from node.vault.journal.tails import acknowledged
from node.vault.journal.tools import Known, ReadTools
from node.vault.objects import ObjectStat
from node.vault.read import ReadingTools, read_object

# So many objects are read, evenly over the first ones of every bucket.
SAMPLE_OBJECTS: Final = 24
LISTED_PER_BUCKET: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a recovery would have brought back. `read_objects` of them were read, every byte."""

    epoch: int
    entries: int
    objects: int
    size_bytes: int
    read_objects: int
    read_bytes: int


# Told how many objects of the sample were read, of how many.
Progress = Callable[[int, int], None]


class _Counted:
    """A sink that keeps nothing."""

    def __init__(self) -> None:
        self.size_bytes = 0

    async def begin(self, stat: ObjectStat) -> None:
        pass

    async def write(self, parts: list[Buffer]) -> None:
        self.size_bytes += sum(len(part) for part in parts)


async def rehearse(
    tools: ReadTools,
    known: Known,
    epochs: Epochs,
    catalog: Catalog,
    load: LoadTables,
    reading: ReadingTools,
    progress: Progress,
) -> Rehearsed:
    """Go through all of a recovery but the fencing. `catalog` is open and ours alone.

    Raises:
        Unavailable: `journal-not-ready` when too few holders answer; `entry-unreadable`, `block-unreadable`: what
            would not come back.
    """
    length = (await acknowledged(tools, known.opening)).length
    await replay(tools, catalog, epochs, length, load)
    totals = await catalog.totals()
    sample = await _sample(catalog)
    counted = _Counted()
    for done, stored in enumerate(sample):
        progress(done, len(sample))
        whole, blocks = await catalog.whole(stored.bucket, stored.key)
        await read_object(reading, whole, blocks, counted)
    progress(len(sample), len(sample))
    return Rehearsed(known.opening.epoch, length, totals.objects, totals.size_bytes, len(sample), counted.size_bytes)


async def _sample(catalog: Catalog) -> Sequence[StoredObject]:
    found: list[StoredObject] = []
    for bucket in await catalog.buckets():
        found += await catalog.list(bucket.bucket, prefix="", start_after="", limit=LISTED_PER_BUCKET)
    step = max(1, len(found) // SAMPLE_OBJECTS)
    return found[::step][:SAMPLE_OBJECTS]
