"""The wiring of a drill: a guest in a folder that is thrown away, with all that reading a namespace takes.

Nothing but the sheet is given, as on the day it is needed. The root stays in this process; what the members see is a
guest that looks around.
"""

from __future__ import annotations

from collections.abc import Set
from functools import partial

import trio

from node.config import Config
from node.engine import find_engine
from node.first_error import first_error
from node.host.ports import Host
from node.mesh.arrival import arrive
from node.mesh.guest import Guest
from node.mesh.join import keep
from node.mesh.records_file import open_records
from node.recovery import Tell, make_pass, newest_of, reach, reading
from node.settings import mesh_config, store_config, vault_config
from node.store.journals import JournalStore
from node.store.store import Store
from node.vault.blocks import fetch_block
from node.vault.catalog.catalog import Catalog
from node.vault.checkpoint.loading import load_tables, tell_nobody
from node.vault.config import tenancy_tools
from node.vault.journal.discover import discover
from node.vault.journal.reader import Epochs
from node.vault.pins import Pins
from node.vault.rehearse import Progress, Rehearsed, rehearse
from node.vault.serving import block_tools, reading_for
from node.vault.sheet import Sheet
from protocol.ids import ID_BYTES, NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.changes import Checkpoint


async def hold_drill(host: Host, sheet: Sheet, settings: Config, tell: Tell, progress: Progress) -> Rehearsed:
    """Rehearse the recovery from this sheet. `host` is an empty folder.

    Raises:
        Refused, Unavailable: what would stand in the way of a recovery, as in `node.recovery`, `node.vault.rehearse`.
    """
    key = SigningKey.from_seed(host.entropy.random_bytes(ID_BYTES))
    permit = make_pass(sheet.root, NodeId(key.public), host.entropy.random_bytes(ID_BYTES))
    mesh = mesh_config(settings)
    records = await arrive(host, key, permit, sheet.federation, sheet.addresses, mesh)
    records_file, view = await open_records(host, sheet.federation)
    await keep(records_file, view, records)
    guest = Guest(host, key, (permit,), view, records_file, mesh)
    with first_error():
        return await _within(host, sheet, settings, guest, key, tell, progress)


async def _within(
    host: Host, sheet: Sheet, settings: Config, guest: Guest, key: SigningKey, tell: Tell, progress: Progress
) -> Rehearsed:
    async with trio.open_nursery() as nursery:
        store, journals = Store(host, store_config(settings)), JournalStore(host)
        for part in (store.run, journals.run, guest.run):
            await nursery.start(part)
        await reach(guest, tell)
        rehearsed = await _rehearse(host, sheet, settings, key, guest, store, journals, tell, progress)
        nursery.cancel_scope.cancel()
    return rehearsed


async def _rehearse(
    host: Host,
    sheet: Sheet,
    settings: Config,
    key: SigningKey,
    guest: Guest,
    store: Store,
    journals: JournalStore,
    tell: Tell,
    progress: Progress,
) -> Rehearsed:
    read_tools, engine = reading(host, guest, journals, sheet.root), find_engine(settings.engine)
    known = await discover(read_tools, None)
    tell(newest_of(guest, known))
    tools = tenancy_tools(
        host=host,
        mesh=guest,
        store=store,
        journals=journals,
        engine=engine,
        node_key=key,
        config=vault_config(settings),
    )
    blocks = block_tools(tools, key, sheet.root.namespace)
    epochs, catalog = Epochs(read_tools, known), Catalog(host, sheet.root.namespace)

    async def load(checkpoint: Checkpoint, touched: Set[bytes]) -> None:
        await load_tables(host, catalog, partial(fetch_block, blocks), checkpoint, touched, tell_nobody)

    await catalog.open()
    try:
        objects = reading_for(tools, blocks, Pins(), epochs.read_inline)
        return await rehearse(read_tools, known, epochs, catalog, load, objects, progress)
    finally:
        with trio.CancelScope(shield=True):
            await catalog.close()
