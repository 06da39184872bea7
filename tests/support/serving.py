"""A small federation as one of its holders sees it, and that holder's server at the other end of a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import trio

from node.mesh.serve_inventories import InventoryServer
from node.mesh.serve_releases import ReleaseServer
from node.mesh.serve_shares import ShareServer
from node.net.connection import Connection, Handler, dispatch
from node.store.config import DiskConfig, StoreConfig
from node.store.store import Store
from protocol.ids import NamespaceId, NodeId
from protocol.keys.signing import SigningKey
from protocol.limits import MIB
from protocol.members.records import Record
from protocol.members.view import View
from protocol.requests import Kind, PutShare
from protocol.wire import schema
from tests.support.connections import ALICE, connected
from tests.support.crashing import Machine
from tests.support.federations import Org, federate, found, namespace_card, namespace_id, node_id, seed
from tests.support.shares import TestBlock, make_block

ORGS = [Org("alpha"), Org("beta"), Org("gamma")]
PLACING = tuple(node_id(org.name) for org in ORGS)
ME = node_id("beta")
MY_INDEX = 1
NAMESPACE = NamespaceId(namespace_id("town"))
WRITER = SigningKey.from_seed(seed("writer town"))


def view_of(*, knows_namespace: bool = True, generation: int = 1) -> View:
    """Three admitted organisations with a node each; alpha's is the gateway of the namespace `town`."""
    view, _ = found(ORGS[0])
    federate(view, ORGS)
    if knows_namespace:
        view.admit(town_card(view, generation))
    return view


def town_card(view: View, generation: int = 1) -> Record:
    holders = tuple(org.name for org in ORGS)
    return namespace_card(view.federation, ORGS[0], "alpha", "town", holders=holders, generation=generation)


def block_of(number: int, *, size_bytes: int = 200_000, placing: tuple[NodeId, ...] = PLACING) -> TestBlock:
    return make_block(number, size_bytes=size_bytes, k=1, n=3, namespace=NAMESPACE, writer=WRITER, placing=placing)


def question_of(block: TestBlock, index: int = MY_INDEX) -> PutShare:
    return PutShare(schema.encode(block.label), schema.encode(block.proofs[index]))


@asynccontextmanager
async def asking(handlers: Mapping[Kind, Handler], key: SigningKey = ALICE) -> AsyncIterator[Connection]:
    """A member's connection to the server."""
    table = {int(kind): handler for kind, handler in handlers.items()}
    async with connected(dispatch(table), key=key) as (member, _):
        yield member


@asynccontextmanager
async def holder(
    view: View | None = None, machine: Machine | None = None, *, key: SigningKey = ALICE
) -> AsyncIterator[tuple[Connection, Store]]:
    """A member's connection to beta, and beta's store."""
    host = (machine or Machine(1)).host()
    store = Store(host, StoreConfig((DiskConfig("d", 100 * MIB, 0),)))
    view = view or view_of()
    shares, releases = ShareServer(host, store, view, ME, receive_s=5.0), ReleaseServer(host, store, view, ME)
    inventories = InventoryServer(host, store, view, ME)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        async with asking({**shares.handlers(), **releases.handlers(), **inventories.handlers()}, key) as member:
            yield member, store
        nursery.cancel_scope.cancel()
