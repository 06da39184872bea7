"""Which holders have an entry at once, and which a moment later, several entries together.

An append costs its holder a signature to check, a sync, and some turns of its scheduler, however little it says. An
entry counts with w holders; so it goes at once to as few as make it count, those that answer soonest (a *thrifty*
proposer: Moraru, Andersen and Kaminsky, "There Is More Consensus in Egalitarian Parliaments", SOSP 2013). The others
are spares: they have it within `spare_wait_s`, with whatever came meanwhile. An entry that does not count soon goes
to the spares without waiting (a *hedged* request: Dean and Barroso, "The Tail at Scale", CACM 2013), so that a holder
that falls silent costs a moment and not a deadline; after that it is asked last. Where holders are far, nothing is
spared: the few that are asked answer later than the first few of all, and there the wire is the bound, not the work.

What is promised does not change: an entry counts as before, and a holder that has a later entry has all before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import trio

from node.vault.ticker import Ticker

# An entry that does not count after so long, or after twice what the slowest holder needs, goes to the spares too.
HEDGE_S: Final = 0.05
HEDGE_ANSWERS: Final = 2.0
# Who takes longer than this to answer is far.
FAR_S: Final = 0.075


class Sendable(Protocol):
    """A holder, as far as it matters here."""

    @property
    def problem(self) -> str | None:
        """Why it does not answer; None when it does."""

    @property
    def answer_s(self) -> float:
        """About how long it takes to answer an append."""

    def rouse(self) -> None:
        """Send it all that it lacks."""

    def note_late(self, waited_s: float) -> None:
        """It has not answered for so long, if anything is on its way to it."""


def soonest(holders: Sequence[Sendable], needed: int) -> tuple[Sendable, ...]:
    """The holders that an entry goes to at once; all of them when too few answer, or some of these are far."""
    answering = sorted((holder for holder in holders if holder.problem is None), key=lambda holder: holder.answer_s)
    first = answering[:needed]
    is_far = any(holder.answer_s > FAR_S for holder in first)
    return tuple(holders) if len(first) < needed or is_far else tuple(first)


class Thrift:
    """Sends to `holders`, of which `needed` make an entry count; `run` it while the epoch is written."""

    def __init__(self, holders: Sequence[Sendable], needed: int, spare_wait_s: float) -> None:
        self._holders = holders
        self._needed = needed
        self._spare_wait_s = spare_wait_s
        self._first: tuple[Sendable, ...] = ()
        self._written = Ticker()

    def announce(self) -> None:
        """An entry was written."""
        if not self._first or any(holder.problem is not None for holder in self._first):
            self._first = soonest(self._holders, self._needed)
        for holder in self._first:
            holder.rouse()
        self._written.tick()

    def rouse_all(self) -> None:
        """Send everybody what they lack."""
        for holder in self._holders:
            holder.rouse()

    async def run(self, length: Callable[[], int], acknowledged: Callable[[], int]) -> None:
        """Until cancelled. `length`: how many entries there are; `acknowledged`: how many of them count."""
        seen = 0
        while True:
            await self._written.wait_past(seen)
            await self._wait(length, acknowledged)
            seen = self._written.count
            self.rouse_all()
            self._first = soonest(self._holders, self._needed)

    async def _wait(self, length: Callable[[], int], acknowledged: Callable[[], int]) -> None:
        """As long as spares may wait: until an entry does not count as soon as it should, and at most so long."""
        until_s = trio.current_time() + self._spare_wait_s
        while (left_s := until_s - trio.current_time()) > 0:
            wanted, hedge_s = length(), self._hedge_s()
            await trio.sleep(min(left_s, hedge_s))
            if acknowledged() < wanted and left_s >= hedge_s:
                for holder in self._first:
                    holder.note_late(hedge_s)
                return

    def _hedge_s(self) -> float:
        slowest_s = max((holder.answer_s for holder in self._first), default=0.0)
        return max(HEDGE_S, HEDGE_ANSWERS * slowest_s)
