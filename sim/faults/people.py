"""What people do to a federation: take a namespace over, leave, vote somebody out, come all at once.

Each is done by the same calls as the command that a person would type. A person who gets an error reads it and goes
home: it is an event of the run, and no promise is broken by it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar, assert_never

from node.admin.calls import Nothing
from node.admin.member_calls import Expel
from node.admin.members import expel, leave
from node.admin.namespace_calls import NamespaceAdopt, NamespaceNewest
from node.admin.services import Services
from node.admin.takeovers import adopt, newest
from node.recovery import Newest, next_secrets
from node.vault.secrets import encode_secrets, load_secrets, saved_namespaces
from node.vault.sheet import Sheet
from protocol.errors import MaillonError
from protocol.ids import ID_BYTES, text_of
from sim.faults import kinds
from sim.federation.federation import Federation
from sim.federation.lives import Lost
from sim.oracle.clients import Patron

R = TypeVar("R")


class People:
    """The members' people; `patrons` by the gateway that created their namespace."""

    def __init__(self, federation: Federation, patrons: Mapping[str, Patron]) -> None:
        self._federation = federation
        self._patrons = patrons

    async def act(self, fault: kinds.OfPeople) -> None:
        """Do it, and come back when it is done or was refused."""
        match fault:
            case kinds.Crowd(factor):
                for patron in self._patrons.values():
                    patron.haste = factor
            case kinds.TakeOver(node, gateway):
                await self.take_over(node, self._patrons[gateway])
            case kinds.Leave(node):
                self._federation.leaving.add(node)
                await self._ask("leave", node, lambda services: leave(services, Nothing()))
            case kinds.Expel(node):
                await self._expel(node)
            case _:
                assert_never(fault)

    def disperse(self) -> None:
        """No more haste."""
        for patron in self._patrons.values():
            patron.haste = 1.0

    async def take_over(self, node: str, patron: Patron) -> None:
        """From now on the patron's clients ask this node too."""
        if node in self._federation.running:
            patron.also_at(node)
            await self._ask("take-over", node, lambda services: _take_over(services, patron.sheet))

    async def _expel(self, node: str) -> None:
        """One node of every other organisation casts its ballot."""
        cast = self._federation.cast
        self._federation.expelled |= {actor.name for actor in cast.actors if actor.house == cast[node].house}
        subject = Expel(cast[node].house.name)
        for house in cast.houses:
            if house == cast[node].house or house.is_pending:
                continue
            voter = next(actor.name for actor in cast.actors if actor.house == house)
            await self._ask("expel", voter, lambda services: expel(services, subject))

    async def _ask(self, what: str, node: str, work: Callable[[Services], Awaitable[R]]) -> None:
        try:
            await self._federation.lives.on(node, work)
        except (MaillonError, Lost) as error:
            why = error.identifier if isinstance(error, MaillonError) else "lost"
            self._federation.world.trace.record("refused", call=what, node=node, error=why)


async def _take_over(services: Services, sheet: Sheet) -> None:
    """`namespace takeover` where the newest secrets are at hand, `namespace recover` elsewhere."""
    host, namespace = services.host, sheet.root.namespace
    found = await newest(services, NamespaceNewest(namespace))
    is_here = text_of(namespace) in saved_namespaces(host.disk)
    if is_here and load_secrets(host.disk, namespace).certificate.generation >= found.generation:
        await services.vault.take_over(sheet.name)
        return
    secrets = next_secrets(
        sheet, found.node, host.entropy.random_bytes(ID_BYTES), Newest(found.epoch, found.generation, found.gateway)
    )
    await adopt(services, NamespaceAdopt(encode_secrets(secrets)))
