"""Bytes that are read in order to be written anew, into another namespace too: nobody waits for the others' desks."""

from __future__ import annotations

import trio

from node.admin.services import Services
from node.vault.objects import ObjectStat
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import ByteRange, ObjectRef, PutTerms
from protocol.errors import Refused
from protocol.limits import BLOCK_PLAIN_BYTES
from tests.support.clients import some_bytes
from tests.support.shelves import B, finishing, get_from, put_into, refused
from tests.support.township import Township, in_a_township

LARGE = some_bytes(BLOCK_PLAIN_BYTES + 10)


def test_many_pour_at_once_over_a_single_desk() -> None:
    async def work(services: Services) -> None:
        ours, theirs = services.vault.shelf("photos"), services.vault.shelf("others")
        for shelf in (ours, theirs):
            await shelf.buckets.create(B)
        await put_into(ours, "large", LARGE)

        async def pour(key: str) -> None:
            async with ours.objects.poured(ObjectRef(B, "large"), lambda _found: None) as source:
                await theirs.objects.put(B, key, source, finishing(LARGE), expected_bytes=len(LARGE))

        with trio.fail_after(15):
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(pour, str(number))
        for number in range(3):
            assert await get_from(theirs, str(number)) == LARGE
        assert await refused(_refuse(ours, theirs)) == "object-key"
        await _copy_a_piece(ours)

    async def main(town: Township) -> None:
        town.desks = 1
        await town.settle(3)
        await town.on(1, lambda services: services.vault.create_namespace("others"))
        await town.on(1, work)

    in_a_township(main)


async def _refuse(ours: Shelf, theirs: Shelf) -> None:
    """Who looks at the object as it is read may refuse it; whoever waits for its bytes hears why."""

    def refuse(_found: ObjectStat) -> ByteRange:
        raise Refused("object-key", letters=0)

    async with ours.objects.poured(ObjectRef(B, "large"), refuse) as source:
        await theirs.objects.put(B, "none", source, finishing(LARGE), expected_bytes=None)


async def _copy_a_piece(ours: Shelf) -> None:
    """A part that begins in the middle of a block is read and written as well."""
    upload = await ours.uploads.begin(B, "piece", PutTerms())
    piece = ByteRange(5, BLOCK_PLAIN_BYTES + 5)
    with trio.fail_after(15):
        made = await ours.uploads.copy_part(B, "piece", upload, 1, ObjectRef(B, "large"), piece)
    assert made.size_bytes == BLOCK_PLAIN_BYTES
