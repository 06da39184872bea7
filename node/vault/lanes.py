"""Lanes: what waits for one holder travels together.

An exchange costs the same small work at both ends whatever it carries, and with many holders that adds up to more
than the bytes do. So there is one exchange at a time with each holder; whatever comes to wait meanwhile goes with the
next one, up to a bound. On an idle lane nothing waits for anything.

There is no task of its own behind a lane: whoever finds it idle carries what waits, others' items too. Buffers stay
their owners': an owner that gives up ends the exchange that has his buffer, waits until it is over, and the others'
items are carried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from node.vault.ticker import Ticker
from protocol.errors import MaillonError

T = TypeVar("T")
R = TypeVar("R")

# What became of each item, in order.
Outcomes = Sequence["R | MaillonError"]


@dataclass(slots=True, eq=False)
class _Ticket(Generic[T, R]):
    """An item on its way; `outcome` is None until it has arrived or failed."""

    item: T
    outcome: R | MaillonError | None = None


@dataclass(slots=True, eq=False)
class _Trip(Generic[T, R]):
    """The exchange that is under way."""

    tickets: list[_Ticket[T, R]]
    scope: trio.CancelScope


class Lane(Generic[T, R]):
    """`carry` moves several items in one exchange; `fits` says whether one more may join those chosen."""

    def __init__(
        self, carry: Callable[[Sequence[T]], Awaitable[Outcomes[R]]], fits: Callable[[Sequence[T], T], bool]
    ) -> None:
        self._carry = carry
        self._fits = fits
        self._waiting: deque[_Ticket[T, R]] = deque()
        self._trip: _Trip[T, R] | None = None
        self._changed = Ticker()

    @property
    def is_idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return self._trip is None and not self._waiting

    async def send(self, item: T) -> R:
        """Return what became of the item. Raises its error, or that of the exchange it travelled in."""
        (outcome,) = await self.send_all([item])
        if isinstance(outcome, MaillonError):
            raise outcome
        return outcome

    async def send_all(self, items: Sequence[T]) -> list[R | MaillonError]:
        """Return what became of each of the items, which come together and are given up together."""
        tickets = [_Ticket[T, R](item) for item in items]
        self._waiting.extend(tickets)
        try:
            while any(ticket.outcome is None for ticket in tickets):
                if self._trip is None:
                    await self._lead()
                else:
                    await self._changed.wait_past(self._changed.count)
        finally:
            await self._withdraw([ticket for ticket in tickets if ticket.outcome is None])
        return [ticket.outcome for ticket in tickets if ticket.outcome is not None]

    async def _lead(self) -> None:
        """Carry what waits, from the oldest on."""
        trip = self._trip = _Trip[T, R]([], trio.CancelScope())
        try:
            with trip.scope:
                # Whatever comes at this very moment goes along.
                await trio.lowlevel.checkpoint()
                trip.tickets.extend(self._take())
                items = [ticket.item for ticket in trip.tickets]
                for ticket, outcome in zip(trip.tickets, await self._carry(items), strict=True):
                    ticket.outcome = outcome
        except MaillonError as error:
            for ticket in trip.tickets:
                ticket.outcome = error
        finally:
            # Cut short: those who did not give up go again, in their old order.
            self._waiting.extendleft(ticket for ticket in reversed(trip.tickets) if ticket.outcome is None)
            self._trip = None
            self._changed.tick()

    def _take(self) -> list[_Ticket[T, R]]:
        taken: list[_Ticket[T, R]] = []
        while self._waiting and (not taken or self._fits([ticket.item for ticket in taken], self._waiting[0].item)):
            taken.append(self._waiting.popleft())
        return taken

    async def _withdraw(self, tickets: Sequence[_Ticket[T, R]]) -> None:
        """Make sure that nobody has these items any more."""
        trip = self._trip
        if trip is not None and any(ticket in trip.tickets for ticket in tickets):
            trip.scope.cancel()
            with trio.CancelScope(shield=True):
                while self._trip is trip:
                    await self._changed.wait_past(self._changed.count)
        left = [ticket for ticket in tickets if ticket in self._waiting]
        for ticket in left:
            self._waiting.remove(ticket)
        if left:
            self._changed.tick()
