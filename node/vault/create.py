"""Creating a namespace: a root on paper, a writer key here, a journal on other members' nodes.

Order matters. Every holder keeps the first epoch's opening before any of them opens it, and the members hear of the
namespace before the first entry is sent. The root leaves this function only as the recovery sheet: it is shown once
and never stored.
"""

from __future__ import annotations

from dataclasses import replace

import trio

from node.first_error import first_error
from node.vault.journal.preparing import prepare_next
from node.vault.secrets import GatewaySecrets, gateway_secrets
from node.vault.sheet import Sheet, write_sheet
from node.vault.sheet_words import IDENTIFIER_BYTES
from node.vault.tenancy_tools import TenancyTools, journal_tools
from protocol.errors import Refused
from protocol.ids import NodeId
from protocol.limits import NAME_BYTES_MAX
from protocol.namespace.journal import FIRST_EPOCH, Opening, encode_opening
from protocol.namespace.root import FIRST_GENERATION, ROOT_BYTES, Root


async def create_namespace(tools: TenancyTools, name: str, data_class: str) -> tuple[GatewaySecrets, Opening, str]:
    """Secrets for this gateway, not saved yet; the first epoch, open at its holders; and the recovery sheet as text.

    Raises:
        Refused: `namespace-name`, `class-unknown`, `federation-too-small`, `placement-impossible`,
            `node-not-member`.
        Unavailable: `journal-holders-too-few`, and what kept a holder from opening the epoch.
    """
    if not name.strip() or len(name.encode()) > NAME_BYTES_MAX or not name.isprintable():
        raise Refused("namespace-name", namespace=name, limit_bytes=NAME_BYTES_MAX)
    host, view = tools.host, tools.mesh.view
    if view.node(tools.mesh.me) is None:
        raise Refused("node-not-member", node=tools.mesh.me)
    root = Root(host.entropy.random_bytes(ROOT_BYTES))
    secrets = gateway_secrets(
        root,
        name=name,
        data_class=data_class,
        node=tools.mesh.me,
        writer_seed=host.entropy.random_bytes(32),
        generation=FIRST_GENERATION,
        from_epoch=FIRST_EPOCH,
    )
    opening = await _open_first_epoch(tools, secrets)
    secrets = replace(secrets, opening=encode_opening(opening))
    sheet = Sheet(root, name, data_class, view.federation, _addresses(tools, opening.holders))
    return secrets, opening, write_sheet(sheet, host.entropy.random_bytes(IDENTIFIER_BYTES))


async def _open_first_epoch(tools: TenancyTools, secrets: GatewaySecrets) -> Opening:
    """Kept by all its holders, then open at all of them."""
    of_journal = journal_tools(tools, secrets)
    opening = await prepare_next(of_journal, None, None)
    with first_error():
        async with trio.open_nursery() as nursery:
            for line in of_journal.lines(opening):
                nursery.start_soon(line.open, b"")
    return opening


def _addresses(tools: TenancyTools, holders: tuple[NodeId, ...]) -> tuple[str, ...]:
    """Where the sheet says to look for the journal: its holders' first addresses, this node's last of all.

    On the day the sheet is needed, this node is what is gone.
    """
    ordered = sorted(holders, key=lambda node: node == tools.mesh.me)
    facts = [tools.mesh.view.node(node) for node in ordered]
    return tuple(known.addresses[0] for known in facts if known is not None and known.addresses)
