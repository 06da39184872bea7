"""One question put to every holder of an epoch, until enough have answered it.

Who is away is asked again, ever more slowly or as soon as it is heard of. Who has lost the epoch is left alone, and
counts for nothing. Who says that a higher ballot has its promise is believed when without it there are not enough;
who says that the epoch is over must prove it, and then there is nothing left to ask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import trio

from node.first_error import first_error
from node.vault.journal.line import HolderLine, note_problem
from node.vault.journal.patience import Patience
from node.vault.journal.tools import JournalTools
from node.vault.ticker import Ticker
from protocol.errors import Forged, MaillonError, Refused
from protocol.ids import NodeId
from protocol.namespace.journal import Opening
from protocol.succession.succession import Succession

R = TypeVar("R")


class Canvass(Generic[R]):
    """`answers` holds what each holder answered; `outbids` the counters that holders say they promised to others."""

    def __init__(
        self,
        tools: JournalTools,
        opening: Opening,
        lines: Sequence[HolderLine],
        question: Callable[[HolderLine], Awaitable[R]],
        *,
        needed: int,
    ) -> None:
        self.answers: dict[NodeId, R] = {}
        self.outbids: dict[NodeId, int] = {}
        self.forgotten: set[NodeId] = set()
        self.ended: Succession | None = None
        self._opening = opening
        self._lines = {line.node: line for line in lines}
        self._tools = tools
        self._question = question
        self._needed = needed
        self._failing: dict[NodeId, str] = {}
        self._told = Ticker()

    async def gather(self, grace_s: float) -> None:
        """Return when enough have answered, and the others had `grace_s` more; or when the epoch is over (`ended`).

        Raises:
            Refused: `journal-promised` when too few are left that follow this candidate.
        """
        with first_error():
            async with trio.open_nursery() as nursery:
                for node in self._lines:
                    if node not in self.answers:
                        nursery.start_soon(self._ask, self._lines[node])
                await self._wait(lambda: self.ended is not None or len(self.answers) >= self._needed)
                with trio.move_on_after(grace_s):
                    await self._wait(lambda: self.ended is not None or not self._open())
                nursery.cancel_scope.cancel()

    def missing(self) -> tuple[NodeId, ...]:
        """Who has not answered."""
        return tuple(node for node in self._lines if node not in self.answers)

    def retract(self, node: NodeId, error: MaillonError) -> None:
        """What the holder answered does not count: it is asked again at the next `gather`."""
        self.answers.pop(node, None)
        self._failing[node] = error.identifier

    def _open(self) -> set[NodeId]:
        """Who may yet answer, as far as is known."""
        told = self.answers.keys() | self.outbids.keys() | self.forgotten | self._failing.keys()
        return self._lines.keys() - told

    async def _wait(self, condition: Callable[[], bool]) -> None:
        while True:
            seen = self._told.count
            if condition():
                return
            if self.outbids and len(self.answers) + len(self._open()) < self._needed:
                raise Refused("journal-promised", namespace=self._opening.namespace, epoch=self._opening.epoch)
            await self._told.wait_past(seen)

    async def _ask(self, line: HolderLine) -> None:
        patience = Patience(line.node, self._tools.returns, self._tools.timers)
        if line.node in self._failing:
            await patience.pause()
        while line.node not in self.answers and line.node not in self.outbids and line.node not in self.forgotten:
            try:
                self.answers[line.node] = await self._question(line)
                self._failing.pop(line.node, None)
            except MaillonError as error:
                await self._sort_out(line, error)
            self._told.tick()
            if line.node in self._failing:
                await patience.pause()

    async def _sort_out(self, line: HolderLine, error: MaillonError) -> None:
        if self._failing.get(line.node) != error.identifier:
            note_problem(line.node, error)
        if error.identifier == "journal-epoch":
            self.forgotten.add(line.node)
        elif error.identifier == "journal-promised":
            counter = error.parameters.get("counter", 0)
            self.outbids[line.node] = counter if isinstance(counter, int) else 0
        else:
            self._failing[line.node] = error.identifier
            if error.identifier == "journal-ended":
                await self._prove_ended(line)

    async def _prove_ended(self, line: HolderLine) -> None:
        try:
            succession = await line.successor()
            if succession is None:
                raise Forged("journal-answer", node=line.node)
        except MaillonError as error:
            note_problem(line.node, error)
        else:
            self.ended = succession
