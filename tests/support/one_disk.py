"""A store on disks in memory, holding shares of one size, so that a test knows where each of them stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from node.store.config import DiskConfig, StoreConfig
from node.store.handles import volume_path
from node.store.store import Store
from node.store.volume import SHARE_STEP_BYTES
from protocol.errors import Damaged, Missing
from protocol.limits import MIB
from tests.support.crashing import Machine
from tests.support.shares import TestBlock, make_block

PAGE = SHARE_STEP_BYTES
SHARE_BYTES = 10_000
ENTRY_BYTES = PAGE + 3 * PAGE
ONE = StoreConfig((DiskConfig("d", 100 * MIB, 0),), index_lag_max=1)
TWO = StoreConfig((DiskConfig("d", 100 * MIB, 0), DiskConfig("e", 99 * MIB, 0)), index_lag_max=1)


def block_of(number: int) -> TestBlock:
    """Share 0 has 10,000 bytes: its entry has a page in front and three of payload."""
    return make_block(number, size_bytes=2 * SHARE_BYTES - 16)


@asynccontextmanager
async def running(machine: Machine, config: StoreConfig = ONE) -> AsyncIterator[Store]:
    store = Store(machine.host(), config)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


async def put(store: Store, *numbers: int) -> None:
    for number in numbers:
        block = block_of(number)
        await store.put_share(block.label, block.proofs[0], [block.shares[0]])


async def readable(store: Store, *numbers: int) -> list[int]:
    """Which of the blocks read back; whatever reads back must be right."""
    good = []
    for number in numbers:
        block = block_of(number)
        try:
            share = await store.get_share(block.block, 0)
        except (Missing, Damaged):
            continue
        assert share.data == block.shares[0]
        good.append(number)
    return good


def volume(machine: Machine, number: int = 1, disk: str = "d") -> bytearray:
    """The bytes of a volume, to be spoiled; only while no store runs."""
    content = machine.files[disk][volume_path(number)]
    content.durable = content.current
    return content.current


def place_of(position: int) -> int:
    """Where the entry of the share that was put as number `position` begins."""
    return PAGE + position * ENTRY_BYTES


async def filled(machine: Machine, count: int = 5) -> None:
    async with running(machine) as store:
        await put(store, *range(count))
    assert len(volume(machine)) == place_of(count)
