"""Several gateways for one namespace: one writes, nothing acknowledged is lost, and nothing stale is served."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.first_error import first_error
from node.vault.catalog.catalog import Catalog
from node.vault.journal.lease import DRIFT, Lease
from node.vault.journal.writer import JournalWriter
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.namespace.changes import WriterSignedOff
from tests.support.gateways import BUCKET, Scene, scene, until
from tests.support.journals import node
from tests.support.namespaces import object_put, tenant


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def keys_of(catalog: Catalog) -> set[str]:
    return {stored.key for stored in await catalog.list("photos")}


class TestTakeover:
    async def test_the_one_before_is_fenced_and_stops(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (before, _):
            await before.append([BUCKET, object_put("photos", "a", 1)])
            async with stage.running(1, is_forced=True) as (after, catalog):
                await after.append([object_put("photos", "b", 2)])
                assert await keys_of(catalog) == {"a", "b"}
                with pytest.raises(MaillonError):
                    await before.append([object_put("photos", "lost", 3)])
                await until(lambda: bool(stage.stopped))
                assert stage.stopped[0].identifier in ("journal-ended", "journal-promised")
                assert await keys_of(catalog) == {"a", "b"}

    async def test_it_does_not_take_over_again_by_itself(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (before, _):
                await before.append([BUCKET])
            await stage.become_writer(1, is_forced=True)
            with pytest.raises(Refused, match="namespace-superseded") as caught:
                await stage.become_writer(0)
            assert caught.value.parameters["gateway"] == "node-1"
            async with stage.running(0, is_forced=True) as (again, _):
                await again.append([object_put("photos", "a", 1)])

    async def test_a_gateway_that_everybody_else_left_serves_nobody_once_its_lease_is_over(
        self, clock: MockClock
    ) -> None:
        async with scene() as stage, stage.running() as (before, _):
            await before.append([BUCKET])
            before.require_lease()
            stage.members.parted = {frozenset((node(0), node(number))) for number in range(1, 6)}
            began_s = trio.current_time()
            succeeded = await stage.become_writer(1, is_forced=True)
            promised_s = succeeded.serve_after_s - stage.timers.lease_s * DRIFT
            assert promised_s >= began_s
            while trio.current_time() < succeeded.serve_after_s:
                served = _serves(before)
                await trio.sleep(0.1)
            assert not served
            assert before.lease_until_s <= began_s + stage.timers.lease_s

    async def test_an_idle_writer_keeps_its_lease(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            for _second in range(60):
                await trio.sleep(1)
                writer.require_lease()

    async def test_with_more_holders_away_than_may_be_lost_it_lapses_and_comes_back(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("away", 1, 2)
            await trio.sleep(2 * stage.timers.lease_s)
            writer.require_lease()
            stage.set_mood("away", 3)
            await trio.sleep(2 * stage.timers.lease_s)
            with pytest.raises(Unavailable, match="journal-lease"):
                writer.require_lease()
            stage.set_mood("honest", 3)
            await trio.sleep(stage.timers.lease_s)
            writer.require_lease()

    async def test_of_one_that_signed_off_nobody_waits_for_the_lease(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (before, _):
                await before.append([BUCKET])
                await before.append([WriterSignedOff()])
            assert (await stage.become_writer(1, is_forced=True)).serve_after_s < trio.current_time()

    async def test_who_took_over_and_died_waits_again_for_the_one_before_it(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (before, _):
                await before.append([BUCKET])
            await stage.become_writer(1, is_forced=True)
            assert (await stage.become_writer(1)).serve_after_s > trio.current_time()


def _serves(writer: JournalWriter) -> bool:
    try:
        writer.require_lease()
    except MaillonError:
        return False
    return True


class TestRollOver:
    async def test_callers_wait_a_moment_and_nothing_is_lost(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            for holder in stage.members.of.values():
                holder.delay_s = 0.05

            async def put(number: int) -> None:
                await trio.sleep(number * 0.01)
                await writer.append([object_put("photos", f"k{number:02}", number)])

            async with trio.open_nursery() as nursery:
                for number in range(60):
                    nursery.start_soon(put, number)
                for _time in range(3):
                    await trio.sleep(0.1)
                    await writer.roll_over(stage.end_epoch)
            assert writer.opening.epoch == 4
            assert len(await keys_of(catalog)) == 60

    async def test_readers_are_served_all_the_time(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            for holder in stage.members.of.values():
                holder.delay_s = 0.2

            async def read() -> None:
                while True:
                    writer.require_lease()
                    await trio.sleep(0.01)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                for _time in range(3):
                    await writer.roll_over(stage.end_epoch)
                nursery.cancel_scope.cancel()

    async def test_its_first_entry_is_what_it_was_asked_for(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])

            async def put(number: int) -> None:
                await writer.append([object_put("photos", f"k{number}", number)])

            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(put, number)
                await writer.roll_over(stage.end_epoch, [object_put("photos", "first", 99)])
            assert (await catalog.stat("photos", "first")).stamp.position == 0
            assert len(await keys_of(catalog)) == 11

    async def test_with_too_few_holders_nothing_happens(self, clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            stage.set_mood("away", 3, 4, 5)
            await trio.sleep(10)
            with pytest.raises(Unavailable, match="journal-holders-away"):
                await writer.roll_over(stage.end_epoch)
            stage.set_mood("honest", 3, 4, 5)
            await trio.sleep(5)
            await writer.append([object_put("photos", "a", 1)])
            assert writer.opening.epoch == 1


class TestRaces:
    @pytest.mark.parametrize("seed", [1, 2])
    @pytest.mark.parametrize("gateways", [2, 3])
    async def test_gateways_that_all_want_to_write(self, clock: MockClock, gateways: int, seed: int) -> None:
        """Each puts until it is superseded, then takes over again; what any of them was told is there in the end."""
        async with scene(seed=seed) as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
            for number, holder in enumerate(stage.members.of.values()):
                holder.delay_s = 0.01 * (1 + (number * 7 + seed) % 5)
            tried: set[str] = set()
            acknowledged: set[str] = set()
            async with trio.open_nursery() as nursery:
                for number in range(gateways):
                    nursery.start_soon(_compete, stage, number, tried, acknowledged)
                await trio.sleep(12)
                nursery.cancel_scope.cancel()
            async with stage.running(is_forced=True) as (writer, catalog):
                await writer.wait_ready()
                assert acknowledged <= await keys_of(catalog) <= tried
            assert len({key.split("-")[0] for key in acknowledged}) > 1

    async def test_with_a_holder_set_back_to_yesterday_and_one_that_forgot(self, clock: MockClock) -> None:
        async with scene() as stage:
            async with stage.running() as (writer, _):
                await writer.append([BUCKET])
                await stage.until_agreed()
                yesterday = stage.members.disk(2)
                for number in range(5):
                    await writer.append([object_put("photos", f"k{number}", number)])
            await stage.members.set_disk(2, yesterday)
            await stage.members.set_disk(3, {})
            async with stage.running(1, is_forced=True) as (writer, catalog):
                await writer.append([object_put("photos", "next", 9)])
                assert len(await keys_of(catalog)) == 6
                await stage.until_agreed(2)

    async def test_holders_that_die_one_by_one_while_the_gateway_writes(self, clock: MockClock) -> None:
        """Each loss is answered by a new epoch, while two can still be spared."""
        async with scene() as stage, stage.running() as (writer, catalog):
            await writer.append([BUCKET])
            for dead in (5, 4, 3):
                stage.set_mood("away", dead)
                stage.gone |= {node(dead)}
                await writer.append([object_put("photos", f"without-{dead}", dead)])
                await writer.roll_over(stage.end_epoch)
                assert node(dead) not in writer.opening.holders
            assert (len(writer.opening.holders), writer.opening.w) == (3, 2)
            await writer.append([object_put("photos", "last", 1)])
            assert len(await keys_of(catalog)) == 4


async def _compete(stage: Scene, number: int, tried: set[str], acknowledged: set[str]) -> None:
    ordinal = 0
    while True:
        try:
            with first_error():
                async with stage.running(number, is_forced=True) as (writer, _):
                    while True:
                        key, ordinal = f"{number}-{ordinal}", ordinal + 1
                        tried.add(key)
                        await writer.append([object_put("photos", key, ordinal)])
                        acknowledged.add(key)
                        await trio.sleep(0.2)
        except MaillonError:
            await trio.sleep(0.5 + 0.7 * number)


class TestLease:
    def test_it_runs_from_the_w_th_latest_question(self) -> None:
        opening = tenant().opening
        lease = Lease(opening, opening.holders[0], 15)
        for asked_s, holder in enumerate(opening.holders[:3]):
            lease.confirm(holder, asked_s)
        assert lease.until_s < 0
        lease.confirm(opening.holders[3], 10)
        assert lease.until_s == 15
        lease.confirm(opening.holders[0], 12)
        assert lease.until_s == 16
        lease.confirm(opening.holders[0], 3)
        assert lease.until_s == 16

    def test_that_of_the_epoch_before_goes_on_until_this_one_reaches_further(self) -> None:
        opening = tenant().opening
        lease = Lease(opening, opening.holders[0], 15, 20)
        for holder in opening.holders[:4]:
            lease.confirm(holder, 2)
        assert lease.until_s == 20
        for holder in opening.holders[:4]:
            lease.confirm(holder, 7)
        assert lease.until_s == 22

    def test_where_none_may_be_lost_this_node_s_own_word_is_enough(self) -> None:
        opening = tenant(holders=tenant().opening.holders[:2]).opening
        lease = Lease(opening, opening.holders[0], 15)
        lease.confirm(opening.holders[0], 100)
        assert lease.until_s == 115
        elsewhere = Lease(opening, tenant().opening.holders[5], 15)
        elsewhere.confirm(opening.holders[0], 100)
        assert elsewhere.until_s < 0
