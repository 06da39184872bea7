"""Which blocks a catalog names is read while it changes, and none is missed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from node.vault.catalog import named
from node.vault.catalog.catalog import Catalog
from node.vault.catalog.named import NamedBlocks
from protocol.errors import MaillonError
from protocol.ids import BlockId, Digest
from protocol.namespace.changes import (
    BlockRef,
    BlocksReleased,
    Change,
    InlineRef,
    ObjectDeleted,
    ObjectsPacked,
    PackedObject,
    PartPut,
    UploadAborted,
)
from protocol.namespace.inventories import Part
from sim.host.scheduling import run_deterministically
from tests.support.inventories import NAMESPACE, Scene, scene
from tests.support.namespaces import block_ref, object_put, some

UPLOAD = bytes(16)


async def test_a_catalog_that_is_begun_anew_meanwhile_names_nothing(autojump_clock: MockClock) -> None:
    stage = await scene()
    reading = NamedBlocks(stage.catalog, NAMESPACE, Part(0, 0), 10)
    await reading.begin()
    await stage.catalog.start_over()
    stage.catalog.set_ready()
    with pytest.raises(MaillonError, match="catalog-rebuilding"):
        await reading.read()


CHANGES = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 5), st.integers(0, 10)),
    st.tuples(st.just("small"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("delete"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("part"), st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("finish"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("abort"), st.just(0), st.just(0)),
    st.tuples(st.just("pack"), st.just(0), st.just(0)),
)


@dataclass
class Model:
    """Makes changes up, and remembers all blocks that they ever named."""

    stage: Scene
    made: int = 0
    ever: set[BlockId] = field(default_factory=set)

    def new_blocks(self, count: int) -> tuple[BlockRef, ...]:
        self.made += count
        found = tuple(block_ref(self.made - number) for number in range(count))
        self.ever |= {one.block for one in found}
        return found

    async def apply(self, what: str, number: int, count: int) -> None:
        await self.stage.append(self.change(what, f"k{number}", number, count))

    def change(self, what: str, key: str, number: int, count: int) -> Change:
        match what:
            case "put":
                return object_put("photos", key, number, blocks=self.new_blocks(count))
            case "small":
                return object_put("photos", key, number, inline=InlineRef(0, 10, some("key", number)))
            case "part":
                return PartPut(UPLOAD, number, 1, Digest(bytes(32)), self.new_blocks(count))
            case "finish":
                return dataclasses.replace(object_put("photos", key, number), upload=UPLOAD)
            case "abort":
                return UploadAborted(UPLOAD)
            case "delete":
                return ObjectDeleted("photos", key)
            case _:
                (pack,) = self.new_blocks(1)
                packed = [PackedObject("photos", f"k{n}", some("version", n)[:16], 0, 10) for n in range(6)]
                return ObjectsPacked(pack, tuple(packed))


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, max_size=15), st.lists(CHANGES, max_size=15), st.randoms(use_true_random=False))
def test_whatever_changes_while_it_is_read_no_named_block_is_missed(
    before: list[tuple[str, int, int]], meanwhile: list[tuple[str, int, int]], chance: Any
) -> None:
    """Every block that rows name in the end, wherever it moved, is known; and so is every one to be released."""

    async def main() -> None:
        stage = await scene()
        model = Model(stage)
        for change in before:
            await model.apply(*change)
        reading = NamedBlocks(stage.catalog, NAMESPACE, Part(0, 0), 10_000)
        await reading.begin()

        async def change_it() -> None:
            for change in meanwhile:
                for _ in range(chance.randint(0, 4)):
                    await trio.lowlevel.checkpoint()
                await model.apply(*change)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(change_it)
            await reading.read()
        reading.end()
        assert await rows_name(stage.catalog) <= {one for one in model.ever if one in reading}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(named, "ROWS_AT_ONCE", 1)
        run_deterministically(1, main)


async def rows_name(catalog: Catalog) -> set[BlockId]:
    """What the rows name now, all of them at once."""
    reading = NamedBlocks(catalog, NAMESPACE, Part(0, 0), 10_000)
    await reading.begin()
    await reading.read()
    return set(reading._found)


def test_what_everybody_let_go_of_is_named_no_more() -> None:
    async def main() -> None:
        stage = await scene()
        await stage.append(object_put("photos", "x", 1, blocks=(block_ref(1),)))
        await stage.append(ObjectDeleted("photos", "x"))
        assert await rows_name(stage.catalog) == {block_ref(1).block}
        await stage.append(BlocksReleased((block_ref(1).block,)))
        assert await rows_name(stage.catalog) == set()

    run_deterministically(1, main)
