"""A tenancy that serves: everything that works on one namespace while its writer runs, put together.

Puts and gets are called from above. What keeps the house works by itself beside them: blocks are completed, small
objects packed, and what nothing refers to any more is released. All of them write through the one journal and read
the one catalog, and share the pins, so that nobody releases what another works on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from node.vault.blocks import BlockTools
from node.vault.catalog.catalog import Catalog
from node.vault.checkpoint.blocks import OwnBlocks
from node.vault.complete import Completer, CompleterTools
from node.vault.get import GetTools
from node.vault.journal.writer import JournalWriter
from node.vault.pack.packer import Packer, PackerTools
from node.vault.pack.reading import PackReader
from node.vault.pins import Pins
from node.vault.put import PutTools
from node.vault.read import ReadingTools, ReadInline
from node.vault.release.releaser import Releaser, ReleaserTools
from node.vault.release.unnamed import Unnamed
from node.vault.secrets import GatewaySecrets
from node.vault.spread import Spreader
from node.vault.tenancy_tools import TenancyTools
from protocol.coding.label import Stamp
from protocol.ids import NodeId
from protocol.members.cards import NodeState
from protocol.members.roster import Rules


@dataclass(frozen=True, slots=True)
class Open:
    """A tenancy that serves."""

    journal: JournalWriter
    catalog: Catalog
    put: PutTools
    reading: ReadingTools
    pins: Pins
    completer: Completer
    packer: Packer
    releaser: Releaser


def open_for(tools: TenancyTools, secrets: GatewaySecrets, journal: JournalWriter, catalog: Catalog) -> Open:
    """Put together what serves the namespace, over its running writer."""

    def rules() -> Rules:
        return tools.rules(secrets.data_class)

    pins, unnamed, blocks = Pins(), Unnamed(), block_tools(tools, secrets)
    spreader = blocks.spreader
    return Open(
        journal=journal,
        catalog=catalog,
        put=_put_tools(tools, secrets, journal, spreader, rules, pins, unnamed),
        reading=reading_for(tools, blocks, pins, journal.read_inline),
        pins=pins,
        completer=_completer(tools, journal, catalog, spreader, pins, rules),
        packer=Packer(PackerTools(tools.host, blocks, journal, catalog, pins, unnamed, rules, tools.pack_every_s)),
        releaser=_releaser(tools, secrets, journal, catalog, pins, unnamed),
    )


def reading_for(tools: TenancyTools, blocks: BlockTools, pins: Pins, inline: ReadInline) -> ReadingTools:
    """What objects are read with; `inline` reads those that ride in the journal."""
    return ReadingTools(
        inline=inline,
        packs=PackReader(blocks, tools.holders, pins, leaves_deadline_s=tools.hedge_after_s),
        pins=pins,
        get=GetTools(tools.host, tools.engine, tools.desks, tools.gatherer, tools.blocks_in_flight, tools.stall_s),
    )


def block_tools(tools: TenancyTools, secrets: GatewaySecrets) -> BlockTools:
    """What the namespace's own blocks are stored and read with."""
    spreader = Spreader(tools.holders, secrets.writer_key, tools.spread_times)
    return BlockTools(tools.host, tools.engine, tools.desks, tools.gatherer, spreader, secrets.namespace)


def table_blocks(tools: TenancyTools, secrets: GatewaySecrets, stamp: Callable[[], Stamp]) -> OwnBlocks:
    """Where the namespace's tables are."""
    return OwnBlocks(block_tools(tools, secrets), lambda: tools.rules_answering(secrets.data_class), stamp)


async def keep_house(serving: Open) -> None:
    """Complete, pack and release until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serving.completer.run)
        nursery.start_soon(serving.packer.run)
        nursery.start_soon(serving.releaser.run)


def _put_tools(
    tools: TenancyTools,
    secrets: GatewaySecrets,
    journal: JournalWriter,
    spreader: Spreader,
    rules: Callable[[], Rules],
    pins: Pins,
    unnamed: Unnamed,
) -> PutTools:
    return PutTools(
        host=tools.host,
        engine=tools.engine,
        desks=tools.desks,
        namespace=secrets.namespace,
        spreader=spreader,
        journal=journal,
        rules=rules,
        pins=pins,
        unnamed=unnamed,
        blocks_in_flight=tools.blocks_in_flight,
        stall_s=tools.stall_s,
    )


def _completer(
    tools: TenancyTools,
    journal: JournalWriter,
    catalog: Catalog,
    spreader: Spreader,
    pins: Pins,
    rules: Callable[[], Rules],
) -> Completer:
    completing = CompleterTools(
        host=tools.host,
        engine=tools.engine,
        desks=tools.desks,
        gatherer=tools.gatherer,
        spreader=spreader,
        journal=journal,
        catalog=catalog,
        pins=pins,
        complete_after_s=tools.complete_after_s,
    )
    return Completer(completing, rules)


def _releaser(
    tools: TenancyTools,
    secrets: GatewaySecrets,
    journal: JournalWriter,
    catalog: Catalog,
    pins: Pins,
    unnamed: Unnamed,
) -> Releaser:
    def is_member(node: NodeId) -> bool:
        facts = tools.mesh.view.node(node)
        return facts is not None and facts.state is not NodeState.LEFT

    return Releaser(
        ReleaserTools(
            host=tools.host,
            namespace=secrets.namespace,
            writer=secrets.writer_key,
            holders=tools.holders,
            journal=journal,
            catalog=catalog,
            pins=pins,
            unnamed=unnamed,
            is_member=is_member,
            release_every_s=tools.release_every_s,
        )
    )
