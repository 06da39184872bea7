"""The serving end of the admin socket: one handler for each command, found by its name.

A handler takes a typed question and returns a typed answer, or moves an object's bytes itself. What it raises goes
back to the asker as the frames carry errors, so the command line tells it in its reader's language.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from node.admin import (
    member_calls,
    members,
    namespace_calls,
    object_calls,
    objects,
    s3_calls,
    s3_keys,
    state,
    status_calls,
    takeovers,
)
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
            asked(status_calls.STATUS, state.status),
            asked(namespace_calls.NAMESPACES, state.namespaces),
            asked(member_calls.ORGANISATIONS, members.organisations),
            asked(member_calls.NODES, members.nodes),
            asked(member_calls.PROPOSALS, members.proposals),
            asked(member_calls.INVITE, members.invite),
            asked(member_calls.ADMIT, members.admit),
            asked(member_calls.EXPEL, members.expel),
            asked(member_calls.LEAVE, members.leave),
            asked(namespace_calls.NAMESPACE_CREATE, objects.create_namespace),
            asked(namespace_calls.NAMESPACE_TAKE_OVER, takeovers.take_over),
            asked(namespace_calls.NAMESPACE_MOVE, takeovers.move),
            asked(namespace_calls.NAMESPACE_NEWEST, takeovers.newest),
            asked(namespace_calls.NAMESPACE_ADOPT, takeovers.adopt),
            asked(namespace_calls.NAMESPACE_DRILL, takeovers.drill_held),
            asked(object_calls.LIST, objects.list_objects),
            asked(object_calls.REMOVE, objects.remove),
            asked(object_calls.STAT, objects.stat),
            asked(object_calls.EXPLAIN, objects.explain),
            asked(object_calls.TRANSFER, objects.transfer),
            asked(s3_calls.S3_KEY_CREATE, s3_keys.create),
            asked(s3_calls.S3_KEYS, s3_keys.keys),
            asked(s3_calls.S3_KEY_REVOKE, s3_keys.revoke),
            streamed(object_calls.PUT, objects.put),
            streamed(object_calls.GET, objects.get),
        )
    )
