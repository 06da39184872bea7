"""A change whose caller went without an outcome, and who comes next to what it changes: a client that hung up after
its entry was written, and asks again before the holders have answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import Condition, Finish, PartStat, PutTerms, Versioning
from tests.support.clients import BytesSource, some_bytes
from tests.support.shelves import B, at_a_shelf, finishing, get_from, put_into, refused
from tests.support.township import Township

DATA = some_bytes(100_000)


async def hang_up(town: Township, work: Callable[[], Awaitable[object]], *, kill: tuple[int, ...] = ()) -> None:
    """Ask for the work, and be gone as soon as its entry is on the gateway's own disk, and nowhere else; these nodes
    are gone in the same moment."""
    faults, client = town.world.faults("n1"), trio.CancelScope()

    async def gone() -> None:
        faults.clear("journal.after-own-copy")
        client.cancel()
        for number in kill:
            town.kill(number)

    faults.on("journal.after-own-copy", gone)
    with client:
        await work()
    assert client.cancelled_caught


def test_an_upload_that_may_be_complete_is_not_completed_once_more() -> None:
    """It has no parts any more, so the key would name an object of as many bytes, and none of them."""

    async def finish(_parts: tuple[PartStat, ...]) -> Finish:
        return Finish("whole")

    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        upload, told = await shelf.uploads.begin(B, "film", PutTerms()), finishing(DATA, etag="e1").finish
        assert told is not None
        await shelf.uploads.put_part(B, "film", upload, 1, BytesSource(DATA), finish=told, expected_bytes=len(DATA))

        async def complete() -> None:
            await shelf.uploads.complete(B, "film", upload, [(1, "e1")], finish=finish)

        await hang_up(town, complete)
        assert await refused(complete()) == "upload-missing"
        assert (await shelf.objects.stat(B, "film")).part_count == 1
        assert await get_from(shelf, "film") == DATA

    at_a_shelf(work)


def test_what_may_have_been_put_is_seen_by_who_puts_on_a_condition() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        terms = PutTerms(finishing(b"one").finish, condition=Condition(if_none_match=("*",)))
        await hang_up(town, lambda: put_into(shelf, "a", b"one", terms))
        assert await refused(put_into(shelf, "a", b"two", terms)) == "object-condition"
        assert await get_from(shelf, "a") == b"one"

    at_a_shelf(work)


def test_nothing_is_put_into_a_bucket_that_may_be_gone_nor_goes_one_with_what_may_be_in_it() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        await hang_up(town, lambda: shelf.buckets.delete(B))
        assert await refused(put_into(shelf, "a", b"one")) == "bucket-missing"
        await shelf.buckets.create(B)
        await hang_up(town, lambda: put_into(shelf, "a", b"one"))
        assert await refused(shelf.buckets.delete(B)) == "bucket-not-empty"
        await hang_up(town, lambda: shelf.buckets.set_versioning(B, Versioning.ENABLED))
        assert not (await put_into(shelf, "a", b"two")).is_null

    at_a_shelf(work)


def test_as_long_as_too_few_holders_answer_nobody_has_a_turn() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        await hang_up(town, lambda: put_into(shelf, "a", b"one"), kill=(2, 3))
        with trio.fail_after(25):
            assert await refused(put_into(shelf, "a", b"two")) == "journal-unacknowledged"
        for number in (2, 3):
            await town.start(number)
        await town.until_open()
        assert await get_from(shelf, "a") == b"one"
        await put_into(shelf, "a", b"three")
        assert await get_from(shelf, "a") == b"three"

    at_a_shelf(work)
