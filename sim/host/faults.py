"""Fault points that a test decides about, while the node runs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import trio

Action = Callable[[], Awaitable[None] | None]


class ChosenFaults:
    """See `ports.Faults`. An action may raise, wait, or crash the node it runs in."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self._reached: dict[str, int] = {}
        self.is_dead = False

    def on(self, point: str, action: Action) -> None:
        """From now on do `action` whenever `point` is reached. Points in blocking code take no awaitable ones."""
        self._actions[point] = action

    def clear(self, point: str) -> None:
        self._actions.pop(point, None)

    def times_reached(self, point: str) -> int:
        return self._reached.get(point, 0)

    async def reach(self, point: str) -> None:
        self._reached[point] = self.times_reached(point) + 1
        outcome = self._actions[point]() if point in self._actions else None
        if outcome is not None:
            await outcome
        if self.is_dead:  # the machine stopped at this very instruction
            await trio.sleep_forever()

    def reach_blocking(self, point: str) -> None:
        self._reached[point] = self.times_reached(point) + 1
        outcome = self._actions[point]() if point in self._actions else None
        if inspect.isawaitable(outcome):
            raise TypeError(f"{point} is reached from blocking code, which cannot await")
