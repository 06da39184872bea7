"""A tenancy that serves: everything that works on one namespace while its writer runs, put together.

Puts and gets are called from above. What keeps the house works by itself beside them: blocks are completed, small
objects packed, what nothing refers to any more is released, and what cut-off writes left is found. All of them write
through the one journal and read the one catalog, and share the pins, so that nobody releases what another works on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import trio

from node.vault.blocks import BlockTools, fetch_block
from node.vault.catalog.catalog import Catalog
from node.vault.checkpoint.blocks import OwnBlocks
from node.vault.checkpoint.writing import fetch_manifest
from node.vault.complete import Completer, CompleterTools
from node.vault.departures import Departures
from node.vault.get import GetTools
from node.vault.intake import PutTools
from node.vault.journal.writer import JournalWriter
from node.vault.leaves import LeafReader
from node.vault.pace import Paces
from node.vault.pack.packer import Packer, PackerTools
from node.vault.pack.reading import PackReader
from node.vault.pins import Pins
from node.vault.read import ReadingTools, ReadInline
from node.vault.release.inventory import Inventory, InventoryTools
from node.vault.release.releaser import Releaser, ReleaserTools
from node.vault.release.unnamed import Unnamed
from node.vault.secrets import GatewaySecrets
from node.vault.shelf.turns import Turns
from node.vault.spread import Spreader
from node.vault.tenancy_tools import TenancyTools
from node.vault.versions import Versions
from protocol.coding.label import Stamp
from protocol.ids import NamespaceId
from protocol.keys.signing import SigningKey
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockRef, Checkpoint
from protocol.namespace.journal import Opening


class Read(Protocol):
    """The journal that a namespace is read by: one's own, or one that is followed."""

    @property
    def opening(self) -> Opening:
        """The newest epoch's."""

    def require_lease(self) -> None:
        """Raise why what is here may be too old to be read."""


class Readable(Protocol):
    """A tenancy that may be read."""

    @property
    def journal(self) -> Read: ...

    @property
    def catalog(self) -> Catalog: ...

    @property
    def reading(self) -> ReadingTools: ...


@dataclass(frozen=True, slots=True)
class Open:
    """A tenancy that serves."""

    journal: JournalWriter
    catalog: Catalog
    put: PutTools
    reading: ReadingTools
    pins: Pins
    unnamed: Unnamed
    completer: Completer
    packer: Packer
    releaser: Releaser
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class _Parts:
    """What all that works on one namespace shares."""

    tools: TenancyTools
    secrets: GatewaySecrets
    journal: JournalWriter
    catalog: Catalog
    blocks: BlockTools
    pins: Pins
    unnamed: Unnamed

    def rules(self) -> Rules:
        """The rules for new blocks, by the view of this moment."""
        return self.tools.rules(self.secrets.data_class)


def open_for(tools: TenancyTools, secrets: GatewaySecrets, journal: JournalWriter, catalog: Catalog) -> Open:
    """Put together what serves the namespace, over its running writer."""
    blocks = block_tools(tools, secrets.writer_key, secrets.namespace)
    parts = _Parts(tools, secrets, journal, catalog, blocks, Pins(), Unnamed())
    return Open(
        journal=journal,
        catalog=catalog,
        put=_put_tools(parts),
        reading=reading_for(tools, blocks, parts.pins, journal.read_inline),
        pins=parts.pins,
        unnamed=parts.unnamed,
        completer=_completer(parts),
        packer=_packer(parts),
        releaser=_releaser(parts),
        inventory=_inventory(parts),
    )


def reading_for(tools: TenancyTools, blocks: BlockTools, pins: Pins, inline: ReadInline) -> ReadingTools:
    """What objects are read with; `inline` reads those that ride in the journal."""
    leaves = LeafReader(tools.holders, tools.hedge_after_s)
    return ReadingTools(
        inline=inline,
        packs=PackReader(blocks, leaves, pins, tools.recent),
        leaves=leaves,
        pins=pins,
        get=GetTools(tools.host, tools.engine, tools.desks, tools.gatherer, tools.blocks_in_flight, tools.stall_s),
        pouring_desks=tools.pouring_desks,
    )


def block_tools(tools: TenancyTools, writer_key: SigningKey, namespace: NamespaceId) -> BlockTools:
    """What a namespace's own blocks are stored with, under this key, and read."""
    spreader = Spreader(tools.holders, writer_key, tools.spread_times)
    return BlockTools(tools.host, tools.engine, tools.desks, tools.gatherer, spreader, namespace)


def table_blocks(tools: TenancyTools, secrets: GatewaySecrets, stamp: Callable[[], Stamp]) -> OwnBlocks:
    """Where the namespace's tables are."""
    blocks = block_tools(tools, secrets.writer_key, secrets.namespace)
    return OwnBlocks(blocks, lambda: tools.rules_answering(secrets.data_class), stamp)


async def keep_house(serving: Open) -> None:
    """Complete, pack, release and take inventories until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serving.completer.run)
        nursery.start_soon(serving.packer.run)
        nursery.start_soon(serving.releaser.run)
        nursery.start_soon(serving.inventory.run)


def _put_tools(parts: _Parts) -> PutTools:
    tools = parts.tools
    return PutTools(
        host=tools.host,
        engine=tools.engine,
        desks=tools.desks,
        namespace=parts.secrets.namespace,
        spreader=parts.blocks.spreader,
        journal=parts.journal,
        catalog=parts.catalog,
        turns=Turns(parts.journal),
        versions=Versions(tools.host.entropy),
        rules=parts.rules,
        pins=parts.pins,
        unnamed=parts.unnamed,
        paces=Paces(tools.blocks_in_flight),
        departures=Departures(),
        stall_s=tools.stall_s,
    )


def _completer(parts: _Parts) -> Completer:
    tools = parts.tools
    completing = CompleterTools(
        host=tools.host,
        engine=tools.engine,
        desks=tools.desks,
        gatherer=tools.gatherer,
        spreader=parts.blocks.spreader,
        journal=parts.journal,
        catalog=parts.catalog,
        pins=parts.pins,
        complete_after_s=tools.complete_after_s,
    )
    return Completer(completing, parts.rules)


def _packer(parts: _Parts) -> Packer:
    return Packer(
        PackerTools(
            host=parts.tools.host,
            blocks=parts.blocks,
            journal=parts.journal,
            catalog=parts.catalog,
            pins=parts.pins,
            unnamed=parts.unnamed,
            rules=parts.rules,
            pack_every_s=parts.tools.pack_every_s,
        )
    )


def _releaser(parts: _Parts) -> Releaser:
    tools = parts.tools
    return Releaser(
        ReleaserTools(
            host=tools.host,
            namespace=parts.secrets.namespace,
            writer=parts.secrets.writer_key,
            holders=tools.holders,
            journal=parts.journal,
            catalog=parts.catalog,
            pins=parts.pins,
            unnamed=parts.unnamed,
            is_member=tools.is_member,
            release_every_s=tools.release_every_s,
        )
    )


def _inventory(parts: _Parts) -> Inventory:
    tools = parts.tools

    async def table_blocks(checkpoint: Checkpoint) -> Sequence[BlockRef]:
        manifest = await fetch_manifest(tools.host, partial(fetch_block, parts.blocks), checkpoint)
        return manifest.blocks()

    return Inventory(
        InventoryTools(
            host=tools.host,
            namespace=parts.secrets.namespace,
            writer=parts.secrets.writer_key,
            holders=tools.holders,
            journal=parts.journal,
            catalog=parts.catalog,
            unnamed=parts.unnamed,
            table_blocks=table_blocks,
            members=tools.members,
            every_s=tools.inventory_every_s,
        )
    )
