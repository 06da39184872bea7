"""A namespace's next generation of secrets, made from its sheet and handed to a running member's node.

This is all of a rotation, and of a recovery on a machine that is a member's already. The root never reaches the node.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from node.admin.client import AdminClient
from node.admin.namespace_calls import NAMESPACE_ADOPT, NAMESPACE_NEWEST, NamespaceAdopt, NamespaceNewest
from node.recovery import Newest, next_secrets
from node.vault.secrets import encode_secrets
from node.vault.sheet import Sheet
from protocol.errors import Refused
from protocol.ids import ID_BYTES, NamespaceId


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
    namespace = sheet.root.namespace
    found = await client.call(NAMESPACE_NEWEST, NamespaceNewest(namespace))
    if found.federation != sheet.federation:
        raise Refused("recover-elsewhere", expected=found.federation, found=sheet.federation)
    newest = Newest(found.epoch, found.generation, found.gateway)
    secrets = next_secrets(sheet, found.node, os.urandom(ID_BYTES), newest)
    await client.call(NAMESPACE_ADOPT, NamespaceAdopt(encode_secrets(secrets)))
    return Rotated(sheet.name, namespace, secrets.certificate.generation, found.gateway)
