"""What is acknowledged goes into the catalog, in order, and then its callers go on.

From memory, as it was written; by replay where that does not fit: after damage, or when somebody else's catalog was
found. A catalog that cannot be written now (a full disk) is waited for: nothing is acknowledged that it lacks.
`is_full` tells meanwhile, so that nothing more is taken that would wait as well.
"""

from __future__ import annotations

import trio

from node.logs import get_logger
from node.vault.catalog.catalog import Applied, Catalog, CatalogTip
from node.vault.journal.epoch import EpochWriter, Written
from node.vault.journal.reader import Epochs
from node.vault.journal.replay import LoadTables, replay
from node.vault.journal.tools import ReadTools
from protocol.coding.label import Stamp
from protocol.errors import Damaged, Unavailable

log = get_logger(__name__)

_FULL = "index-full"


class Applier:
    """One catalog. One call at a time."""

    def __init__(self, tools: ReadTools, catalog: Catalog, epochs: Epochs, load: LoadTables) -> None:
        self._tools = tools
        self._catalog = catalog
        self._epochs = epochs
        self._load = load
        self.is_full = False

    async def replay(self, upto: int) -> None:
        """Bring the catalog to the first `upto` entries of the newest epoch. Raises what `replay` raises."""
        await replay(self._tools, self._catalog, self._epochs, upto, self._load)

    async def apply(self, epoch: EpochWriter, upto: int, *, is_over: bool = False) -> None:
        """Bring the catalog to the epoch's first `upto` entries, and answer whoever wrote them.

        `is_over`: the epoch ended there, and the newest is the next.
        """
        done: list[Written] = []
        while epoch.written and epoch.written[0].tip.length <= upto:
            done.append(epoch.written.popleft())
        number = epoch.opening.epoch
        while self._catalog.is_damaged or self._catalog.tip[:2] < (number, upto):
            try:
                if not await self._apply_from_memory(number, done, upto):
                    await self.replay(0 if is_over else upto)
            except (Damaged, Unavailable) as error:
                if isinstance(error, Damaged) and not self._catalog.is_damaged:
                    raise  # our own copy of the journal, not its catalog: the next start heals it from the holders
                self.is_full = error.identifier == _FULL
                log.warning("journal.catalog-not-written", error=str(error))
                await trio.sleep(self._tools.timers.retry_first_s)
        self.is_full = False
        for written in done:
            for request in written.batch.requests:
                request.succeed(Stamp(number, written.tip.length - 1))

    async def _apply_from_memory(self, epoch: int, done: list[Written], upto: int) -> bool:
        """Whether what is at hand is exactly what the catalog lacks."""
        tip = self._catalog.tip
        lengths = [written.tip.length for written in done]
        if self._catalog.is_damaged or tip.epoch != epoch or lengths != list(range(tip.length + 1, upto + 1)):
            return False
        entries: list[Applied] = [(CatalogTip(epoch, *written.tip), written.batch.changes) for written in done]
        await self._catalog.apply(entries)
        return True
