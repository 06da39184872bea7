"""Following a namespace that another gateway writes: a catalog of our own, a moment behind, for reading.

What w holders of the newest epoch have is acknowledged, whoever wrote it, and a successor adopts it. So a follower
asks the holders again and again how far they go, and replays that far: it shows nothing that may still be lost, and
asks nobody to promise anything, so the writer does not notice. A holder that is fenced says that the epoch ends;
then the next one is looked for.

What it shows is as old as its last look, and it knows how old that is: when the holders have not answered for the
length of a lease, it serves nobody, as a writer would.

A writer may hand over: its last entry then asks one follower to go on (`node.vault.moving`). It is told by the
journal because that cannot be lost, nor forged by whoever has no business in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import trio

from node.logs import get_logger
from node.vault.catalog.catalog import Catalog
from node.vault.catalog.values import InlineAt
from node.vault.journal.discover import discover
from node.vault.journal.reader import EpochReader, Epochs
from node.vault.journal.replay import LoadTables, epoch_key_of, replay
from node.vault.journal.tails import acknowledged
from node.vault.journal.tools import Known, ReadTools
from node.vault.read import ReadingTools
from protocol.errors import Unavailable
from protocol.ids import NodeId, short_text_of
from protocol.namespace.changes import WriterSignedOff
from protocol.namespace.journal import Opening
from protocol.namespace.sealed_entry import open_changes

log = get_logger(__name__)


class Follower:
    """`run` it; what it has replayed may be read while `require_lease` does not raise."""

    def __init__(
        self, tools: ReadTools, catalog: Catalog, load: LoadTables, every_s: float, places: tuple[NodeId, ...]
    ) -> None:
        self._tools = tools
        self._catalog = catalog
        self._load = load
        self._every_s = every_s
        self._places = places
        self._known: Known | None = None
        self._epochs: Epochs | None = None
        self._seen_s = -inf
        self._ready = trio.Event()
        self._called = trio.Event()

    async def run(self) -> None:
        """Until cancelled. Holders that cannot be asked now are asked again.

        Raises:
            Refused: `change-unknown`. Missing: `generation-key-missing` when the namespace has newer secrets.
        """
        while True:
            asked_s = trio.current_time()
            try:
                await self._catch_up()
            except Unavailable as error:
                log.info("namespace.not-followed", namespace=short_text_of(self._tools.namespace), error=str(error))
                self._known = None
            else:
                self._seen_s = asked_s
                self._ready.set()
            await trio.sleep(self._every_s)

    async def wait_ready(self) -> None:
        """Return once all that was acknowledged before `run` began may be read."""
        await self._ready.wait()

    async def wait_called(self) -> None:
        """Return once the writer signed off and asked this node to go on."""
        await self._called.wait()

    @property
    def opening(self) -> Opening:
        """That of the newest epoch seen."""
        if self._known is None:
            raise self._behind()
        return self._known.opening

    def require_lease(self) -> None:
        """Raise Unavailable(`namespace-behind`) when the holders have not been heard for the length of a lease."""
        if trio.current_time() > self._seen_s + self._tools.timers.lease_s:
            raise self._behind()

    async def read_inline(self, at: InlineAt) -> bytes:
        """The sealed bytes of a small object. Raises Unavailable(`entry-unreadable`), Missing(`journal-proof`)."""
        if self._epochs is None:
            raise self._behind()
        return await self._epochs.read_inline(at)

    async def _catch_up(self) -> None:
        """Replay what w holders of the newest epoch have."""
        known, epochs = await self._newest()
        upto = await acknowledged(self._tools, known.opening)
        if upto.is_over:
            # Whoever ended it knows of the next; until that is proven, this one goes as far as was acknowledged.
            self._known = None
        tip = self._catalog.tip
        if tip.epoch == known.opening.epoch and tip.length >= upto.length and self._ready.is_set():
            return
        if tip.epoch > known.opening.epoch:
            raise Unavailable("journal-not-found", namespace=self._tools.namespace)
        length = max(upto.length, tip.length) if tip.epoch == known.opening.epoch else upto.length
        await replay(self._tools, self._catalog, epochs, length, self._load)
        if length and await self._is_asked(epochs.newest, length):
            self._called.set()

    async def _is_asked(self, reader: EpochReader, length: int) -> bool:
        """Whether the last of so many entries ends with the writer's word to this node."""
        changes = open_changes(epoch_key_of(self._tools, reader), await reader.entry(length - 1))
        last = changes[-1] if changes else None
        return isinstance(last, WriterSignedOff) and last.successor == self._tools.me

    async def _newest(self) -> tuple[Known, Epochs]:
        if self._known is None or self._epochs is None:
            self._known = await discover(self._tools, None, self._places)
            if self._epochs is None or self._epochs.newest.opening.epoch != self._known.opening.epoch:
                self._epochs = Epochs(self._tools, self._known)
        return self._known, self._epochs

    def _behind(self) -> Unavailable:
        return Unavailable("namespace-behind", namespace=self._tools.namespace)


@dataclass(frozen=True, slots=True)
class Followed:
    """A namespace that is followed: what reading it takes."""

    journal: Follower
    catalog: Catalog
    reading: ReadingTools
