"""How a member lies: it is the real node, with its own key, disks and mesh, but for the handlers that a lie replaces.

A lie is made anew for each life of a liar, so that it may remember what it said. It names the kinds of question that
it answers in its own way, and what it does unasked. Everything else the node does as all others do: it would not be
a member for long otherwise. Each lie that is told is an event of the run, so that nobody believes that a lie was
withstood which was never told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from node.admin.services import Services
from node.app import start_node
from node.config import Config
from node.folder import NodeFolder
from node.host.ports import Buffer, Host
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.net.replacing import Table
from protocol.errors import MaillonError
from protocol.requests import Kind
from sim.federation.cast import Actor
from sim.host.trace import Detail, Trace

if TYPE_CHECKING:
    from sim.federation.federation import Federation
    from sim.federation.lives import Begin

# How a node of the federation starts when it tells a lie.
Lying = Callable[["Federation", str], "Begin"]
# Answers a question; the honest handler stands by.
Twist = Callable[[Exchange, Handler], Awaitable[None]]
# What is answered from a node's disks.
OF_DISKS: Final = (
    Kind.PUT_SHARE, Kind.PUT_SHARES, Kind.GET_SHARE, Kind.GET_SHARES, Kind.HAS_SHARES, Kind.GET_LABEL,
    Kind.RELEASE_SHARES, Kind.JOURNAL_PREPARE, Kind.JOURNAL_OPEN, Kind.JOURNAL_APPEND, Kind.JOURNAL_TAIL,
    Kind.JOURNAL_READ, Kind.SUCCESSION_PROMISE, Kind.SUCCESSION_ACCEPT, Kind.SUCCESSION_LEARN, Kind.SUCCESSION_ASK,
)  # fmt: skip
# An answer and its payload, changed on their way out.
Change = Callable[[Any, Sequence[Buffer]], tuple[object, Sequence[Buffer]]]
# What a liar does by itself for as long as it lives.
Work = Callable[[Services], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Lie:
    """What is not as it should be in one life of a node."""

    twists: Mapping[Kind, Twist] = field(default_factory=dict)
    work: Work | None = None
    config: Callable[[Config], Config] = lambda config: config

    def replace(self, table: Table) -> Table:
        """See `node.net.replacing.Replace`."""
        return {
            kind: _twisted(self.twists[Kind(kind)], honest) if kind in self.twists else honest
            for kind, honest in table.items()
        }


class Liar:
    """Who tells a lie: what its node signs with, and how the event log hears of it."""

    def __init__(self, trace: Trace, actor: Actor, lie: str) -> None:
        self.key = actor.key
        self._trace = trace
        self._node = actor.name
        self._lie = lie

    def tells(self, told: str, **details: Detail) -> None:
        """The lie is being told, now."""
        self._trace.record("lie", node=self._node, lie=self._lie, told=told, **details)


Making = Callable[[Liar], Lie]


def lying(name: str, make: Making) -> Lying:
    """The start of a node that tells this lie."""

    def beginning(federation: Federation, node: str) -> Begin:
        async def begin(nursery: trio.Nursery, host: Host) -> Services:
            lie = make(Liar(federation.world.trace, federation.cast[node], name))
            config = lie.config(federation.configs[node])
            services = await start_node(nursery, host, NodeFolder(host.disk, node), config, replace=lie.replace)
            if lie.work is not None:
                nursery.start_soon(lie.work, services)
            return services

        return begin

    return beginning


def _twisted(twist: Twist, honest: Handler) -> Handler:
    async def serve(exchange: Exchange) -> None:
        await twist(exchange, honest)

    return serve


class TwistedExchange:
    """An exchange whose answer is changed on its way out."""

    def __init__(self, exchange: Exchange, change: Change) -> None:
        self._exchange = exchange
        self._change = change

    def __getattr__(self, name: str) -> object:
        return getattr(self._exchange, name)

    async def answer(self, message: object, payload: Sequence[Buffer] = ()) -> None:
        await self._exchange.answer(*self._change(message, payload))


def answering(change: Change) -> Twist:
    """Do as the honest do, but say something else."""

    async def twist(exchange: Exchange, honest: Handler) -> None:
        await honest(as_exchange(TwistedExchange(exchange, change)))

    return twist


def as_exchange(disguise: object) -> Exchange:
    """What stands in for an exchange, for a handler that knows no better."""
    return cast(Exchange, disguise)


async def swallow(exchange: Exchange) -> bytes:
    """The whole payload of a question whose sender says how much comes."""
    buffer = bytearray(exchange.payload_bytes or 0)
    await exchange.receive_into(memoryview(buffer))
    return bytes(buffer)


async def try_to(work: Awaitable[object]) -> bool:
    """Whether it went well. A liar whose victim is away, or says no, goes on."""
    try:
        await work
    except MaillonError:
        return False
    return True
