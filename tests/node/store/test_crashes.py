"""After a crash at any operation: what was acknowledged reads back, and nothing that reads back is wrong."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from node.store.config import DiskConfig, StoreConfig
from node.store.shares import ShareKey
from node.store.store import Store
from protocol.errors import Missing, Unavailable
from protocol.limits import MIB
from sim.host.scheduling import run_deterministically
from tests.support.crashing import Crash, Machine
from tests.support.shares import TestBlock, make_block

LIMITS = StoreConfig((), volume_bytes=60_000, batch_bytes_max=30_000, index_lag_max=4)
ONE_DISK = replace(LIMITS, disks=(DiskConfig("d", 100 * MIB, 0),))
TWO_DISKS = replace(LIMITS, disks=(DiskConfig("d", 100 * MIB, 0), DiskConfig("e", 200_000, 0)))
BLOCKS = 12
INDEXES = 3


def block_of(number: int) -> TestBlock:
    # Shares of many sizes: less than a page, whole pages, several pages and a rest.
    return make_block(number, size_bytes=(900, 8_176, 20_000, 12_345)[number % 4])


@dataclass
class Life:
    """What a store said, over all its crashes."""

    machine: Machine
    config: StoreConfig = ONE_DISK
    held: set[ShareKey] = field(default_factory=set)
    gone: set[ShareKey] = field(default_factory=set)
    in_doubt: set[ShareKey] = field(default_factory=set)

    async def put(self, store: Store, number: int, index: int) -> None:
        block = block_of(number)
        key = block.key(index)
        was_gone = key not in self.held
        if was_gone:
            self.in_doubt.add(key)
        await store.put_share(block.label, block.proofs[index], [block.shares[index]])
        self.in_doubt.discard(key)
        self.held.add(key)

    async def delete(self, store: Store, number: int, index: int) -> None:
        key = block_of(number).key(index)
        if key in self.held:
            self.held.discard(key)
            self.in_doubt.add(key)
        await store.delete_share(key.block, key.index)
        if key in self.in_doubt:
            self.in_doubt.discard(key)

    async def check(self, store: Store) -> None:
        """Whatever is in doubt was decided by the crash; look, and hold the store to it from now on."""
        for number in range(BLOCKS):
            block = block_of(number)
            (mask,) = await store.held([block.block])
            for index in range(INDEXES):
                await self._check_share(store, block, index, is_held=bool(mask >> index & 1))

    async def _check_share(self, store: Store, block: TestBlock, index: int, *, is_held: bool) -> None:
        key = block.key(index)
        try:
            share = await store.get_share(block.block, index)
            assert share.data == block.shares[index]
            assert share.facts == block.facts(index)
            found = True
            share.release()
        except Missing:
            found = False
        assert found == is_held
        if key in self.in_doubt:
            self.in_doubt.discard(key)
            (self.held if found else self.gone).add(key)
        assert found == (key in self.held), (block.label.stamp.position, index)


async def live(life: Life, actions: Callable[[Store], Awaitable[None]]) -> None:
    """Run a store until `actions` are done or the machine crashes."""
    store = Store(life.machine.host(), life.config)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            await life.check(store)
            await actions(store)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        others = group.split((Crash, trio.Cancelled))[1]
        if others is not None:
            raise others from None
        life.machine.is_dead = True
    except Crash:
        life.machine.is_dead = True


async def random_actions(life: Life, store: Store, *, failing: bool) -> None:
    random = life.machine.random
    if failing:
        spoil(life.machine)
    for _ in range(random.randrange(1, 6)):
        async with trio.open_nursery() as nursery:
            busy: set[tuple[int, int]] = set()
            for _ in range(random.randrange(1, 6)):
                what = random.randrange(BLOCKS), random.randrange(INDEXES)
                if what in busy:
                    continue
                busy.add(what)
                act = life.put if random.random() < 0.65 else life.delete
                nursery.start_soon(quietly, act, store, *what)
        if random.random() < 0.2:
            await quietly(store.compact)


async def nothing(_store: Store) -> None:
    """The last life only looks back."""


async def quietly(act: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """The writer dies of the crash itself; those who wait for it are only told that it closed."""
    try:
        await act(*arguments)
    except Unavailable as error:
        if error.identifier == "store-closed":
            await trio.sleep_forever()
        assert error.identifier in ("store-full", "store-failing")


def spoil(machine: Machine) -> None:
    """Some of the next writes and syncs fail."""
    codes = (0, 0, 0, 0, errno.EIO, errno.ENOSPC)
    machine.write_errors = [machine.random.choice(codes) for _ in range(20)]
    machine.sync_errors = [machine.random.choice(codes) for _ in range(20)]


async def many_lives(seed: int, *, holes: bool, failing: bool = False, config: StoreConfig = ONE_DISK) -> None:
    machine = Machine(seed)
    machine.holes = holes
    life = Life(machine, config)
    for _ in range(6):
        machine.crash_at = machine.operations + machine.random.randrange(5, 60)
        with trio.fail_after(60):
            await live(life, partial(random_actions, life, failing=failing))
        machine.write_errors, machine.sync_errors = [], []
        machine.crash()
    await live(life, nothing)
    assert not machine.is_dead


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), holes=st.booleans())
@example(seed=6_000_068, holes=False)
def test_nor_does_a_disk_that_fails_now_and_then_lose_it(seed: int, holes: bool) -> None:
    run_deterministically(seed, partial(many_lives, seed, holes=holes, failing=True, config=TWO_DISKS))


@pytest.mark.parametrize("holes", [True, False])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_what_was_acknowledged_survives_any_crash(seed: int, holes: bool) -> None:
    run_deterministically(seed, partial(many_lives, seed, holes=holes))
