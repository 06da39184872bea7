"""Seeing to it that the journal has the best holders: a new epoch when some are lost, or better ones came.

Most outages are short, and every member that answers again is better than a change; so holders that are away are
waited for, and so are newcomers. A holder that lost its disk is not: it counts for nothing in this epoch any more,
and for something in the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final

import trio

from node.logs import get_logger
from node.vault.journal.tools import JournalTools
from node.vault.journal.writer import JournalWriter
from protocol.errors import MaillonError
from protocol.ids import NodeId, short_text_of
from protocol.namespace.journal import Opening
from protocol.namespace.quorums import JournalQuorum

_LOOKS: Final = 12

log = get_logger(__name__)


class HolderKeeper:
    """Watches one writer's holders. `roll_over` begins an epoch with those that are best then."""

    def __init__(self, tools: JournalTools, journal: JournalWriter, roll_over: Callable[[], Awaitable[None]]) -> None:
        self._tools = tools
        self._journal = journal
        self._roll_over = roll_over
        self._better_since_s: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await trio.sleep(self._tools.timers.repair_after_s / _LOOKS)
            if self._is_due(trio.current_time()):
                log.info("journal.holders-change", namespace=short_text_of(self._tools.namespace))
                self._better_since_s = None
                await self._change()

    async def _change(self) -> None:
        try:
            await self._roll_over()
        except MaillonError as error:
            # If it failed half-way the writer has stopped, which is heard of there.
            log.warning("journal.holders-kept", namespace=short_text_of(self._tools.namespace), error=str(error))

    def _is_due(self, now_s: float) -> bool:
        opening, forgotten = self._journal.opening, self._journal.forgotten()
        away = forgotten | set(self._journal.away())
        try:
            _holders, offered = self._tools.next_holders(frozenset())
        except MaillonError:
            self._better_since_s = None
            return False
        if not is_better(opening, away, offered):
            self._better_since_s = None
            return False
        if self._better_since_s is None:
            self._better_since_s = now_s
        return bool(forgotten) or now_s - self._better_since_s >= self._tools.timers.repair_after_s


def is_better(opening: Opening, away: Collection[NodeId], offered: JournalQuorum) -> bool:
    """Whether the offered quorum bears more than the present one does while these of its holders are away."""
    bears = opening.losses - len(set(opening.holders) & set(away))
    return (offered.losses, offered.liars) > (bears, opening.liars)
