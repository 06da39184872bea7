"""The only place that wires things together: configuration → host → store → mesh → vault, upkeep → S3, admin socket.

Each part runs in one nursery and is started before the part that needs it; the node is up when the admin socket
answers. Told to stop (SIGTERM, SIGINT), everything is cancelled from here and each part closes what it opened. If any
part fails, all stop, and the failure is the process's.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Mapping
from pathlib import Path

import trio

from node.admin.client import SOCKET_NAME
from node.admin.serve import serve_admin
from node.admin.services import Services
from node.config import Config, LogSection
from node.config_file import load
from node.doors.passed import PassedRequests
from node.engine import find_engine
from node.first_error import first_error
from node.folder import CONFIG_FILE, NodeFolder
from node.host.ports import Host
from node.host.real import real_host
from node.logs import configure, get_logger
from node.mesh.serve_inventories import InventoryServer
from node.mesh.serve_journals import JournalServer
from node.mesh.serve_releases import ReleaseServer
from node.mesh.serve_shares import ShareServer
from node.mesh.serve_succession import SuccessionServer
from node.net.connection import Handler
from node.net.replacing import Replace, honestly
from node.peering import start_guest, start_member
from node.s3_door import S3Door, open_s3_door, serve_passed
from node.settings import copy_times, store_config, vault_config
from node.store.journals import JournalStore
from node.store.store import Store
from node.upkeep.journal_copies import JournalCopier
from node.vault.vault import Vault
from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.members.view import View
from protocol.requests import Kind

log = get_logger(__name__)

# A clean stop is not kept waiting for longer than this by members that do not answer.
GOODBYE_S = 2.0


async def run_node(
    path: Path,
    *,
    log_section: LogSection | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the node in `path` until it is told to stop; `log_section` in place of its own, for a short life.

    Raises:
        MaillonError: when it cannot start, or a part of it fails.
    """
    config = load(path / CONFIG_FILE)
    configure(log_section or config.log)
    host = real_host(path)
    folder = NodeFolder(host.disk, str(path))
    folder.check_format()
    with first_error():
        async with host.lock(), trio.open_nursery() as nursery:
            stopping = trio.Event()
            await nursery.start(_hear_signals, nursery.cancel_scope, stopping)
            services = await start_node(nursery, host, folder, config)
            door = await open_s3_door(nursery, services)
            if door is not None:
                services = dataclasses.replace(services, s3_endpoint=door.endpoint)
            nursery.start_soon(_stop, stopping, nursery.cancel_scope, services, door)
            await nursery.start(serve_admin, services, f"unix:{path / SOCKET_NAME}")
            log.info("node-up", name=config.node.name, node=services.mesh.me, addresses=services.mesh.addresses)
            task_status.started()
    log.info("node-stopped")


async def start_node(
    nursery: trio.Nursery, host: Host, folder: NodeFolder, config: Config, *, replace: Replace = honestly
) -> Services:
    """Start every part in `nursery`, from the ground up; all of them run when this returns.

    `replace` puts other handlers in the place of the node's own: so do the liars of tests and simulations.
    """
    membership = None if folder.is_guest() else folder.membership()
    node_key, engine = folder.node_key(), find_engine(config.engine)
    store, journals = Store(host, store_config(config)), JournalStore(host)
    await nursery.start(store.run)
    await nursery.start(journals.run)

    passed = PassedRequests()

    def served(view: View) -> Mapping[Kind, Handler]:
        return {**_served(host, store, journals, view, node_key), **passed.handlers()}

    if membership is None:
        mesh = await start_guest(nursery, host, folder, config)
    else:
        mesh = await start_member(nursery, host, folder, config, membership, served, journals, replace=replace)
    vault = Vault(
        host=host,
        mesh=mesh,
        store=store,
        journals=journals,
        engine=engine,
        node_key=node_key,
        config=vault_config(config),
    )
    await nursery.start(vault.run)
    if membership is not None:
        nursery.start_soon(JournalCopier(mesh, journals, copy_times(config)).run)
        serve_passed(passed, vault, host, config, mesh, membership.certification.organisation)
    return Services(
        host=host,
        folder=folder,
        config=config,
        membership=membership,
        node_key=node_key,
        mesh=mesh,
        store=store,
        journals=journals,
        vault=vault,
        engine=engine.name,
        started_s=trio.current_time(),
    )


def _served(host: Host, store: Store, journals: JournalStore, view: View, key: SigningKey) -> Mapping[Kind, Handler]:
    """What other members may ask of this node's disks."""
    me = NodeId(key.public)
    shares, releases = ShareServer(host, store, view, me), ReleaseServer(host, store, view, me)
    inventories, entries = InventoryServer(host, store, view, me), JournalServer(host, journals, view, me)
    successions = SuccessionServer(host, journals, view, key)
    servers = (shares, releases, inventories, entries, successions)
    return {kind: handler for server in servers for kind, handler in server.handlers().items()}


async def _hear_signals(
    scope: trio.CancelScope, stopping: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """The first signal asks for a good end; a second one is not kept waiting for it."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            log.info("node-stopping", signal=signal.Signals(number).name)
            if stopping.is_set():
                scope.cancel()
            stopping.set()


async def _stop(stopping: trio.Event, scope: trio.CancelScope, services: Services, door: S3Door | None) -> None:
    """Finish what programs asked for, sign off in the journals and say goodbye, so that nobody waits for this node;
    then end everything."""
    await stopping.wait()
    if door is not None:
        await door.drain()
    with trio.move_on_after(GOODBYE_S):
        await services.vault.sign_off()
        await services.mesh.goodbye()
    scope.cancel()
