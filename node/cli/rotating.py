"""Secrets of a namespace, made from its sheet and handed to a running member's node.

Those of the next generation are all of a rotation, and of a recovery on a machine that is a member's already; those
of the present one make a second gateway, which follows the first. The root never reaches the node.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from node.admin.client import AdminClient
from node.admin.namespace_calls import NAMESPACE_ADOPT, NAMESPACE_NEWEST, NamespaceAdopt, NamespaceNewest
from node.recovery import Newest, following_secrets, next_secrets
from node.vault.secrets import GatewaySecrets, encode_secrets
from node.vault.sheet import Sheet
from protocol.errors import Refused
from protocol.ids import ID_BYTES, NamespaceId, NodeId


@dataclass(frozen=True, slots=True)
class Rotated:
    """`gateway` wrote the namespace until now; its secrets open nothing newer."""

    name: str
    namespace: NamespaceId
    generation: int
    gateway: str


async def rotate(client: AdminClient, sheet: Sheet) -> Rotated:
    """Make the node the namespace's gateway, with secrets that nobody else has.

    Raises:
        Refused: `sheet-federation-other`, and what the node has against the secrets.
        Unavailable: `journal-not-found`, or why the namespace could not be opened yet: the node goes on trying.
    """
    return await _adopt(client, sheet, next_secrets)


async def follow(client: AdminClient, sheet: Sheet) -> Rotated:
    """Make the node a second gateway, which reads what the first one writes until it is told to take over.

    Raises:
        Refused: as `rotate`; `namespace-here` or `namespace-followed` when it writes the namespace, or follows it.
        Unavailable: `journal-not-found`, or why the namespace could not be read yet: the node goes on trying.
    """
    return await _adopt(client, sheet, following_secrets)


async def _adopt(
    client: AdminClient, sheet: Sheet, make: Callable[[Sheet, NodeId, bytes, Newest], GatewaySecrets]
) -> Rotated:
    namespace = sheet.root.namespace
    found = await client.call(NAMESPACE_NEWEST, NamespaceNewest(namespace))
    if found.federation != sheet.federation:
        raise Refused("recover-elsewhere", expected=found.federation, found=sheet.federation)
    secrets = make(sheet, found.node, os.urandom(ID_BYTES), Newest(found.epoch, found.generation, found.gateway))
    await client.call(NAMESPACE_ADOPT, NamespaceAdopt(encode_secrets(secrets)))
    return Rotated(sheet.name, namespace, secrets.certificate.generation, found.gateway)
