"""Meshes for tests: a node's mesh over any host, founded or joined by invitation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from node.host.ports import Host
from node.mesh.config import MeshConfig
from node.mesh.join import join, keep
from node.mesh.mesh import Mesh
from node.mesh.records_file import open_records
from node.net.connection import Handler
from node.net.exchange import Exchange
from protocol.ids import FederationId
from protocol.members.invitations import Invitation, invitation_id, make_invitation
from protocol.members.records import Record
from protocol.members.swim import SwimConfig
from protocol.requests import HasShares, HasSharesReply, Kind
from tests.support.members import Party

FAST = SwimConfig(probe_interval_s=0.1, probe_timeout_s=0.5, suspicion_s=0.5)


def fast_config(listen: str) -> MeshConfig:
    return MeshConfig(listen=listen, swim=FAST, reconcile_interval_s=0.5, settle_s=1.0, card_interval_s=0.5)


async def serve_has_shares(exchange: Exchange) -> None:
    asked = exchange.decode(HasShares)
    await exchange.answer(HasSharesReply(tuple(7 for _ in asked.blocks)))


PAYLOAD = bytes(range(256)) * 1_000


async def serve_payload(exchange: Exchange) -> None:
    """Answers with a payload, and with the carriage on which it was asked to send it."""
    exchange.decode(HasShares)
    await exchange.answer(HasSharesReply((int(exchange.carried),)), [PAYLOAD])


HANDLERS: Mapping[Kind, Handler] = {Kind.HAS_SHARES: serve_has_shares, Kind.GET_LABEL: serve_payload}


async def write_records(host: Host, federation: FederationId, records: tuple[Record, ...]) -> None:
    """What `federation found` and `federation join` leave on the disk."""
    records_file, view = await open_records(host, federation)
    await keep(records_file, view, records)


async def make_mesh(host: Host, party: Party, federation: FederationId, config: MeshConfig) -> Mesh:
    """The mesh of a node that has its records on disk."""
    records_file, view = await open_records(host, federation)
    return Mesh(host, party.key, view, records_file, config, card=party.card(federation), handlers=HANDLERS)


@asynccontextmanager
async def running(host: Host, party: Party, federation: FederationId, config: MeshConfig) -> AsyncIterator[Mesh]:
    mesh = await make_mesh(host, party, federation, config)
    async with trio.open_nursery() as nursery:
        await nursery.start(start_of(mesh))
        yield mesh
        nursery.cancel_scope.cancel()


def start_of(mesh: Mesh) -> Callable[..., Awaitable[None]]:
    async def start(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await mesh.run(task_status=task_status)

    return start


def invite(
    party: Party, federation: FederationId, addresses: tuple[str, ...], *, expires_s: int, nonce: int
) -> Invitation:
    return make_invitation(
        party.key,
        federation,
        party.organisation.organisation,
        addresses=addresses,
        expires_s=expires_s,
        nonce=nonce.to_bytes(32, "big"),
    )


async def join_with(host: Host, party: Party, invitation: Invitation, listen: str) -> tuple[Record, ...]:
    """What `federation join` does."""
    federation = invitation.federation
    cards = (
        party.organisation_card(federation, invitation_id(invitation)),
        party.node_card(federation, (listen,)),
    )
    records = await join(host, party.key, invitation, cards, fast_config(listen))
    await write_records(host, federation, records)
    return records


async def until(condition: Callable[[], bool], *meshes: Mesh, within_s: float = 10.0) -> None:
    """Wait for something that only changes when one of the meshes does."""
    with trio.fail_after(within_s):
        while not condition():
            await _any_change([(mesh, mesh.version) for mesh in meshes])


async def _any_change(seen: list[tuple[Mesh, int]]) -> None:
    async with trio.open_nursery() as nursery:

        async def watch(mesh: Mesh, version: int) -> None:
            await mesh.wait_change(version)
            nursery.cancel_scope.cancel()

        for mesh, version in seen:
            nursery.start_soon(watch, mesh, version)


def with_swim(config: MeshConfig, **changes: float) -> MeshConfig:
    return replace(config, swim=replace(config.swim, **changes))  # type: ignore[arg-type]
