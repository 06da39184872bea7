"""Blocks one by one: what a gateway stores for itself (packs, tables), and how any block is opened.

Objects go in and out several blocks at a time (`put`, `get`); what the gateway itself makes of its namespace is a
block at a time, and small enough in number not to hurry. It is stored and read by the same rules: sealed under a
fresh key, durable by the rule of a put, checked by its seal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.host.ports import Buffer, Host
from node.logs import get_logger
from node.vault.gather import Gathered, Gatherer
from node.vault.holders import Checking
from node.vault.release.unnamed import Writing
from node.vault.spread import Spreader
from node.vault.workspaces import Desk, Desks
from protocol.coding.block import EncodedBlock, Workspace, decode_block, encode_block, open_block
from protocol.coding.erasure import Engine
from protocol.coding.label import Stamp
from protocol.errors import Forged
from protocol.ids import NamespaceId
from protocol.keys.sealing import SEALING_KEY_BYTES
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockRef

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A block, and the desk on which it is opened."""

    desk: Desk
    reference: BlockRef

    @property
    def workspace(self) -> Workspace:
        """Where its shares are received."""
        return self.desk.workspace(self.reference.k, self.reference.n)

    @property
    def plain(self) -> memoryview:
        """The block's plain bytes, once it is opened."""
        return self.desk.plain[: self.reference.size_bytes]


@dataclass(frozen=True, slots=True)
class BlockReader:
    """What opening blocks takes."""

    host: Host
    engine: Engine
    gatherer: Gatherer

    async def open_onto(self, desk: Desk, reference: BlockRef) -> memoryview:
        """`open_all` of one block; its plain bytes, on the desk."""
        page = Page(desk, reference)
        await self.open_all([page])
        return page.plain

    async def open_all(self, pages: Sequence[Page]) -> None:
        """Gather and open blocks, together, each on its desk.

        The seal proves every byte, so shares are checked one by one only if it breaks.

        Raises:
            Unavailable: `block-unreadable`.
            Forged: `seal`, should k good shares ever open to nonsense.
        """
        for page, broken in await self._open(pages, Checking.BY_SEAL):
            log.warning("block.seal-broken", block=page.reference.block, error=str(broken))
            for _page, broken_again in await self._open([page], Checking.NOW):
                raise broken_again

    async def _open(self, pages: Sequence[Page], checking: Checking) -> list[tuple[Page, Forged]]:
        """Open the pages; those whose seal broke, and where."""
        wanted = [(page.reference, page.workspace) for page in pages]
        gathered = await self.gatherer.gather_all(wanted, checking)
        return await self.host.threads.run_blocking(_open, self.engine, gathered, pages)


@dataclass(frozen=True, slots=True)
class BlockTools:
    """What a namespace's own blocks are stored and read with."""

    host: Host
    engine: Engine
    desks: Desks
    gatherer: Gatherer
    spreader: Spreader
    namespace: NamespaceId


async def store_block(
    tools: BlockTools,
    plain: Buffer,
    rules: Rules,
    stamp: Stamp,
    keep_until_s: int = 0,
    writing: Writing | None = None,
) -> BlockRef:
    """Seal, code, place and spread `plain`; durable on return, by the code and the candidates of `rules`.

    `writing` notes the block before it is spread, so that a failure leaves nothing behind for good.

    Raises:
        Refused: `placement-impossible`. Unavailable: `holders-too-few`.
    """
    code, key = rules.code, tools.host.entropy.random_bytes(SEALING_KEY_BYTES)
    async with tools.desks.desk() as desk:
        workspace = desk.workspace(code.k, code.n)

        def encode() -> EncodedBlock:
            return encode_block(
                tools.engine,
                plain=plain,
                key=key,
                k=code.k,
                n=code.n,
                data_class=rules.data_class.name,
                namespace=tools.namespace,
                workspace=workspace,
            )

        encoded = await tools.host.threads.run_blocking(encode)
        if writing is not None:
            writing.spreads([encoded.block_id], (candidate.node for candidate in rules.candidates))
        (spread,) = await tools.spreader.spread([encoded], rules, stamp, keep_until_s)
    return BlockRef(
        encoded.block_id,
        key,
        memoryview(plain).nbytes,
        code.k,
        code.n,
        spread.placing,
        spread.missing,
    )


async def fetch_block(tools: BlockTools, reference: BlockRef) -> bytes:
    """The plain bytes of a block. Raises what `BlockReader.open_onto` raises."""
    reader = BlockReader(tools.host, tools.engine, tools.gatherer)
    async with tools.desks.desk() as desk:
        return bytes(await reader.open_onto(desk, reference))


def _open(engine: Engine, gathered: Sequence[Gathered], pages: Sequence[Page]) -> list[tuple[Page, Forged]]:
    """Decode where needed and open each block onto its desk's plain buffer; those that do not open. Blocking."""
    broken = []
    for shares, page in zip(gathered, pages, strict=True):
        sealed = decode_block(engine, shares.header, shares.present, page.workspace)
        try:
            open_block(page.reference.key, shares.header, sealed, page.desk.plain)
        except Forged as error:
            broken.append((page, error))
    return broken
