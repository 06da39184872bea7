"""From a sheet to a gateway's secrets, on a machine that has nothing.

The root is used here and nowhere else: it signs a *pass*, with which the members let this machine in while it looks
for the newest epoch, and then the certificate of the next generation. The pass is of the highest generation, so that
no member refuses it, for a writer key that nobody has; it is kept in memory only. What is written down is what a
gateway has anyway, and marked to take the namespace over: from then on the recovery goes on without the sheet, by the
same succession as every other start of a gateway, and whoever stole the old gateway has secrets of an old generation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import trio

from node.config import Config
from node.first_error import first_error
from node.folder import GuestOf, NodeFolder
from node.host.ports import Host
from node.mesh.arrival import arrive
from node.mesh.guest import Guest
from node.mesh.join import keep
from node.mesh.records_file import open_records
from node.settings import mesh_config
from node.store.journals import JournalStore
from node.vault.journal.discover import discover
from node.vault.journal.tools import JournalTimers, Known, ReadTools
from node.vault.secrets import GENERATIONS_KEPT_MAX, GatewaySecrets, gateway_secrets, load_secrets, save_secrets
from node.vault.sheet import Sheet
from protocol.errors import Missing, OverLimit, Refused
from protocol.ids import ID_BYTES, NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.journal import FIRST_EPOCH
from protocol.namespace.root import GENERATION_MAX, Root, WriterCertificate, certify_writer

# Members that have not been reached by then are not waited for; succession asks them again.
REACH_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How many members let us in, of those in the records."""

    members: int
    members_live: int


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest epoch that they can prove."""

    epoch: int
    generation: int
    gateway: str


Step = Reached | Newest
Tell = Callable[[Step], None]


async def prepare(host: Host, folder: NodeFolder, sheet: Sheet, config: str, settings: Config, tell: Tell) -> None:
    """Make the folder a guest's that will take the sheet's namespace over. Repeating it is harmless.

    Raises:
        Refused: `recover-elsewhere` when the folder is another federation's; `sheet-federation`.
        Unavailable: `sheet-addresses`, `namespace-unknown`, `journal-not-found`.
    """
    if not folder.is_made():
        key = SigningKey.from_seed(host.entropy.random_bytes(ID_BYTES))
        folder.create_guest(config, key, GuestOf(sheet.federation))
        await host.faults.reach("recovery.after-folder")
    if folder.guest().federation != sheet.federation:
        raise Refused("recover-elsewhere", expected=folder.guest().federation, found=sheet.federation)
    kept = _kept(host, sheet)
    if kept is not None and kept.takeover:
        return
    key = folder.node_key()
    permit = make_pass(sheet.root, NodeId(key.public), host.entropy.random_bytes(ID_BYTES))
    mesh = mesh_config(settings)
    records = await arrive(host, key, permit, sheet.federation, sheet.addresses, mesh)
    records_file, view = await open_records(host, sheet.federation)
    await keep(records_file, view, records)
    await host.faults.reach("recovery.after-records")
    guest = Guest(host, key, (permit,), view, records_file, mesh)
    with first_error():
        known = await _discover(host, guest, sheet.root, tell)
    newest = newest_of(guest, known)
    tell(newest)
    if kept is not None and kept.certificate.writer == known.opening.certificate.writer:
        return
    secrets = next_secrets(sheet, guest.me, host.entropy.random_bytes(ID_BYTES), newest)
    await host.threads.run_blocking(save_secrets, host.disk, secrets)
    await host.faults.reach("recovery.after-secrets")


async def _discover(host: Host, guest: Guest, root: Root, tell: Tell) -> Known:
    async with trio.open_nursery() as nursery:
        journals = JournalStore(host)
        await nursery.start(journals.run)
        await nursery.start(guest.run)
        await reach(guest, tell)
        known = await discover(reading(host, guest, journals, root), None)
        nursery.cancel_scope.cancel()
    return known


def make_pass(root: Root, node: NodeId, seed: bytes) -> WriterCertificate:
    """What opens the members' doors to `node` while it has no secrets; nobody keeps the key that it names."""
    nobody = SigningKey.from_seed(seed).public
    return certify_writer(root, nobody, node, generation=GENERATION_MAX, from_epoch=FIRST_EPOCH)


def next_secrets(sheet: Sheet, node: NodeId, seed: bytes, newest: Newest) -> GatewaySecrets:
    """Those of the next generation, with which `node` takes the namespace over.

    Raises:
        OverLimit: `generations` when there were too many rotations.
    """
    generation = newest.generation + 1
    if generation > GENERATIONS_KEPT_MAX:
        raise OverLimit("generations", limit=GENERATIONS_KEPT_MAX)
    made = gateway_secrets(
        sheet.root,
        name=sheet.name,
        data_class=sheet.data_class,
        node=node,
        writer_seed=seed,
        generation=generation,
        from_epoch=newest.epoch + 1,
    )
    return replace(made, takeover=True)


def following_secrets(sheet: Sheet, node: NodeId, seed: bytes, newest: Newest) -> GatewaySecrets:
    """Those with which `node` follows the namespace, and may take it over one day: of the present generation."""
    made = gateway_secrets(
        sheet.root,
        name=sheet.name,
        data_class=sheet.data_class,
        node=node,
        writer_seed=seed,
        generation=newest.generation,
        from_epoch=newest.epoch + 1,
    )
    return replace(made, follows=True)


def reading(host: Host, guest: Guest, journals: JournalStore, root: Root) -> ReadTools:
    """What finds and reads the journal, with the keys of every generation."""
    return ReadTools(
        host=host,
        me=guest.me,
        namespace=root.namespace,
        local=journals,
        ask=guest.ask,
        timers=JournalTimers(),
        wrapping_key=root.wrapping_key,
        live=guest.live,
    )


def newest_of(guest: Guest, known: Known) -> Newest:
    """Of what was found, and what the namespace's card says: a rotation publishes its card before it writes."""
    certificate, view = known.opening.certificate, guest.view
    facts, gateway = view.namespace(known.opening.namespace), view.node(certificate.node)
    generation = max(certificate.generation, 0 if facts is None else facts.generation)
    return Newest(known.opening.epoch, generation, "" if gateway is None else gateway.name)


async def reach(guest: Guest, tell: Tell) -> None:
    """Until every member let us in or did not, for a while."""
    with trio.move_on_after(REACH_S):
        while len(guest.live()) + len(guest.refusals()) <= len(guest.peers()):
            await guest.wait_change(guest.version)
    tell(Reached(len(guest.peers()), len(guest.live()) - 1))


def _kept(host: Host, sheet: Sheet) -> GatewaySecrets | None:
    """What an earlier recovery, which was interrupted, left here."""
    try:
        return load_secrets(host.disk, sheet.root.namespace)
    except Missing:
        return None
