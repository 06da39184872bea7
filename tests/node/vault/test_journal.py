"""The journal's writer: what it says is durable is with w holders, and nothing durable is ever lost or reordered."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from node.host.ports import Host
from node.vault.catalog import Catalog, InlineAt, catalog_path
from node.vault.journal import JournalTimers, JournalWriter
from node.vault.secrets import GatewaySecrets, WrappingKey
from protocol.coding.label import Stamp
from protocol.errors import Damaged, MaillonError, Missing, OverLimit, Unavailable
from protocol.ids import NodeId, short_text_of
from protocol.limits import ENTRY_BYTES_MAX
from protocol.namespace.changes import BucketCreated, EncodedChange, InlineRef, ObjectDeleted
from protocol.namespace.journal import encode_entry, encode_opening, sign_entry
from protocol.namespace.quorums import quorum
from protocol.namespace.sealed_entry import seal_changes
from protocol.requests import Kind
from sim.host.world import World
from tests.support.journals import FakeMesh, MemoryJournal
from tests.support.namespaces import Tenant, block_ref, node, object_put, some, tenant

TIMERS = JournalTimers(
    ask_deadline_s=5, append_deadline_s=8, start_wait_s=10, tails_grace_s=1, retry_first_s=0.1, retry_most_s=2
)
BUCKET = BucketCreated("photos", 1)


@dataclass(slots=True)
class Scene:
    """A gateway and its holders. What survives a restart of the gateway is here."""

    host: Host
    tenant: Tenant
    mesh: FakeMesh
    own: MemoryJournal

    @property
    def me(self) -> NodeId:
        return self.tenant.certificate.node

    def others(self) -> list[NodeId]:
        return [holder for holder in self.tenant.opening.holders if holder != self.me]

    def set_mood(self, mood: str, *numbers: int) -> None:
        for number in numbers:
            self.mesh.holders[node(number)].mood = mood

    def lengths(self) -> list[int]:
        return [self.mesh.holders[other].journal.tip.length for other in self.others()]

    def agree(self) -> bool:
        """All holders have all of our own copy."""
        return all(self.mesh.holders[other].journal.entries == self.own.entries for other in self.others())

    async def open_everywhere(self) -> None:
        for journal in (self.own, *(holder.journal for holder in self.mesh.holders.values())):
            await journal.open_epoch(encode_opening(self.tenant.opening))

    @asynccontextmanager
    async def running(self, timers: JournalTimers = TIMERS) -> AsyncIterator[tuple[JournalWriter, Catalog]]:
        """One life of the gateway."""
        one = self.tenant
        wrapping = (WrappingKey(1, one.root.wrapping_key(1)),)
        secrets = GatewaySecrets(
            "photos", "public", one.root.namespace, one.writer.seed, one.certificate, wrapping, b""
        )
        catalog = Catalog(self.host, one.opening)
        writer = JournalWriter(
            self.host,
            me=self.me,
            opening=one.opening,
            secrets=secrets,
            local=self.own,
            ask=self.mesh.ask,
            catalog=catalog,
            timers=timers,
            name_of=lambda name: f"node-{self.others().index(name) + 1}",
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            yield writer, catalog
            nursery.cancel_scope.cancel()
        await catalog.close()


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def scene(holders: int = 6) -> Scene:
    nodes = tuple(node(number) for number in range(holders))
    one = tenant(holders=nodes, rule=quorum(holders))
    return Scene(World(1).host("gateway"), one, FakeMesh(nodes[1:]), MemoryJournal())


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 (the clock is virtual, and the condition anything)
            await trio.sleep(0.05)


class TestAppend:
    async def test_an_acknowledged_change_is_with_w_holders_and_in_the_catalog(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            stamp = await writer.append([BUCKET, object_put("photos", "a", 1)])
            assert stamp == Stamp(1, 0)
            assert sum(length >= 1 for length in stage.lengths()) + 1 >= 4
            assert (await catalog.stat("photos", "a")).stamp == stamp
            await until(stage.agree)

    async def test_it_is_on_our_own_disk_before_any_holder_is_asked(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.wait_ready()
            stage.own.fails = Unavailable("store-full")
            with pytest.raises(Unavailable, match="store-full"):
                await writer.append([BUCKET])
            assert Kind.JOURNAL_APPEND not in [kind for one in stage.mesh.holders.values() for kind in one.asked]
            assert await writer.append([BUCKET]) == Stamp(1, 0)

    async def test_changes_that_wait_together_share_an_entry(self, clock: MockClock) -> None:
        stage = scene()
        stamps = []
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            for holder in stage.mesh.holders.values():
                holder.delay_s = 0.1
            appends = stage.own.appends

            async def put(number: int) -> None:
                inline = InlineRef(0, 10 + number, some("key", number))
                stamps.append(
                    await writer.append(
                        [object_put("photos", f"k{number}", number, inline=inline)], [bytes([number]) * (10 + number)]
                    )
                )

            async with trio.open_nursery() as nursery:
                for number in range(40):
                    nursery.start_soon(put, number)
            assert stage.own.appends - appends <= 3
            assert len(stamps) == 40
            for number in range(40):
                at = (await catalog.stat("photos", f"k{number}")).inline
                assert at is not None
                assert await writer.read_inline(at) == bytes([number]) * (10 + number)

    async def test_writes_of_one_key_end_in_the_order_of_the_journal(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET])

            async def put(number: int) -> None:
                await trio.sleep(number * 0.01)
                await writer.append([object_put("photos", "same", number)])

            for holder in stage.mesh.holders.values():
                holder.delay_s = 0.03
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(put, number)
            assert (await catalog.stat("photos", "same")).version == some("version", 19)[:16]

    async def test_slow_and_absent_holders_are_caught_up_in_the_background(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("away", 4)
            stage.mesh.holders[node(5)].delay_s = 2
            before = trio.current_time()
            for number in range(100):
                await writer.append([object_put("photos", f"k{number}", number)])
            assert trio.current_time() - before < 2
            stage.set_mood("honest", 4)
            await until(stage.agree)
            assert writer.status().acknowledged == 101

    async def test_too_few_holders_are_named_and_nothing_is_journaled(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("away", 3, 4, 5)
            with pytest.raises(Unavailable, match="journal-unacknowledged"):
                await writer.append([object_put("photos", "first", 1)])
            length = stage.own.tip.length
            with pytest.raises(Unavailable, match="journal-holders-away") as caught:
                await writer.append([object_put("photos", "second", 2)])
            assert caught.value.parameters["away"] == ("node-3", "node-4", "node-5")
            assert (caught.value.parameters["needed"], caught.value.parameters["answering"]) == (4, 3)
            assert stage.own.tip.length == length

    async def test_an_entry_whose_outcome_was_open_is_there_once_the_holders_are_back(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            stage.set_mood("away", 3, 4, 5)
            with pytest.raises(Unavailable, match="journal-unacknowledged"):
                await writer.append([object_put("photos", "late", 1)])
            with pytest.raises(Missing):
                await catalog.stat("photos", "late")
            stage.set_mood("honest", 3, 4, 5)
            await until(stage.agree)
            assert (await catalog.stat("photos", "late")).key == "late"
            assert await writer.append([object_put("photos", "next", 2)]) == Stamp(1, 2)

    async def test_holders_that_say_nothing_do_not_hold_up_the_others(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("silent", 4, 5)
            before = trio.current_time()
            await writer.append([object_put("photos", "a", 1)])
            assert trio.current_time() - before < 1

    async def test_what_can_never_be_journaled_is_refused_at_once(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            with pytest.raises(OverLimit, match="entry-size"):
                await writer.append([BUCKET], [bytes(ENTRY_BYTES_MAX)])
            with pytest.raises(OverLimit, match="entry-changes"):
                await writer.append([BUCKET] * 1_025)
            with pytest.raises(OverLimit):
                await writer.append([ObjectDeleted("photos", "é" * 600)])
            assert await writer.append([BUCKET]) == Stamp(1, 0)

    async def test_the_fullest_entry_is_still_taken(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET], [bytes(ENTRY_BYTES_MAX - 1_300)])
            many = tuple(block_ref(number, n=6) for number in range(3_000))
            await writer.append([object_put("photos", "big", 1, blocks=many)])
            await until(stage.agree)

    async def test_a_full_batch_is_cut_and_nothing_is_lost(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET])

            async def put(number: int) -> None:
                inline = InlineRef(0, 60_000, some("key", number))
                await writer.append([object_put("photos", f"k{number:02}", number, inline=inline)], [bytes(60_000)])

            async with trio.open_nursery() as nursery:
                for number in range(40):
                    nursery.start_soon(put, number)
            assert len(await catalog.list("photos")) == 40
            assert max(map(len, stage.own.entries)) <= ENTRY_BYTES_MAX
            await until(stage.agree)

    async def test_a_caller_that_gives_up_while_it_queues_leaves_nothing(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            with trio.move_on_after(0.001) as scope:
                scope.cancel()
                await writer.append([object_put("photos", "gone", 1)])
            await writer.append([object_put("photos", "kept", 2)])
            assert stage.own.tip.length == 2

    async def test_a_disk_that_wrote_but_said_no_is_asked_again(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            stage.own.fails, stage.own.fails_after_writing = Damaged("store-failing"), True
            with pytest.raises(Damaged, match="store-failing"):
                await writer.append([object_put("photos", "unsure", 1)])
            assert await writer.append([object_put("photos", "sure", 2)]) == Stamp(1, 2)
            assert [stored.key for stored in await catalog.list("photos")] == ["sure", "unsure"]
            await until(stage.agree)


class TestLiars:
    @pytest.mark.parametrize("mood", ["wrong-head", "claims-more", "stands-still", "refuses"])
    async def test_one_that_answers_wrongly_is_named_and_not_counted(self, clock: MockClock, mood: str) -> None:
        stage = scene(4)
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            await until(stage.agree)
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

    async def test_one_that_lost_its_copy_is_named_and_filled_again(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            for number in range(5):
                await writer.append([object_put("photos", f"k{number}", number)])
            await until(stage.agree)
            stage.mesh.holders[node(2)].journal.forget()
            with capture_logs() as logs:
                await writer.append([object_put("photos", "next", 9)])
                await until(stage.agree)
            assert "journal.holder-forgot" in [line["event"] for line in logs]


class TestStart:
    async def test_a_restart_goes_on_where_it_stopped(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            for number in range(3):
                await writer.append([object_put("photos", f"k{number}", number)])
        async with stage.running() as (writer, catalog):
            assert await writer.append([BUCKET]) == Stamp(1, 3)
            assert [stored.key for stored in await catalog.list("photos")] == ["k0", "k1", "k2"]
            await until(stage.agree)

    async def test_what_only_our_own_disk_has_is_replicated(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("away", 1, 2, 3, 4, 5)
            with pytest.raises(Unavailable):
                await writer.append([object_put("photos", "a", 1)])
        stage.set_mood("honest", 1, 2, 3, 4, 5)
        async with stage.running() as (writer, catalog):
            await writer.wait_ready()
            assert (await catalog.stat("photos", "a")).key == "a"
            assert sum(length == 2 for length in stage.lengths()) >= 3

    @pytest.mark.parametrize("kept", [None, 0, 2])
    async def test_a_lost_or_old_own_copy_is_brought_back_from_the_holders(
        self, clock: MockClock, kept: int | None
    ) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            for number in range(5):
                await writer.append([object_put("photos", f"k{number}", number)])
        if kept is None:
            stage.own.forget()
        else:
            stage.own.set_back(kept)
        stage.set_mood("away", 1)
        async with stage.running() as (writer, catalog):
            await writer.wait_ready()
            assert [stored.key for stored in await catalog.list("photos")] == [f"k{number}" for number in range(5)]
            assert await writer.append([BUCKET]) == Stamp(1, 6)

    async def test_an_acknowledged_entry_is_never_overwritten_by_a_gateway_set_back(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            await until(stage.agree)
            stage.set_mood("away", 4, 5)
            await writer.append([object_put("photos", "precious", 1)])
        stage.own.set_back(1)
        stage.set_mood("honest", 4, 5)
        stage.set_mood("away", 1, 2)
        async with stage.running() as (writer, catalog):
            await writer.append([object_put("photos", "other", 2)])
            assert [stored.key for stored in await catalog.list("photos")] == ["other", "precious"]

    async def test_nothing_is_written_before_every_holder_has_the_epoch(self, clock: MockClock) -> None:
        stage = scene()
        stage.set_mood("opens-not", 3)
        async with stage.running() as (writer, _):
            with pytest.raises(Unavailable, match="journal-not-ready"):
                await writer.append([BUCKET])
            assert stage.own.tip.length == 0
            stage.set_mood("honest", 3)
            assert await writer.append([BUCKET]) == Stamp(1, 0)

    async def test_it_starts_with_any_two_holders_away(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
        for away in ((1, 2), (3, 4), (5, 1)):
            stage.set_mood("away", *away)
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
            stage.set_mood("honest", *away)

    async def test_holders_that_lost_the_epoch_count_for_nothing(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            await until(stage.agree)
        stage.own.forget()
        for number in (1, 2):
            stage.mesh.holders[node(number)].journal.forget()
        async with stage.running() as (writer, _):
            with pytest.raises(Unavailable, match="journal-not-ready"):
                await writer.append([BUCKET])

    @pytest.mark.parametrize("liar_says", ["stands-still", "shows-nothing", "garbles"])
    @pytest.mark.parametrize(("absent", "liar", "slow"), list(itertools.permutations((1, 2, 3))))
    async def test_an_acknowledged_entry_survives_our_disk_one_absent_holder_and_one_liar(
        self, clock: MockClock, absent: int, liar: int, slow: int, liar_says: str
    ) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            await until(stage.agree)
            for number, delay_s in ((1, 0.01), (2, 0.02), (3, 0.5), (4, 4), (5, 4)):
                stage.mesh.holders[node(number)].delay_s = delay_s
            await writer.append([object_put("photos", "precious", 1)])
        stage.own.forget()
        for holder in stage.mesh.holders.values():
            holder.delay_s = 0.01
        # The only honest holder that has it and answers is slower than the start likes to wait for stragglers.
        stage.mesh.holders[node(slow)].delay_s = 2 * TIMERS.tails_grace_s
        stage.set_mood("away", absent)
        stage.set_mood(liar_says, liar)
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            assert (await catalog.stat("photos", "precious")).key == "precious"

    async def test_it_waits_for_enough_holders_and_names_the_others(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
        stage.set_mood("away", 3, 4, 5)
        async with stage.running() as (writer, _):
            with pytest.raises(Unavailable, match="journal-not-ready") as caught:
                await writer.append([BUCKET])
            assert caught.value.parameters["away"] == ("node-3", "node-4", "node-5")
            assert not writer.status().is_ready
            stage.set_mood("honest", 3)
            assert await writer.append([BUCKET]) == Stamp(1, 1)

    @pytest.mark.parametrize("mood", ["garbles", "shows-nothing", "claims-more", "wrong-head"])
    async def test_a_liar_does_not_keep_it_from_starting_nor_from_the_truth(
        self, clock: MockClock, mood: str
    ) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            for number in range(4):
                await writer.append([object_put("photos", f"k{number}", number)])
            await writer.append([BUCKET])
            await until(stage.agree)
        stage.own.set_back(2)
        stage.set_mood(mood, 1)
        with capture_logs() as logs:
            async with stage.running() as (writer, catalog):
                await writer.wait_ready()
                assert len(await catalog.list("photos")) == 4
                await until(
                    lambda: writer.status().holders[1].problem is not None or mood in ("garbles", "shows-nothing")
                )
        wrong = {line["node"] for line in logs if line["event"] == "journal.holder-wrong"}
        assert wrong == {short_text_of(node(1))}

    async def test_a_holder_that_goes_away_while_it_shows_its_entries_is_not_counted(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            await writer.append([BUCKET])
            await until(stage.agree)
            stage.set_mood("away", 1, 2)
            await writer.append([object_put("photos", "precious", 1)])
        # Only 3, 4 and 5 know the entry; 3 and 4 are gone, and 5 breaks off whenever it is to show it.
        stage.own.set_back(1)
        stage.set_mood("honest", 1, 2)
        stage.set_mood("away", 3, 4)
        stage.set_mood("unreadable", 5)
        async with stage.running() as (writer, catalog):
            with pytest.raises(Unavailable, match="journal-not-ready"):
                await writer.append([BUCKET])
            stage.set_mood("honest", 5)
            await writer.append([BUCKET])
            assert (await catalog.stat("photos", "precious")).key == "precious"

    async def test_two_histories_signed_by_one_key_stop_it(self, clock: MockClock) -> None:
        stage = scene()
        await stage.open_everywhere()
        for number, tag in ((1, "one"), (2, "two")):
            twin = stage.mesh.holders[node(number)].journal
            await twin.append(stage.tenant.root.namespace, 1, 0, stage.tenant.chain(1, tag=tag))
        async with stage.running() as (writer, _):
            with pytest.raises(Damaged, match="journal-fork"):
                await writer.append([BUCKET])
            assert writer.status().stopped == "journal-fork"

    async def test_a_change_of_an_unknown_kind_stops_it(self, clock: MockClock) -> None:
        stage = scene()
        one = stage.tenant
        await stage.open_everywhere()
        sealed = seal_changes(one.epoch_key, bytes(16), [EncodedChange(64, b"\x91\x01")])
        entry = encode_entry(sign_entry(one.writer, one.opening, stage.own.tip, sealed, b""))
        await stage.own.append(one.root.namespace, 1, 0, [entry])
        async with stage.running() as (writer, _):
            with pytest.raises(MaillonError, match="change-unknown") as caught:
                await writer.append([BUCKET])
            assert caught.value.parameters["kind"] == 64


class TestCatalog:
    async def test_it_is_rebuilt_when_missing(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, _):
            for number in range(4):
                await writer.append([object_put("photos", f"k{number}", number)])
        path = catalog_path(stage.tenant.root.namespace)
        for suffix in ("", "-wal", "-shm"):
            side = path.with_name(path.name + suffix)
            if stage.host.disk.exists(side):
                stage.host.disk.remove(side)
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            assert len(await catalog.list("photos")) == 4

    async def test_it_is_replayed_when_older_and_thrown_away_when_ahead(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            for number in range(4):
                await writer.append([object_put("photos", f"k{number}", number)])
        other = scene()
        other.host = stage.host
        async with other.running() as (writer, catalog):
            await writer.append([BUCKET])
            assert await catalog.list("photos") == ()

    async def test_damage_found_by_a_reader_is_healed_while_running(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            await writer.append([BUCKET, object_put("photos", "a", 1)])
            assert catalog._tables is not None
            catalog._tables._index.execute("UPDATE objects SET size_bytes = 666")
            with pytest.raises(Damaged):
                await catalog.stat("photos", "a")
            await trio.sleep(1)
            assert (await catalog.stat("photos", "a")).size_bytes == 0
            await writer.append([object_put("photos", "b", 2)])
            assert len(await catalog.list("photos")) == 2


class TestInline:
    async def test_bytes_are_read_from_another_holder_when_our_copy_is_damaged(self, clock: MockClock) -> None:
        stage = scene()
        async with stage.running() as (writer, catalog):
            inline = InlineRef(0, 20, some("key"))
            await writer.append([BUCKET, object_put("photos", "a", 1, inline=inline)], [b"x" * 20])
            await until(stage.agree)
        stage.set_mood("away", 1)
        stage.set_mood("garbles", 2)
        async with stage.running() as (writer, catalog):
            await writer.wait_ready()

            async def damaged(*_: Any) -> Any:
                raise Damaged("entry-damaged")

            stage.own.read = damaged  # type: ignore[method-assign]
            at = (await catalog.stat("photos", "a")).inline
            assert at is not None
            assert await writer.read_inline(at) == b"x" * 20
            with pytest.raises(Unavailable, match="entry-unreadable"):
                await writer.read_inline(InlineAt(Stamp(1, 99), 0, 20, b""))
