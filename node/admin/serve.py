"""The serving end of the admin socket: one handler for each command, found by its name.

A handler takes a typed question and returns a typed answer, or moves an object's bytes itself. What it raises goes
back to the asker as the frames carry errors, so the command line tells it in its reader's language.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from node.admin import calls, members, objects, state, takeovers
from node.admin.calls import AdminCall, Command
from node.admin.services import Services
from node.host.ports import Stream
from node.logs import get_logger
from node.net.connection import Handler, accept, dispatch
from node.net.exchange import Exchange
from node.net.identity import Credentials
from node.net.settings import NetSettings
from protocol.errors import MaillonError, Refused
from protocol.ids import NodeId
from protocol.kinds import Kind
from protocol.wire import schema
from protocol.wire.envelopes import Role

Q = TypeVar("Q")
A = TypeVar("A")
Streamed = Callable[[Services, Exchange, Q], Awaitable[None]]

log = get_logger(__name__)


async def serve_admin(
    services: Services, address: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Open the socket at `address` and answer until cancelled; `started` once it can be dialled."""
    host = services.host
    listener = await host.network.listen_plain(address)
    handler = dispatch({Kind.ADMIN: _by_command(_table(services))})
    credentials = Credentials(Role.NODE, services.mesh.view.federation, services.node_key)

    async def welcome(stream: Stream) -> None:
        try:
            connection = await accept(
                stream,
                credentials,
                roles=frozenset({Role.ADMIN}),
                gate=_whoever_can_open_the_file,
                handler=handler,
                entropy=host.entropy,
                settings=NetSettings(),
            )
        except MaillonError as error:
            log.info("admin-refused", problem=str(error))
            return
        await connection.run()

    await listener.serve(welcome, task_status=task_status)


def _whoever_can_open_the_file(_role: Role, _node: NodeId) -> None:
    """The socket's mode is the gate."""


def _by_command(table: Mapping[str, Callable[[Exchange, bytes], Awaitable[None]]]) -> Handler:
    async def handle(exchange: Exchange) -> None:
        call = exchange.decode(AdminCall)
        serve = table.get(call.command)
        if serve is None:
            raise Refused("admin-command", command=call.command)
        await serve(exchange, call.question)

    return handle


def _table(services: Services) -> Mapping[str, Callable[[Exchange, bytes], Awaitable[None]]]:
    """Every command's handler, by its name."""

    def asked(
        command: Command[Q, A], answer: Callable[[Services, Q], Awaitable[A]]
    ) -> tuple[str, Callable[[Exchange, bytes], Awaitable[None]]]:
        async def serve(exchange: Exchange, question: bytes) -> None:
            await exchange.answer(await answer(services, schema.decode(command.question, question)))

        return command.name, serve

    def streamed(
        command: Command[Q, A], move: Streamed[Q]
    ) -> tuple[str, Callable[[Exchange, bytes], Awaitable[None]]]:
        async def serve(exchange: Exchange, question: bytes) -> None:
            await move(services, exchange, schema.decode(command.question, question))

        return command.name, serve

    return dict(
        (
            asked(calls.STATUS, state.status),
            asked(calls.NAMESPACES, state.namespaces),
            asked(calls.ORGANISATIONS, members.organisations),
            asked(calls.NODES, members.nodes),
            asked(calls.PROPOSALS, members.proposals),
            asked(calls.INVITE, members.invite),
            asked(calls.ADMIT, members.admit),
            asked(calls.EXPEL, members.expel),
            asked(calls.LEAVE, members.leave),
            asked(calls.NAMESPACE_CREATE, objects.create_namespace),
            asked(calls.NAMESPACE_TAKE_OVER, takeovers.take_over),
            asked(calls.NAMESPACE_NEWEST, takeovers.newest),
            asked(calls.NAMESPACE_ADOPT, takeovers.adopt),
            asked(calls.NAMESPACE_DRILL, takeovers.drill_held),
            asked(calls.LIST, objects.list_objects),
            asked(calls.REMOVE, objects.remove),
            asked(calls.STAT, objects.stat),
            asked(calls.EXPLAIN, objects.explain),
            asked(calls.TRANSFER, objects.transfer),
            streamed(calls.PUT, objects.put),
            streamed(calls.GET, objects.get),
        )
    )
