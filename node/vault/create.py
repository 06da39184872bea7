"""Creating a namespace: a root on paper, a writer key here, a journal on other members' nodes.

Order matters. The secrets are on this disk before anybody hears of the namespace, so that a crash leaves either
nothing or a namespace that opens at the next start; the card is at every holder before the first entry is sent. The
root leaves this function only as the recovery sheet: it is shown once and never stored.
"""

from __future__ import annotations

from dataclasses import replace

import trio

from node.logs import get_logger
from node.vault.secrets import GatewaySecrets, gateway_secrets
from node.vault.sheet import Sheet, write_sheet
from node.vault.sheet_words import IDENTIFIER_BYTES
from node.vault.tenancy_tools import TenancyTools
from protocol.errors import MaillonError, Refused
from protocol.ids import NodeId
from protocol.limits import NAME_BYTES_MAX
from protocol.members.cards import NamespaceCard, make_namespace_card
from protocol.members.records import Record, encode_record
from protocol.members.roster import journal_holders, rules_for
from protocol.namespace.journal import EPOCH_KEY_BYTES, Opening, encode_opening, sign_opening
from protocol.namespace.quorums import JournalQuorum
from protocol.namespace.root import ROOT_BYTES, Root
from protocol.namespace.salted import SALT_BYTES
from protocol.namespace.sealed_entry import wrap_epoch_key
from protocol.requests import Done, Kind, PushRecords

log = get_logger(__name__)

FIRST_GENERATION = 1
FIRST_EPOCH = 1


async def create_namespace(tools: TenancyTools, name: str, data_class: str) -> tuple[GatewaySecrets, str]:
    """Secrets for this gateway, not saved yet, and the recovery sheet as text. The card is published.

    Raises:
        Refused: `namespace-name`, `class-unknown`, `federation-too-small`, `placement-impossible`.
        Unavailable: `journal-holders-too-few`.
    """
    if not name.strip() or len(name.encode()) > NAME_BYTES_MAX or not name.isprintable():
        raise Refused("namespace-name", namespace=name, limit_bytes=NAME_BYTES_MAX)
    host, view = tools.host, tools.mesh.view
    root = Root(host.entropy.random_bytes(ROOT_BYTES))
    rules = rules_for(view.nodes(), view.charter.classes, data_class)
    holders, size = journal_holders(root.namespace, rules, tools.holders.unreachable())
    secrets = gateway_secrets(
        root,
        name=name,
        data_class=data_class,
        node=tools.mesh.me,
        writer_seed=host.entropy.random_bytes(32),
        generation=FIRST_GENERATION,
        from_epoch=FIRST_EPOCH,
    )
    opening = _open_first_epoch(tools, secrets, holders, size)
    secrets = replace(secrets, opening=encode_opening(opening))
    await _announce(tools, secrets, opening)
    sheet = Sheet(root, name, data_class, view.federation, _addresses(tools, holders))
    return secrets, write_sheet(sheet, host.entropy.random_bytes(IDENTIFIER_BYTES))


def _open_first_epoch(
    tools: TenancyTools, secrets: GatewaySecrets, holders: tuple[NodeId, ...], size: JournalQuorum
) -> Opening:
    entropy = tools.host.entropy
    wrapping_key = secrets.wrapping_key(FIRST_GENERATION)
    epoch_key, salt = entropy.random_bytes(EPOCH_KEY_BYTES), entropy.random_bytes(SALT_BYTES)
    return sign_opening(
        secrets.writer_key,
        secrets.certificate,
        epoch=FIRST_EPOCH,
        holders=holders,
        quorum=size,
        wrapped_key=wrap_epoch_key(wrapping_key, salt, epoch_key),
    )


async def _announce(tools: TenancyTools, secrets: GatewaySecrets, opening: Opening) -> None:
    """Publish the namespace's card, and hand it to every member that answers: they refuse shares without it."""
    view = tools.mesh.view
    me = view.node(tools.mesh.me)
    if me is None:
        raise Refused("node-not-member", node=tools.mesh.me)
    card = NamespaceCard(
        certificate=secrets.certificate,
        organisation=me.organisation,
        epoch=opening.epoch,
        journal_holders=opening.holders,
        journal_quorum=opening.w,
    )
    record = make_namespace_card(secrets.writer_key, view.federation, card, gateway_key=tools.node_key)
    await tools.mesh.publish(record)
    async with trio.open_nursery() as nursery:
        for node in sorted(tools.mesh.live() - {tools.mesh.me}):
            nursery.start_soon(_hand_over, tools, node, record)


async def _hand_over(tools: TenancyTools, node: NodeId, record: Record) -> None:
    push = PushRecords((encode_record(record),))
    try:
        await tools.mesh.ask(node, Kind.PUSH_RECORDS, push, Done, deadline_s=tools.spread_times.put_deadline_s)
    except MaillonError as error:
        # It will hear of the namespace by gossip; until then it refuses its shares, and the spreader goes elsewhere.
        log.info("create.card-not-delivered", node=tools.holders.name(node), error=str(error))


def _addresses(tools: TenancyTools, holders: tuple[NodeId, ...]) -> tuple[str, ...]:
    """Where the sheet says to look for the journal: its holders' first addresses."""
    facts = [tools.mesh.view.node(node) for node in holders]
    return tuple(known.addresses[0] for known in facts if known is not None and known.addresses)
