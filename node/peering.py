"""Who this node is among the others: a member with a mesh, or a guest with a certificate and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from node.config import Config
from node.folder import Membership, NodeFolder
from node.host.ports import Host
from node.membership import node_card
from node.mesh.guest import Guest
from node.mesh.mesh import Mesh
from node.mesh.peering import Peering
from node.mesh.records_file import open_records
from node.net.connection import Handler
from node.net.replacing import Replace, honestly
from node.settings import mesh_config
from node.store.journals import JournalStore
from node.vault.secrets import load_secrets, saved_namespaces
from protocol.errors import MaillonError
from protocol.ids import NamespaceId, identity_from_text
from protocol.members.view import View
from protocol.namespace.journal import Opening
from protocol.namespace.root import WriterCertificate
from protocol.requests import Kind
from protocol.wire import schema


async def start_member(
    nursery: trio.Nursery,
    host: Host,
    folder: NodeFolder,
    config: Config,
    membership: Membership,
    served: Callable[[View], Mapping[Kind, Handler]],
    journals: JournalStore,
    *,
    replace: Replace = honestly,
) -> Peering:
    """The mesh of a member's node, running; `served` is what other members may ask of its disks."""

    def generation(namespace: NamespaceId) -> int:
        opening = journals.newest_opening(namespace)
        return schema.decode(Opening, opening).generation if opening else 0

    records, view = await open_records(host, membership.federation)
    card = node_card(membership, config, ())
    mesh = Mesh(
        host,
        folder.node_key(),
        view,
        records,
        mesh_config(config),
        card=card,
        handlers=served(view),
        generation=generation,
        replace=replace,
    )
    await nursery.start(mesh.run)
    return mesh


async def start_guest(nursery: trio.Nursery, host: Host, folder: NodeFolder, config: Config) -> Peering:
    """The connections of a guest, running; it serves nobody."""
    records, view = await open_records(host, folder.guest().federation)
    certificates = await host.threads.run_blocking(_certificates, host)
    guest = Guest(host, folder.node_key(), certificates, view, records, mesh_config(config))
    await nursery.start(guest.run)
    return guest


def _certificates(host: Host) -> tuple[WriterCertificate, ...]:
    """Those of the namespaces whose secrets can be read; the vault tells about the others."""
    found = []
    for name in saved_namespaces(host.disk):
        try:
            found.append(load_secrets(host.disk, NamespaceId(identity_from_text(name))).certificate)
        except MaillonError:
            continue
    return tuple(found)
