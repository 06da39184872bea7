"""Who of the organisation's gateways has a key or a bucket: asked, remembered, and not asked too often.

Whoever connects can name keys that nobody has, a new one in each request, and every one is a question to all of the
other gateways. So what nobody has is remembered for a moment, apart from what was found, which it must not push out;
and questions about what was never found here are counted, those of one address and those of all. Who asks too often
is told to try again. Nobody who comes with a key that was found once is made to wait for such a flood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import trio

from node.logs import get_logger
from node.net.exchange import Answer
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId
from protocol.kinds import Kind
from protocol.passing import GatewayFind, GatewayFound

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

REMEMBERED_MAX: Final = 4_096
FOUND_FOR_S: Final = 30.0
ABSENT_FOR_S: Final = 2.0
ASK_S: Final = 5.0
# Questions about what was never found: so many at once, and so many a second.
OF_ONE_MOST, OF_ONE_PER_S = 100.0, 10.0
OF_ALL_MOST, OF_ALL_PER_S = 1_000.0, 100.0

# An access key and a bucket: one of them is empty.
Sought = tuple[str, str]

log = get_logger(__name__)


class Ask(Protocol):
    """The mesh, as far as it is needed here."""

    async def ask(
        self, node: NodeId, kind: Kind, message: object, reply: type[T], *, deadline_s: float
    ) -> Answer[T]: ...


class Reach(Protocol):
    """Who there is."""

    def siblings(self) -> Sequence[NodeId]:
        """The organisation's other gateways."""

    def answers(self, node: NodeId) -> bool:
        """Whether the node answers now."""


@dataclass(slots=True)
class Budget:
    """So many at once, and so many a second. Pure but for what it counts."""

    most: float
    per_s: float
    left: float
    at_s: float

    def is_spent(self, now_s: float) -> bool:
        self.left = min(self.most, self.left + (now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        return self.left < 1.0

    def spend(self) -> None:
        self.left -= 1.0

    def give_back(self) -> None:
        self.left = min(self.most, self.left + 1.0)


class Finder:
    """Finds gateways, for as long as the door is open."""

    def __init__(self, reach: Reach, mesh: Ask, *, remembered: int = REMEMBERED_MAX) -> None:
        self._reach = reach
        self._mesh = mesh
        self._remembered = remembered
        # Who had it, until when that is believed; None: who had it has said since that it has not.
        self._found: dict[Sought, tuple[NodeId | None, float]] = {}
        self._absent: dict[Sought, float] = {}
        self._of_all = Budget(OF_ALL_MOST, OF_ALL_PER_S, OF_ALL_MOST, 0.0)
        self._of_one: dict[str, Budget] = {}

    async def find(self, sought: Sought, client: str | None) -> tuple[NodeId | None, bool]:
        """Who writes it, and whether that is certain. What nobody has is asked for again soon: it may be made yet.

        `client`: the address that the question is counted for; None: this gateway knows the key itself.

        Raises:
            Unavailable: `gateways-asked-too-often`.
        """
        now_s = trio.current_time()
        known, until_s = self._found.get(sought, (None, 0.0))
        if known is not None and now_s < until_s and self._reach.answers(known):
            return known, True
        if now_s < self._absent.get(sought, 0.0):
            return None, True
        budgets = () if client is None or sought in self._found else self._budgets(client, now_s)
        for budget in budgets:
            budget.spend()
        siblings = self._reach.siblings()
        said = await self._ask_all(siblings, GatewayFind(*sought))
        node = min((sibling for sibling, is_there in said.items() if is_there), default=None)
        is_certain = node is not None or len(said) == len(siblings)
        if node is not None:
            self._remember(self._found, sought, (node, now_s + FOUND_FOR_S))
            for budget in budgets:
                budget.give_back()
        elif is_certain:
            self._found.pop(sought, None)
            self._remember(self._absent, sought, now_s + ABSENT_FOR_S)
        elif known is not None and known in said:
            self._found[sought] = None, 0.0
        return node, is_certain

    def has_found(self, sought: Sought) -> bool:
        """Whether some gateway had it, and has not said since that it has not."""
        return self._found.get(sought, (None, 0.0))[0] is not None

    def doubt(self, sought: Sought) -> None:
        """Who was found does not have it now: it is asked for again at once."""
        self._absent.pop(sought, None)
        if sought in self._found:
            self._found[sought] = (self._found[sought][0], 0.0)

    def _budgets(self, client: str, now_s: float) -> tuple[Budget, Budget]:
        of_one = self._of_one.get(client)
        if of_one is None:
            of_one = Budget(OF_ONE_MOST, OF_ONE_PER_S, OF_ONE_MOST, now_s)
            self._remember(self._of_one, client, of_one)
        if of_one.is_spent(now_s) or self._of_all.is_spent(now_s):
            raise Unavailable("gateways-asked-too-often")
        return of_one, self._of_all

    async def _ask_all(self, siblings: Sequence[NodeId], question: GatewayFind) -> dict[NodeId, bool]:
        """What each of those who answer says."""
        said: dict[NodeId, bool] = {}
        async with trio.open_nursery() as nursery:
            for sibling in filter(self._reach.answers, siblings):
                nursery.start_soon(self._ask, sibling, question, said)
        return said

    async def _ask(self, sibling: NodeId, question: GatewayFind, said: dict[NodeId, bool]) -> None:
        try:
            answer = await self._mesh.ask(sibling, Kind.GATEWAY_FIND, question, GatewayFound, deadline_s=ASK_S)
        except MaillonError as error:
            log.debug("gateway-silent", node=sibling, error=str(error))
        else:
            said[sibling] = answer.message.is_here

    def _remember(self, among: dict[K, V], name: K, value: V) -> None:
        """Keep it as the newest; the oldest makes room."""
        among.pop(name, None)
        if len(among) >= self._remembered:
            del among[next(iter(among))]
        among[name] = value
