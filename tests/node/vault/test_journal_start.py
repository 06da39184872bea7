"""How a gateway starts: it ends the epoch before, from what the holders can show, whatever became of its own disk."""

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
from protocol.namespace.journal import encode_entry, sign_entry, start_of
from protocol.namespace.sealed_entry import seal_changes, unwrap_epoch_key
from tests.support.gateways import BUCKET, TIMERS, Scene, scene
from tests.support.journals import node
from tests.support.namespaces import object_put


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def cannot_start(stage: Scene, *, within_s: float = 30) -> bool:
    """The gateway keeps waiting for holders."""
    with trio.move_on_after(within_s) as waiting:
        await stage.become_writer()
    return waiting.cancelled_caught


class TestStart:
    async def test_a_restart_goes_on_in_an_epoch_of_its_own(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                for number in range(3):
                    await writer.append([object_put("photos", f"k{number}", number)])
            async with stage.running() as (writer, catalog):
                assert await writer.append([BUCKET]) == Stamp(2, 0)
                assert [stored.key for stored in await catalog.list("photos")] == ["k0", "k1", "k2"]
                await stage.until_agreed(2)
            async with stage.running() as (writer, catalog):
                assert await writer.append([object_put("photos", "k3", 3)]) == Stamp(3, 0)
                assert len(await catalog.list("photos")) == 4

    async def test_it_starts_at_once_after_itself(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
            for _restart in range(3):
                assert (await stage.become_writer()).serve_after_s < trio.current_time()

    async def test_what_only_our_own_disk_has_is_replicated(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                stage.set_mood("away", 1, 2, 3, 4, 5)
                with pytest.raises(Unavailable):
                    await writer.append([object_put("photos", "a", 1)])
            stage.set_mood("honest", 1, 2, 3, 4, 5)
            async with stage.running() as (writer, catalog):
                await writer.wait_ready()
                assert (await catalog.stat("photos", "a")).key == "a"
                assert sum(length == 2 for length in await stage.lengths()) >= 3

    @pytest.mark.parametrize("kept", [None, 1, 2])
    async def test_a_lost_or_old_own_copy_is_brought_back_from_the_holders(
        self, clock: MockClock, kept: int | None
    ) -> None:
        async with scene() as stage:
            disks = {}
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                for number in range(5):
                    await stage.until_agreed()
                    disks[number + 1] = stage.members.disk(0)
                    await writer.append([object_put("photos", f"k{number}", number)])
            await stage.members.set_disk(0, {} if kept is None else disks[kept])
            stage.set_mood("away", 1)
            async with stage.running() as (writer, catalog):
                await writer.wait_ready()
                assert [stored.key for stored in await catalog.list("photos")] == [
                    f"k{number}" for number in range(5)
                ]
                assert await writer.append([BUCKET]) == Stamp(2, 0)

    async def test_an_acknowledged_entry_is_never_lost_by_a_gateway_set_back(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                await stage.until_agreed()
                before = stage.members.disk(0)
                stage.set_mood("away", 4, 5)
                await writer.append([object_put("photos", "precious", 1)])
            await stage.members.set_disk(0, before)
            stage.set_mood("honest", 4, 5)
            stage.set_mood("away", 1, 2)
            async with stage.running() as (writer, catalog):
                await writer.append([object_put("photos", "other", 2)])
                assert [stored.key for stored in await catalog.list("photos")] == ["other", "precious"]

    async def test_nothing_is_written_before_w_holders_have_the_epoch(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
            stage.set_mood("opens-not", 3, 4, 5)
            async with stage.running() as (writer, _):
                with pytest.raises(Unavailable, match="journal-not-ready"):
                    await writer.append([BUCKET])
                assert await stage.entries(0, 2) == ()
                stage.set_mood("honest", 3)
                assert await writer.append([BUCKET]) == Stamp(2, 0)

    async def test_it_starts_with_any_two_holders_away_and_leaves_them_out(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
            for away in ((1, 2), (3, 4), (5, 1)):
                stage.set_mood("away", *away)
                async with stage.running() as (writer, _):
                    await writer.append([BUCKET])
                    assert set(writer.opening.holders) == {node(number) for number in range(6) if number not in away}
                stage.set_mood("honest", *away)
                await stage.become_writer()

    async def test_holders_that_lost_the_epoch_count_for_nothing(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                await stage.until_agreed()
            for number in (0, 1, 2):
                await stage.members.set_disk(number, {})
            assert await cannot_start(stage)

    @pytest.mark.parametrize("liar_says", ["stands-still", "shows-nothing", "garbles"])
    @pytest.mark.parametrize(("absent", "liar", "slow"), list(itertools.permutations((1, 2, 3))))
    async def test_an_acknowledged_entry_survives_our_disk_one_absent_holder_and_one_liar(
        self, clock: MockClock, absent: int, liar: int, slow: int, liar_says: str
    ) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                await stage.until_agreed()
                for number, delay_s in ((1, 0.01), (2, 0.02), (3, 0.5), (4, 4), (5, 4)):
                    stage.members[number].delay_s = delay_s
                await writer.append([object_put("photos", "precious", 1)])
            await stage.members.set_disk(0, {})
            for holder in stage.members.of.values():
                holder.delay_s = 0.01
            # The only honest holder that has it and answers is slower than the start likes to wait for stragglers.
            stage.members[slow].delay_s = 2 * TIMERS.tails_grace_s
            stage.set_mood("away", absent)
            stage.set_mood(liar_says, liar)
            async with stage.running() as (writer, catalog):
                await writer.append([BUCKET])
                assert (await catalog.stat("photos", "precious")).key == "precious"

    async def test_it_waits_for_enough_holders(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
            stage.set_mood("away", 3, 4, 5)
            assert await cannot_start(stage)
            stage.set_mood("honest", 3)
            async with stage.running() as (writer, _):
                assert await writer.append([BUCKET]) == Stamp(2, 0)

    @pytest.mark.parametrize("mood", ["garbles", "shows-nothing", "claims-more", "wrong-head"])
    async def test_a_liar_does_not_keep_it_from_starting_nor_from_the_truth(
        self, clock: MockClock, mood: str
    ) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                for number in range(4):
                    await writer.append([object_put("photos", f"k{number}", number)])
                    await stage.until_agreed()
                    if number == 1:
                        before = stage.members.disk(0)
            await stage.members.set_disk(0, before)
            stage.set_mood(mood, 1)
            with capture_logs() as logs:
                async with stage.running() as (writer, catalog):
                    await writer.wait_ready()
                    assert len(await catalog.list("photos")) == 4
            wrong = {line["node"] for line in logs if line["event"] == "journal.holder-wrong"}
            assert wrong == {short_text_of(node(1))}

    async def test_a_holder_that_goes_away_while_it_shows_its_entries_is_not_counted(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                await stage.until_agreed()
                before = stage.members.disk(0)
                stage.set_mood("away", 1, 2)
                await writer.append([object_put("photos", "precious", 1)])
            # Only 3, 4 and 5 know the entry; 3 and 4 are gone, and 5 breaks off whenever it is to show it.
            await stage.members.set_disk(0, before)
            stage.set_mood("honest", 1, 2)
            stage.set_mood("away", 3, 4)
            stage.set_mood("unreadable", 5)
            assert await cannot_start(stage)
            stage.set_mood("honest", 5)
            async with stage.running() as (writer, catalog):
                await writer.append([BUCKET])
                assert (await catalog.stat("photos", "precious")).key == "precious"

    async def test_two_histories_signed_by_one_key_stop_it(self, clock: MockClock) -> None:
        async with scene() as stage:
            opening = (await stage.create()).opening
            tools = stage.tools()
            for number in (1, 2):
                entry = sign_entry(tools.writer_key, opening, start_of(opening), bytes(20), bytes([number]))
                await stage.members[number].store.append(tools.namespace, 1, 0, [encode_entry(entry)])
            with pytest.raises(Damaged, match="journal-fork"):
                await stage.become_writer()

    async def test_a_change_of_an_unknown_kind_stops_it(self, clock: MockClock) -> None:
        async with scene() as stage:
            opening = (await stage.create()).opening
            tools = stage.tools()
            key = unwrap_epoch_key(stage.root.wrapping_key(1), opening)
            sealed = seal_changes(key, bytes(16), [EncodedChange(999, b"\x91\x01")])
            entry = encode_entry(sign_entry(tools.writer_key, opening, start_of(opening), sealed, b""))
            for member in stage.members.of.values():
                await member.store.append(tools.namespace, 1, 0, [entry])
            async with stage.running() as (writer, _):
                with pytest.raises(MaillonError, match="change-unknown") as caught:
                    await writer.append([BUCKET])
                assert caught.value.parameters["kind"] == 999


class TestCatalog:
    async def test_it_is_rebuilt_when_missing(self, clock: MockClock) -> None:
        async with scene() as stage:
            for number in range(4):
                async with stage.running() as (writer, _):
                    await writer.append([object_put("photos", f"k{number}", number)])
            disk, path = stage.tools().host.disk, catalog_path(stage.root.namespace)
            for suffix in ("", "-wal", "-shm"):
                side = path.with_name(path.name + suffix)
                if disk.exists(side):
                    disk.remove(side)
            async with stage.running() as (writer, catalog):
                await writer.append([BUCKET])
                assert len(await catalog.list("photos")) == 4

    async def test_an_old_one_is_brought_up_over_the_epochs_that_it_missed(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([object_put("photos", "k0", 0)])
            async with stage.running(1, is_forced=True) as (writer, catalog):
                for number in range(1, 4):
                    await writer.append([object_put("photos", f"k{number}", number)])
            async with stage.running(0, is_forced=True) as (writer, catalog):
                await writer.append([BUCKET])
                assert len(await catalog.list("photos")) == 4

    async def test_one_of_another_history_is_thrown_away(self, clock: MockClock) -> None:
        async with scene() as other:
            async with other.running() as (writer, _):
                for number in range(4):
                    await writer.append([object_put("photos", f"k{number}", number)])
            databases = other.world.platter("n0").databases
        async with scene() as stage:
            stage.world.platter("n0").databases.update(databases)
            async with stage.running() as (writer, catalog):
                await writer.append([BUCKET])
                assert await catalog.list("photos") == ()

    async def test_damage_found_by_a_reader_is_healed_while_running(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET, object_put("photos", "a", 1)])
            assert catalog._database is not None
            catalog._database._index.execute("UPDATE rows SET value = x'666666'")
            with pytest.raises(Damaged):
                await catalog.stat("photos", "a")
            await trio.sleep(1)
            assert (await catalog.stat("photos", "a")).size_bytes == 0
            await writer.append([object_put("photos", "b", 2)])
            assert len(await catalog.list("photos")) == 2
