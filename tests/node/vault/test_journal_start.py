"""How the journal's writer starts: from what the holders can show, whatever became of our own disk."""

from __future__ import annotations

import itertools

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from node.vault.catalog.catalog import catalog_path
from protocol.coding.label import Stamp
from protocol.errors import Damaged, MaillonError, Unavailable
from protocol.ids import short_text_of
from protocol.namespace.changes import EncodedChange
from protocol.namespace.journal import encode_entry, sign_entry
from protocol.namespace.sealed_entry import seal_changes
from tests.support.gateways import BUCKET, TIMERS, scene, until
from tests.support.namespaces import node, object_put


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


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
        assert [error.identifier for error in stage.stopped] == ["journal-fork"]

    async def test_a_change_of_an_unknown_kind_stops_it(self, clock: MockClock) -> None:
        stage = scene()
        one = stage.tenant
        await stage.open_everywhere()
        sealed = seal_changes(one.epoch_key, bytes(16), [EncodedChange(9_999, b"\x91\x01")])
        entry = encode_entry(sign_entry(one.writer, one.opening, stage.own.tip, sealed, b""))
        await stage.own.append(one.root.namespace, 1, 0, [entry])
        async with stage.running() as (writer, _):
            with pytest.raises(MaillonError, match="change-unknown") as caught:
                await writer.append([BUCKET])
            assert caught.value.parameters["kind"] == 9_999


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
            assert catalog._database is not None
            catalog._database._index.execute("UPDATE rows SET value = x'666666'")
            with pytest.raises(Damaged):
                await catalog.stat("photos", "a")
            await trio.sleep(1)
            assert (await catalog.stat("photos", "a")).size_bytes == 0
            await writer.append([object_put("photos", "b", 2)])
            assert len(await catalog.list("photos")) == 2
