"""Turns: who looks at a key, decides and journals, while nobody else does.

One gateway writes a namespace, so a lock in its memory is enough to make what is decided by what a key names exact: a
conditional put, a locked version, the order of versions. A bucket's settings decide what changes to its objects mean,
so whoever changes them, or deletes the bucket, waits for all turns in the bucket to end and has it alone. Who had the
turn before may have journaled a change and gone without hearing of it: before anybody looks, that is settled.

A key that nobody waits for costs a dict's entry, and no switch to another task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Protocol

import trio

from node.vault.ticker import Ticker

# A key of the bucket, or an upload into it.
Name = str | bytes


class Outcomes(Protocol):
    """What a turn needs of the journal (`JournalWriter`)."""

    @property
    def in_doubt(self) -> bool:
        """Whether it may have changes of those who went without an outcome, which the catalog lacks."""

    async def settle(self) -> None:
        """Return when it has none. Raises when that cannot be known now."""


class Turns:
    """The turns at one namespace."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        # Who waits for a name that somebody has, in the order in which they came.
        self._taken: dict[tuple[str, Name], trio.lowlevel.ParkingLot] = {}
        self._inside: Counter[str] = Counter()
        self._alone: set[str] = set()
        self._ended = Ticker()

    def of(self, bucket: str, *names: Name) -> Turn:
        """A turn at all of these names. Who names uploads and keys names the uploads first, and keys in order."""
        return Turn(self, bucket, names)

    @asynccontextmanager
    async def alone(self, bucket: str) -> AsyncIterator[None]:
        """No turns in the bucket for the length of the block."""
        while bucket in self._alone:
            await self._ended.wait_past(self._ended.count)
        self._alone.add(bucket)
        try:
            while self._inside[bucket]:
                await self._ended.wait_past(self._ended.count)
            if self._outcomes.in_doubt:
                await self._outcomes.settle()
            yield
        finally:
            self._alone.discard(bucket)
            self._ended.tick()

    async def enter(self, bucket: str, names: Iterable[Name]) -> None:
        """Wait for a turn at each of these names."""
        while bucket in self._alone:
            await self._ended.wait_past(self._ended.count)
        self._inside[bucket] += 1
        held: list[Name] = []
        try:
            for name in names:
                await self._take((bucket, name))
                held.append(name)
            if self._outcomes.in_doubt:
                await self._outcomes.settle()
        except BaseException:
            self.leave(bucket, held)
            raise

    def leave(self, bucket: str, names: Iterable[Name]) -> None:
        """The turn is over."""
        for name in names:
            self._hand_on((bucket, name))
        self._inside[bucket] -= 1
        if not self._inside[bucket]:
            del self._inside[bucket]
            if self._alone:
                self._ended.tick()

    async def _take(self, place: tuple[str, Name]) -> None:
        waiting = self._taken.get(place)
        if waiting is None:
            self._taken[place] = trio.lowlevel.ParkingLot()
        else:
            await waiting.park()

    def _hand_on(self, place: tuple[str, Name]) -> None:
        """To who has waited longest: nobody who comes later, and nobody's cancellation, gets between."""
        if waiting := self._taken[place]:
            waiting.unpark()
        else:
            del self._taken[place]


class Turn:
    """One turn, for an `async with`."""

    __slots__ = ("_bucket", "_names", "_turns")

    def __init__(self, turns: Turns, bucket: str, names: tuple[Name, ...]) -> None:
        self._turns = turns
        self._bucket = bucket
        self._names = names

    async def __aenter__(self) -> None:
        await self._turns.enter(self._bucket, self._names)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turns.leave(self._bucket, self._names)
