"""The journal's writer: what it says is durable is with w holders, in order, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from node.vault.catalog.catalog import Applied, InlineAt
from node.vault.journal.holder import IN_FLIGHT_MAX
from protocol.coding.label import Stamp
from protocol.errors import Damaged, Missing, OverLimit, Unavailable
from protocol.ids import NamespaceId, short_text_of
from protocol.limits import ENTRY_BYTES_MAX
from protocol.namespace.changes import BucketCreated, InlineRef, ObjectDeleted
from protocol.requests import Kind
from tests.support.gateways import BUCKET, TIMERS, scene, until
from tests.support.journals import node
from tests.support.namespaces import block_ref, object_put, some


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


class TestAppend:
    async def test_an_acknowledged_change_is_with_w_holders_and_in_the_catalog(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            stamp = await writer.append([BUCKET, object_put("photos", "a", 1)])
            assert stamp == Stamp(1, 0)
            assert sum(length >= 1 for length in await stage.lengths()) + 1 >= 4
            assert (await catalog.stat("photos", "a")).stamp == stamp
            await stage.until_agreed()

    async def test_it_is_on_our_own_disk_before_any_holder_is_asked(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.wait_ready()
            stage.members[0].store.fails = Unavailable("store-full")
            with pytest.raises(Unavailable, match="store-full"):
                await writer.append([BUCKET])
            assert Kind.JOURNAL_APPEND not in [kind for one in stage.members.of.values() for kind in one.asked]
            assert await writer.append([BUCKET]) == Stamp(1, 0)

    async def test_while_our_disk_has_no_room_for_the_catalog_what_waits_is_told_so_and_nothing_more_is_taken(
        self, clock: MockClock
    ) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            apply, is_full = catalog.apply, True

            async def applied(entries: Sequence[Applied]) -> None:
                if is_full:
                    raise Unavailable("index-full", index="catalog")
                await apply(entries)

            catalog.apply = applied  # type: ignore[method-assign]
            with pytest.raises(Unavailable, match="catalog-full"):
                await writer.append([BucketCreated("videos", 1)])
            waited = trio.current_time(), writer.next_position
            with pytest.raises(Unavailable, match="catalog-full"):
                await writer.append([BucketCreated("music", 1)])
            with pytest.raises(Unavailable, match="catalog-full"):
                await writer.settle()
            assert (trio.current_time(), writer.next_position) == waited
            is_full = False
            await until(lambda: catalog.tip.length == writer.next_position.position)
            await writer.append([BucketCreated("music", 1)])
            assert [bucket.bucket for bucket in catalog.known_buckets()] == ["music", "photos", "videos"]

    async def test_changes_that_wait_together_share_an_entry(self, clock: MockClock) -> None:
        async with scene() as stage:
            stamps = []
            async with stage.running() as (writer, catalog):
                await writer.append([BUCKET])
                for holder in stage.members.of.values():
                    holder.delay_s = 0.1
                appends = stage.members[0].store.appends

                async def put(number: int) -> None:
                    inline = InlineRef(0, 10 + number, some("key", number))
                    stamps.append(
                        await writer.append(
                            [object_put("photos", f"k{number}", number, inline=inline)],
                            [bytes([number]) * (10 + number)],
                        )
                    )

                async with trio.open_nursery() as nursery:
                    for number in range(40):
                        nursery.start_soon(put, number)
                assert stage.members[0].store.appends - appends <= 3
                assert len(stamps) == 40
                for number in range(40):
                    at = (await catalog.stat("photos", f"k{number}")).inline
                    assert at is not None
                    assert await writer.read_inline(at) == bytes([number]) * (10 + number)

    async def test_an_entry_does_not_wait_for_those_on_their_way_before_it(self, clock: MockClock) -> None:
        async with scene() as stage:
            took_s = []
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                for holder in stage.members.of.values():
                    holder.delay_s = 1.0

                async def put(number: int) -> None:
                    await trio.sleep(number * 0.1)
                    began_s = trio.current_time()
                    await writer.append([object_put("photos", f"k{number}", number)])
                    took_s.append(trio.current_time() - began_s)

                async with trio.open_nursery() as nursery:
                    for number in range(30):
                        nursery.start_soon(put, number)
            assert len(took_s) == 30
            assert max(took_s) < 1.3

    async def test_so_much_is_on_its_way_to_a_silent_holder_and_no_more(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("silent", 5)
            asked = stage.members.of[node(5)].asked.count(Kind.JOURNAL_APPEND)
            for number in range(IN_FLIGHT_MAX + 2):
                await writer.append([object_put("photos", f"k{number}", number)])
                await trio.sleep(TIMERS.spare_wait_s)
            assert stage.members.of[node(5)].asked.count(Kind.JOURNAL_APPEND) - asked == IN_FLIGHT_MAX

    async def test_writes_of_one_key_end_in_the_order_of_the_journal(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])

            async def put(number: int) -> None:
                await trio.sleep(number * 0.01)
                await writer.append([object_put("photos", "same", number)])

            for holder in stage.members.of.values():
                holder.delay_s = 0.03
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(put, number)
            assert (await catalog.stat("photos", "same")).version == some("version", 19)[:16]

    async def test_slow_and_absent_holders_are_caught_up_in_the_background(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("away", 4)
            stage.members.of[node(5)].delay_s = 2
            before = trio.current_time()
            for number in range(100):
                await writer.append([object_put("photos", f"k{number}", number)])
            assert trio.current_time() - before < 2
            stage.set_mood("honest", 4)
            await stage.until_agreed()
            assert writer.status().acknowledged == 101

    async def test_too_few_holders_are_named_and_nothing_is_journaled(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("away", 3, 4, 5)
            with pytest.raises(Unavailable, match="journal-unacknowledged"):
                await writer.append([object_put("photos", "first", 1)])
            length = len(await stage.entries(0))
            with pytest.raises(Unavailable, match="journal-holders-away") as caught:
                await writer.append([object_put("photos", "second", 2)])
            assert caught.value.parameters["away"] == ("node-3", "node-4", "node-5")
            assert (caught.value.parameters["needed"], caught.value.parameters["answering"]) == (4, 3)
            assert len(await stage.entries(0)) == length

    async def test_an_entry_whose_outcome_was_open_is_there_once_the_holders_are_back(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            stage.set_mood("away", 3, 4, 5)
            with pytest.raises(Unavailable, match="journal-unacknowledged"):
                await writer.append([object_put("photos", "late", 1)])
            with pytest.raises(Missing):
                await catalog.stat("photos", "late")
            stage.set_mood("honest", 3, 4, 5)
            await stage.until_agreed()
            assert (await catalog.stat("photos", "late")).key == "late"
            assert await writer.append([object_put("photos", "next", 2)]) == Stamp(1, 2)

    async def test_holders_that_say_nothing_do_not_hold_up_the_others(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("silent", 4, 5)
            before = trio.current_time()
            await writer.append([object_put("photos", "a", 1)])
            assert trio.current_time() - before < 1

    async def test_what_can_never_be_journaled_is_refused_at_once(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            with pytest.raises(OverLimit, match="entry-size"):
                await writer.append([BUCKET], [bytes(ENTRY_BYTES_MAX)])
            with pytest.raises(OverLimit, match="entry-changes"):
                await writer.append([BUCKET] * 1_025)
            with pytest.raises(OverLimit):
                await writer.append([ObjectDeleted("photos", "é" * 600)])
            assert await writer.append([BUCKET]) == Stamp(1, 0)

    async def test_the_fullest_entry_is_still_taken(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET], [bytes(ENTRY_BYTES_MAX - 1_300)])
            many = tuple(block_ref(number, n=6) for number in range(3_000))
            await writer.append([object_put("photos", "big", 1, blocks=many)])
            await stage.until_agreed()

    async def test_a_full_batch_is_cut_and_nothing_is_lost(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])

            async def put(number: int) -> None:
                inline = InlineRef(0, 60_000, some("key", number))
                await writer.append([object_put("photos", f"k{number:02}", number, inline=inline)], [bytes(60_000)])

            async with trio.open_nursery() as nursery:
                for number in range(40):
                    nursery.start_soon(put, number)
            assert len(await catalog.list("photos")) == 40
            assert max(map(len, await stage.entries(0))) <= ENTRY_BYTES_MAX
            await stage.until_agreed()

    async def test_a_caller_that_gives_up_while_it_queues_leaves_nothing(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            with trio.move_on_after(0.001) as scope:
                scope.cancel()
                await writer.append([object_put("photos", "gone", 1)])
            await writer.append([object_put("photos", "kept", 2)])
            assert len(await stage.entries(0)) == 2

    async def test_a_disk_that_wrote_but_said_no_is_asked_again(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            stage.members[0].store.fails, stage.members[0].store.fails_after_writing = Damaged("store-failing"), True
            with pytest.raises(Damaged, match="store-failing"):
                await writer.append([object_put("photos", "unsure", 1)])
            assert await writer.append([object_put("photos", "sure", 2)]) == Stamp(1, 2)
            assert [stored.key for stored in await catalog.list("photos")] == ["sure", "unsure"]
            await stage.until_agreed()

    async def test_a_disk_that_says_nothing_any_more_stops_the_writer_and_everybody_waiting(
        self, clock: MockClock
    ) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])

            async def gone(*_: Any) -> Any:
                await trio.sleep(0.1)
                raise Damaged("store-failing")

            store = stage.members[0].store
            store.append = store.tail = store.held = gone  # type: ignore[method-assign]

            async def put(number: int) -> None:
                with pytest.raises(Damaged, match="store-failing"):
                    await writer.append([object_put("photos", f"k{number}", number)])

            with trio.fail_after(3):
                async with trio.open_nursery() as nursery:
                    for number in range(5):
                        nursery.start_soon(put, number)
            await until(lambda: [error.identifier for error in stage.stopped] == ["store-failing"])
            with pytest.raises(Damaged, match="store-failing"):
                await writer.append([BUCKET])


class TestTheEnd:
    """Nobody waits for a writer that is gone."""

    async def test_who_asks_a_writer_that_has_ended_is_told_at_once(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
            began_s = trio.current_time()
            with pytest.raises(Unavailable, match="journal-closed"):
                await writer.append([object_put("photos", "k", 1)])
            assert trio.current_time() == began_s

    async def test_who_is_waited_for_by_a_catalog_that_fails_is_told_why(
        self, clock: MockClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(_entries: object) -> None:
            raise Damaged("journal-damaged", namespace=NamespaceId(bytes(32)), epoch=1, position=0)

        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            monkeypatch.setattr(catalog, "apply", refuse)
            with pytest.raises(Damaged, match="journal-damaged"):
                await writer.append([object_put("photos", "k", 1)])


class TestLiars:
    @pytest.mark.parametrize("mood", ["wrong-head", "claims-more", "stands-still", "refuses"])
    async def test_one_that_answers_wrongly_is_named_and_not_counted(self, clock: MockClock, mood: str) -> None:
        async with scene(4) as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            await stage.until_agreed()
            stage.set_mood(mood, 1)
            with capture_logs() as logs:
                await writer.append([object_put("photos", "a", 1)])
                await until(lambda: writer.status().holders[1].problem is not None)
            assert {line["node"] for line in logs if line["event"] == "journal.holder-wrong"} == {
                short_text_of(node(1))
            }
            stage.set_mood("away", 2)
            with pytest.raises(Unavailable):
                await writer.append([object_put("photos", "b", 2)])

    async def test_one_that_lost_its_copy_counts_no_more_until_the_next_epoch(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            await stage.until_agreed()
            await stage.members.set_disk(2, {})
            with capture_logs() as logs:
                await writer.append([object_put("photos", "a", 1)])
                await until(lambda: writer.forgotten() == {node(2)})
            assert "journal.holder-forgot" in [line["event"] for line in logs]
            stage.set_mood("away", 4, 5)
            with pytest.raises(Unavailable):
                await writer.append([object_put("photos", "b", 2)])
            stage.set_mood("honest", 4, 5)
            await until(lambda: len(writer.away()) == 1)
            await writer.roll_over(stage.end_epoch)
            assert await writer.append([object_put("photos", "c", 3)]) == Stamp(2, 0)
            await stage.until_agreed(2)
            assert writer.forgotten() == frozenset()
            assert [stored.key for stored in await catalog.list("photos")] == ["a", "b", "c"]


class TestInline:
    async def test_bytes_are_read_from_another_holder_when_our_copy_is_damaged(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, catalog):
                inline = InlineRef(0, 20, some("key"))
                await writer.append([BUCKET, object_put("photos", "a", 1, inline=inline)], [b"x" * 20])
                await stage.until_agreed()
            stage.set_mood("away", 1)
            stage.set_mood("garbles", 2)
            async with stage.running() as (writer, catalog):
                await writer.wait_ready()

                async def damaged(*_: Any) -> Any:
                    raise Damaged("entry-damaged")

                stage.members[0].store.read = damaged  # type: ignore[method-assign]
                at = (await catalog.stat("photos", "a")).inline
                assert at is not None
                assert await writer.read_inline(at) == b"x" * 20
                with pytest.raises(Unavailable, match="entry-unreadable"):
                    await writer.read_inline(InlineAt(Stamp(1, 99), 0, 20, b""))
