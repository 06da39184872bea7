"""The bytes of an object or a part on their way in: from a source to holders, with few blocks in memory.

The source is read block by block onto desks; each block is sealed under a fresh key, coded and hashed in a thread,
placed by its id and spread, while the next ones are read. Bytes that are few enough to ride in the journal are not
spread but kept. What has been stored so far belongs to nobody until whoever asked for it journals it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import trio
from blake3 import blake3

from node.first_error import first_error
from node.host.ports import Host
from node.stalls import not_stalled
from node.vault.catalog.catalog import Catalog
from node.vault.departures import Departures
from node.vault.journal.writer import JournalWriter
from node.vault.objects import Source
from node.vault.pace import SLOW_CLIENT_S, Pace, Paces
from node.vault.pins import Pins
from node.vault.release.unnamed import Unnamed, Writing
from node.vault.shelf.turns import Turns
from node.vault.spread import Spreader
from node.vault.versions import Versions
from node.vault.workspaces import Desk, Desks, Loan
from protocol.coding.block import EncodedBlock, encode_block
from protocol.coding.erasure import Engine
from protocol.coding.label import Stamp
from protocol.errors import Malformed, OverLimit
from protocol.ids import Digest, NamespaceId
from protocol.limits import BLOCK_PLAIN_BYTES, BLOCK_PLAIN_BYTES_MAX
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockRef
from protocol.quick_init import quick_init

FLIGHTS_AT_A_TIME = 2
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class PutTools:
    """What puts into one namespace work with. `rules` is asked anew for each object: members change."""

    host: Host
    engine: Engine
    desks: Desks
    namespace: NamespaceId
    spreader: Spreader
    journal: JournalWriter
    catalog: Catalog
    turns: Turns
    versions: Versions
    rules: Callable[[], Rules]
    pins: Pins
    unnamed: Unnamed
    paces: Paces
    departures: Departures
    stall_s: float


@quick_init
@dataclass(frozen=True, slots=True)
class Bounds:
    """At most so many bytes in all; if there are no more than `small_bytes` of them, they are not made blocks of.
    `expected_bytes` will likely come."""

    most_bytes: int
    small_bytes: int = -1
    expected_bytes: int | None = None


class Intake:
    """The bytes of one source. `content` is the digest of the ids of all blocks so far, or of the small bytes."""

    def __init__(
        self, tools: PutTools, source: Source, writing: Writing, rules: Rules, keep_until_s: int, bounds: Bounds
    ) -> None:
        self.tools = tools
        self.rules = rules
        self.size_bytes = 0
        self.small: bytes | None = None
        self._source = source
        self._writing = writing
        self._keep_until_s = keep_until_s
        self._bounds = bounds
        self._content = blake3()

    @cached_property
    def _pace(self) -> Pace:
        """Of the next flight; small bytes have none."""
        return self.tools.paces.first(trio.current_time())

    @property
    def digest(self) -> Digest:
        """Of all that has come so far."""
        return Digest(self._content.digest())

    async def read_small(self, expected_bytes: int) -> bytes:
        """All bytes, which are known to be few: they need no desk.

        Raises:
            Malformed: `object-size-changed` when there are more of them than expected. And what the source raises.
        """
        buffer = memoryview(bytearray(expected_bytes + 1))
        filled = await self._read(buffer)
        if filled > expected_bytes:
            raise Malformed("object-size-changed", expected_bytes=expected_bytes, found_bytes=filled)
        return self._keep_small(bytes(buffer[:filled]))

    async def read_blocks(self, most: int) -> Stored:
        """Read on and store up to `most` blocks, two flights at a time.

        Raises:
            Refused: `placement-impossible`. Unavailable: `holders-too-few`, `client-stalled`.
            OverLimit: `object-size`. And what the source raises.
        """
        flights: list[list[BlockRef]] = []
        window = trio.Semaphore(FLIGHTS_AT_A_TIME)
        room, ended = most, False
        with first_error():
            async with trio.open_nursery() as nursery:
                while room and not ended:
                    await window.acquire()
                    loaded = await nursery.start(self._fly, min(room, self._pace.blocks), flights, window)
                    room, ended = room - loaded.blocks, loaded.ended
        stored = tuple(reference for flight in flights for reference in flight)
        for reference in stored:
            self._content.update(reference.block)
        return Stored(stored, ended=ended)

    def _keep_small(self, plain: bytes) -> bytes:
        self._content.update(plain)
        self.small = plain
        return plain

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
            with self.tools.departures.coming() as departing:
                laden = await self._load(loan, most)
                flights.append(stored := [])
                task_status.started(_Loaded(len(laden), not laden or not laden[-1].is_full))
                if laden:
                    encoded = await self.tools.host.threads.run_blocking(self._encode, laden)
                    await self.tools.departures.depart(departing, len(laden), self._pace.blocks)
            if laden:
                began_s = trio.current_time()
                stored.extend(await self._store(laden, encoded))
                now_s = trio.current_time()
                self._pace = self.tools.paces.note(self._pace.after(len(laden), now_s - began_s), now_s)
        window.release()

    async def _load(self, loan: Loan, most: int) -> list[_Laden]:
        """Read block after block, up to `most`, for as long as the source has more and a desk is free. What comes
        slowly is not collected: it would keep desks from others."""
        laden: list[_Laden] = []
        desk: Desk | None = loan.held[0]
        is_first = self.size_bytes == 0
        while desk is not None:
            room = desk.plain[: self._next_block_bytes()]
            filled, took_s = await self._read_in_time(room)
            if is_first and not laden and filled <= self._bounds.small_bytes:
                self._keep_small(bytes(desk.plain[:filled]))
                return []
            is_full = filled == len(room)
            if filled:
                key = self.tools.host.entropy.random_bytes(KEY_BYTES)
                laden.append(_Laden(desk, filled, key, is_full=is_full))
            desk = loan.more() if is_full and took_s <= SLOW_CLIENT_S and len(laden) < most else None
        return laden

    def _next_block_bytes(self) -> int:
        """A block has a little more than the others where that is all that is left: as a block of its own it would
        cost as much as a large one. (A part of 16 MiB is 4,096 bytes more than four blocks.)"""
        expected_bytes = self._bounds.expected_bytes
        if expected_bytes is not None and 0 < expected_bytes - self.size_bytes <= BLOCK_PLAIN_BYTES_MAX:
            return BLOCK_PLAIN_BYTES_MAX
        return BLOCK_PLAIN_BYTES

    async def _read_in_time(self, buffer: memoryview) -> tuple[int, float]:
        """Fill a desk, which nobody keeps for long who does not send; also how long it took."""
        began_s = trio.current_time()
        with not_stalled(self.tools.stall_s):
            filled = await self._read(buffer)
        return filled, trio.current_time() - began_s

    async def _read(self, buffer: memoryview) -> int:
        """Fill the buffer from the source, as far as it goes."""
        filled = await self._source.receive_into(buffer)
        self.size_bytes += filled
        if self.size_bytes > self._bounds.most_bytes:
            raise OverLimit("object-size", limit_bytes=self._bounds.most_bytes)
        return filled

    async def _store(self, laden: list[_Laden], encoded: list[EncodedBlock]) -> list[BlockRef]:
        """Place and spread what lies on the desks: together, so that shares can travel together."""
        await self.tools.host.faults.reach("vault.before-spread")
        position = self.tools.journal.next_position
        stamp = Stamp(position.epoch, position.position)
        nodes = [candidate.node for candidate in self.rules.candidates]
        self._writing.spreads((block.block_id for block in encoded), nodes)
        spread = await self.tools.spreader.spread(encoded, self.rules, stamp, self._keep_until_s)
        await self.tools.host.faults.reach("vault.after-spread")
        return [
            BlockRef(block.block_id, one.key, one.filled, block.header.k, block.header.n, at.placing, at.missing)
            for one, block, at in zip(laden, encoded, spread, strict=True)
        ]

    def _encode(self, laden: list[_Laden]) -> list[EncodedBlock]:
        """Seal, code and hash. Blocking."""
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


@dataclass(frozen=True, slots=True)
class _Laden:
    """A desk with a block's plain bytes on it, and the block's fresh key. Not full: the source had no more."""

    desk: Desk
    filled: int
    key: bytes
    is_full: bool


@dataclass(frozen=True, slots=True)
class _Loaded:
    """How many blocks a flight took from the source; `ended` when that had no more."""

    blocks: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """Stored blocks in order; `ended` when the source had no more."""

    blocks: tuple[BlockRef, ...]
    ended: bool
