"""Putting an object: bytes in, an acknowledged journal entry out, with a bounded number of blocks in memory.

The source is read block by block onto desks; each block is sealed under a fresh key, coded and hashed in a thread,
placed by its id and spread, while the next ones are read. Only when every block is durable is the object's change
appended to the journal: until that append is acknowledged the object does not exist, afterwards it is whole. Up to
64 KiB go into the journal entry itself. Very long objects journal their parts as they go, so that no entry grows
with the object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import trio
from blake3 import blake3

from node.first_error import first_error
from node.host.ports import Host
from node.logs import get_logger
from node.vault.journal.writer import JournalWriter
from node.vault.objects import ObjectPath, Source
from node.vault.pace import Pace
from node.vault.pins import Pins
from node.vault.release.unnamed import Unnamed, Writing
from node.vault.spread import Spreader
from node.vault.workspaces import Desk, Desks, Loan
from protocol.coding.block import EncodedBlock, encode_block
from protocol.coding.erasure import Engine
from protocol.coding.label import Stamp
from protocol.errors import Malformed, OverLimit, Unavailable
from protocol.ids import Digest, NamespaceId
from protocol.keys.sealing import seal_into, sealed_size
from protocol.limits import BLOCK_PLAIN_BYTES_MAX, INLINE_BYTES_MAX, OBJECT_BYTES_MAX
from protocol.members.roster import Rules
from protocol.namespace.changes import VERSION_BYTES, BlockRef, InlineRef, Metadata, ObjectPut, PartPut

log = get_logger(__name__)

BLOCKS_PER_PART = 512
FLIGHTS_AT_A_TIME = 2
KEY_BYTES = 32

C = TypeVar("C", ObjectPut, PartPut)


@dataclass(frozen=True, slots=True)
class PutTools:
    """What puts into one namespace work with. `rules` is asked anew for each object: members change."""

    host: Host
    engine: Engine
    desks: Desks
    namespace: NamespaceId
    spreader: Spreader
    journal: JournalWriter
    rules: Callable[[], Rules]
    pins: Pins
    unnamed: Unnamed
    blocks_in_flight: int
    stall_s: float


async def put_object(
    tools: PutTools, path: ObjectPath, source: Source, metadata: tuple[Metadata, ...], expected_bytes: int | None
) -> ObjectPut:
    """Store all bytes of `source` under `path`; return once the object is durable and named.

    Raises:
        Malformed: `object-size-changed` when `expected_bytes` are few and more of them come.
        Refused: `placement-impossible`.
        Unavailable: `holders-too-few`, `journal-quorum`, `client-stalled`.
        OverLimit: `object-size`.
    """
    with tools.unnamed.writing(tools.journal.next_position) as writing:
        put = _Put(tools, path, source, metadata, writing)
        with tools.pins.hold([put.version]):
            if expected_bytes is not None and expected_bytes <= INLINE_BYTES_MAX:
                return await put.run_small(expected_bytes)
            return await put.run()


class _Put:
    """One object on its way in."""

    def __init__(
        self, tools: PutTools, path: ObjectPath, source: Source, metadata: tuple[Metadata, ...], writing: Writing
    ) -> None:
        self.tools = tools
        self.writing = writing
        self.path = path
        self.source = source
        self.metadata = metadata
        self.rules = tools.rules()
        self.content = blake3()
        self.size_bytes = 0
        self.small: bytes | None = None
        self.pace = Pace.of(tools.blocks_in_flight)
        self.version = tools.host.entropy.random_bytes(VERSION_BYTES)

    async def run(self) -> ObjectPut:
        """Store the first part; what kind of object it is shows then."""
        part = await self._put_part()
        if self.small is not None:
            return await self._put_inline(self.small)
        if part.ended:
            return await self._append(self._change(part.blocks))
        number = 0
        while part.blocks:
            await self._append(self._part(number, part.blocks))
            number += 1
            part = _Part((), ended=True) if part.ended else await self._put_part()
        return await self._append(self._change((), upload=self.version))

    async def run_small(self, expected_bytes: int) -> ObjectPut:
        """An object that is known to ride in the journal needs no desk."""
        buffer = memoryview(bytearray(expected_bytes + 1))
        filled = await self._read(buffer)
        if filled > expected_bytes:
            raise Malformed("object-size-changed", expected_bytes=expected_bytes, found_bytes=filled)
        return await self._put_inline(bytes(buffer[:filled]))

    async def _put_part(self) -> _Part:
        """Read on and store up to `BLOCKS_PER_PART` blocks, two flights at a time."""
        flights: list[list[BlockRef]] = []
        window = trio.Semaphore(FLIGHTS_AT_A_TIME)
        room, ended = BLOCKS_PER_PART, False
        with first_error():
            async with trio.open_nursery() as nursery:
                while room and not ended:
                    await window.acquire()
                    most = min(room, self.pace.blocks)
                    loaded = await nursery.start(self._fly, most, flights, window)
                    room, ended = room - loaded.blocks, loaded.ended
        stored = tuple(reference for flight in flights for reference in flight)
        for reference in stored:
            self.content.update(reference.block)
        return _Part(stored, ended=ended)

    async def _fly(
        self,
        most: int,
        flights: list[list[BlockRef]],
        window: trio.Semaphore,
        *,
        task_status: trio.TaskStatus[_Loaded],
    ) -> None:
        """A few blocks from source to holders. Started once their bytes are read, so blocks are read in order."""
        async with self.tools.desks.loan() as loan:
            laden = await self._load(loan, most)
            flights.append(stored := [])
            task_status.started(_Loaded(len(laden), not laden or laden[-1].filled < BLOCK_PLAIN_BYTES_MAX))
            if laden:
                began_s = trio.current_time()
                stored.extend(await self._store(laden))
                self.pace = self.pace.after(len(laden), trio.current_time() - began_s)
        window.release()

    async def _load(self, loan: Loan, most: int) -> list[_Laden]:
        """Read block after block, up to `most`, for as long as the source has more and a desk is free."""
        laden: list[_Laden] = []
        desk: Desk | None = loan.held[0]
        is_first = self.size_bytes == 0
        while desk is not None:
            filled = await self._read(desk.plain)
            if is_first and not laden and filled <= INLINE_BYTES_MAX:
                self.small = bytes(desk.plain[:filled])
                return []
            if filled:
                laden.append(_Laden(desk, filled, self.tools.host.entropy.random_bytes(KEY_BYTES)))
            full = filled == BLOCK_PLAIN_BYTES_MAX and len(laden) < most
            desk = loan.more() if full else None
        return laden

    async def _read(self, buffer: memoryview) -> int:
        """Fill the buffer from the source, as far as it goes."""
        with trio.move_on_after(self.tools.stall_s) as stall:
            filled = await self.source.receive_into(buffer)
        if stall.cancelled_caught:
            raise Unavailable("client-stalled", after_s=int(self.tools.stall_s))
        self.size_bytes += filled
        if self.size_bytes > OBJECT_BYTES_MAX:
            raise OverLimit("object-size", limit_bytes=OBJECT_BYTES_MAX)
        return filled

    async def _put_inline(self, plain: bytes) -> ObjectPut:
        self.content.update(plain)
        if not plain:
            return await self._append(self._change(()))
        key = self.tools.host.entropy.random_bytes(KEY_BYTES)
        sealed = bytearray(sealed_size(len(plain)))
        seal_into(key, plain, memoryview(sealed))
        return await self._append(self._change((), inline=InlineRef(0, len(sealed), key)), [bytes(sealed)])

    async def _store(self, laden: list[_Laden]) -> list[BlockRef]:
        """Seal, code, place and spread what lies on the desks: together, so that shares can travel together."""
        encoded = await self.tools.host.threads.run_blocking(self._encode, laden)
        await self.tools.host.faults.reach("vault.before-spread")
        position = self.tools.journal.next_position
        stamp = Stamp(position.epoch, position.position)
        nodes = [candidate.node for candidate in self.rules.candidates]
        self.writing.spreads((block.header.block_id for block in encoded), nodes)
        spread = await self.tools.spreader.spread(encoded, self.rules, stamp, self._keep_until_s())
        await self.tools.host.faults.reach("vault.after-spread")
        return [
            BlockRef(
                block.header.block_id, one.key, one.filled, block.header.k, block.header.n, at.placing, at.missing
            )
            for one, block, at in zip(laden, encoded, spread, strict=True)
        ]

    def _encode(self, laden: list[_Laden]) -> list[EncodedBlock]:
        """Blocking."""
        code = self.rules.code
        return [
            encode_block(
                self.tools.engine,
                plain=one.desk.plain[: one.filled],
                key=one.key,
                k=code.k,
                n=code.n,
                data_class=self.rules.data_class.name,
                namespace=self.tools.namespace,
                workspace=one.desk.workspace(code.k, code.n),
            )
            for one in laden
        ]

    async def _append(self, change: C, inline: Sequence[bytes] = ()) -> C:
        await self.tools.host.faults.reach("vault.before-journal")
        named = [reference.block for reference in change.blocks]
        await self.writing.journal(self.tools.journal, change, named, inline)
        log.debug("object.named", version=self.version, blocks=named)
        await self.tools.host.faults.reach("vault.after-journal")
        return change

    def _keep_until_s(self) -> int:
        keep_s = self.rules.data_class.keep_s
        return self.tools.host.wall.now_s() + keep_s if keep_s else 0

    def _change(
        self, blocks: tuple[BlockRef, ...], *, inline: InlineRef | None = None, upload: bytes | None = None
    ) -> ObjectPut:
        return ObjectPut(
            bucket=self.path.bucket,
            key=self.path.key,
            version=self.version,
            size_bytes=self.size_bytes,
            digest=Digest(self.content.digest()),
            modified_s=self.tools.host.wall.now_s(),
            data_class=self.rules.data_class.name,
            blocks=blocks,
            inline=inline,
            upload=upload,
            metadata=self.metadata,
            retain_until_s=self._keep_until_s(),
        )

    def _part(self, number: int, blocks: tuple[BlockRef, ...]) -> PartPut:
        size_bytes = sum(block.size_bytes for block in blocks)
        return PartPut(self.version, number, size_bytes, Digest(self.content.digest()), blocks)


@dataclass(frozen=True, slots=True)
class _Laden:
    """A desk with a block's plain bytes on it, and the block's fresh key."""

    desk: Desk
    filled: int
    key: bytes


@dataclass(frozen=True, slots=True)
class _Loaded:
    """How many blocks a flight took from the source; `ended` when that had no more."""

    blocks: int
    ended: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """Stored blocks in order; `ended` when the source had no more."""

    blocks: tuple[BlockRef, ...]
    ended: bool
