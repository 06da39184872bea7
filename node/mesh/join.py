"""Joining a federation: what a stranger with an invitation does before it runs a mesh.

It dials the node that invited it, proves its own key and that node's, shows the invitation and the cards that
introduce it, and, once let in, learns on the same connection every record that member knows. Nothing is written
until all of it came; a join cut short can be tried again with the same invitation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from node.host.addresses import address_of_peer
from node.host.ports import Host
from node.mesh.comparing import learn
from node.mesh.config import MeshConfig
from node.mesh.records_file import RecordsFile
from node.net.connection import Connection, connect, dispatch
from node.net.identity import Credentials
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import FederationId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.invitations import Invitation, encode_invitation
from protocol.members.records import Record, decode_record, encode_record
from protocol.members.view import View
from protocol.requests import Join, Kind, PushRecords
from protocol.wire.envelopes import Role

T = TypeVar("T")
# A node that may let us in, and where it can be dialled.
Door = tuple[NodeId, str]


async def join(
    host: Host, key: SigningKey, invitation: Invitation, records: Sequence[Record], config: MeshConfig
) -> tuple[Record, ...]:
    """Every record of the federation, this newcomer's own among them; `records` are its cards.

    Raises:
        Refused: what the inviting member has against it, or `invitation-…`.
        Unavailable: `inviter-unreachable` with the addresses tried.
    """
    doors = [(invitation.inviter, address) for address in invitation.addresses]
    connection = await _reach(host, key, invitation.federation, doors, config)
    return await _enter(host, key, invitation.federation, connection, encode_invitation(invitation), records, config)


async def rejoin(
    host: Host,
    key: SigningKey,
    federation: FederationId,
    doors: Sequence[Door],
    records: Sequence[Record],
    config: MeshConfig,
) -> tuple[Record, ...]:
    """The same for a further node of an organisation that the members admitted: `doors` are nodes of any members.

    Raises:
        Refused: `join-uninvited`, `organisation-expelled`. Forged: `lineage`.
        Unavailable: `inviter-unreachable` with the addresses tried.
    """
    connection = await _reach(host, key, federation, doors, config)
    return await _enter(host, key, federation, connection, b"", records, config)


async def _enter(
    host: Host,
    key: SigningKey,
    federation: FederationId,
    connection: Connection,
    invitation: bytes,
    records: Sequence[Record],
    config: MeshConfig,
) -> tuple[Record, ...]:
    view = View(federation)

    async def ask(kind: Kind, message: object, reply: type[T], /) -> T:
        answer = await connection.ask(kind, message, reply, deadline_s=config.ask_timeout_s)
        return answer.message

    async def take(came: Sequence[Record]) -> Sequence[Record]:
        return absorb(view, came)

    async def enter() -> None:
        question = Join(invitation, tuple(encode_record(record) for record in records))
        first = await ask(Kind.JOIN, question, PushRecords)
        waiting = absorb(view, [decode_record(raw) for raw in first.records])
        await learn(host, view, ask, take)
        absorb(view, [*waiting, *records])

    await while_open(connection, enter)
    if view.node(NodeId(key.public)) is None:
        raise Unavailable("join-incomplete", federation=federation)
    return tuple(view.records())


async def keep(records_file: RecordsFile, view: View, records: Sequence[Record]) -> None:
    """Write records down before there is a mesh to do it. Raises what the view has against any of them."""
    for outcome in view.admit_all(records):
        if isinstance(outcome, MaillonError):
            raise outcome
    await records_file.append(records)


def absorb(view: View, records: Sequence[Record]) -> Sequence[Record]:
    """Admit; returns those to offer again with more. A broken record is the sender's fault and ends the join."""
    early: list[Record] = []
    for record, outcome in zip(records, view.admit_all(records), strict=True):
        if isinstance(outcome, Refused):
            early.append(record)
        elif isinstance(outcome, MaillonError):
            raise outcome
    return early


async def while_open(connection: Connection, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work while the connection runs, and close it; what the work raises is raised as it is."""
    failure: MaillonError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        try:
            await work()
        except MaillonError as error:
            failure = error
        finally:
            connection.close()
    if failure is not None:
        raise failure


async def _reach(
    host: Host, key: SigningKey, federation: FederationId, doors: Sequence[Door], config: MeshConfig
) -> Connection:
    credentials = Credentials(Role.JOINER, federation, key)
    reasons: list[str] = []
    for node, address in doors:
        try:
            with trio.fail_after(config.dial_timeout_s):
                return await connect(
                    await host.network.dial(address_of_peer(address)),
                    credentials,
                    expected=node,
                    gate=_anyone,
                    handler=dispatch({}),
                    entropy=host.entropy,
                    settings=config.net,
                )
        except Refused:
            raise
        except MaillonError as error:
            reasons.append(f"{address}: {error.identifier}")
        except trio.TooSlowError:
            reasons.append(f"{address}: deadline")
    raise Unavailable("inviter-unreachable", reasons=tuple(reasons))


def _anyone(_role: Role, _node: NodeId) -> None:
    """`expected` already says whom we want to meet."""
