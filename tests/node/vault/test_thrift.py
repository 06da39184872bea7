"""An entry goes at once to as few holders as make it count; to the others soon, and sooner when it does not count."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from trio.testing import MockClock

from node.vault.journal.thrift import FAR_S, HEDGE_S, Thrift, soonest
from tests.support.gateways import BUCKET, TIMERS, scene
from tests.support.namespaces import object_put

SPARE_WAIT_S = 0.25


@dataclass(slots=True)
class Sent:
    """A holder that notes when it was sent what it lacks."""

    answer_s: float
    problem: str | None = None
    roused_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    def rouse(self) -> None:
        self.roused_s.append(trio.current_time())

    def note_late(self, waited_s: float) -> None:
        self.late_s.append(waited_s)


def holders(*answers_s: float) -> tuple[Sent, ...]:
    return tuple(map(Sent, answers_s))


class TestSoonest:
    def test_those_that_answer_soonest_have_it_at_once(self) -> None:
        slow, quick, middling = holders(0.03, 0.01, 0.02)
        assert soonest((slow, quick, middling), 2) == (quick, middling)

    def test_one_that_does_not_answer_is_none_of_them(self) -> None:
        slow, quick, middling = holders(0.03, 0.01, 0.02)
        quick.problem = "node-unreachable"
        assert soonest((slow, quick, middling), 2) == (middling, slow)

    def test_when_too_few_answer_everybody_has_it_at_once(self) -> None:
        found = holders(0.03, 0.01, 0.02)
        found[0].problem = found[1].problem = "node-unreachable"
        assert soonest(found, 2) == found

    def test_where_one_of_them_is_far_everybody_has_it_at_once(self) -> None:
        found = holders(0.03, 0.01, 2 * FAR_S)
        assert soonest(found, 2) == found[1::-1]
        assert soonest(found, 3) == found


async def announced(found: tuple[Sent, ...], spare_wait_s: float, *, acknowledged: int) -> float:
    """One entry is written, of which `found` keep so many; what it does within a second. When it was written."""
    thrift = Thrift(found, 2, spare_wait_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thrift.run, lambda: 1, lambda: acknowledged)
        began_s = trio.current_time()
        thrift.announce()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return began_s


class TestThrift:
    async def test_spares_have_it_a_moment_later(self, autojump_clock: MockClock) -> None:
        found = holders(0.01, 0.01, 0.01)
        began_s = await announced(found, SPARE_WAIT_S, acknowledged=1)
        assert found[0].roused_s[0] == found[1].roused_s[0] == began_s
        assert len(found[2].roused_s) == 1
        assert began_s < found[2].roused_s[0] <= began_s + SPARE_WAIT_S + 0.001

    async def test_what_comes_meanwhile_goes_with_it(self, autojump_clock: MockClock) -> None:
        found = holders(0.01, 0.01, 0.01)
        thrift = Thrift(found, 2, SPARE_WAIT_S)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(thrift.run, lambda: 1, lambda: 1)
            thrift.announce()
            await trio.sleep(SPARE_WAIT_S / 2)
            thrift.announce()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert len(found[2].roused_s) == 1

    async def test_one_that_does_not_count_soon_goes_to_the_spares_too(self, autojump_clock: MockClock) -> None:
        found = holders(0.001, 0.001, 0.01)
        began_s = await announced(found, 10 * SPARE_WAIT_S, acknowledged=0)
        assert found[2].roused_s[0] - began_s < 2 * HEDGE_S
        assert found[0].late_s == [HEDGE_S]

    async def test_slower_holders_are_given_the_time_that_they_need(self, autojump_clock: MockClock) -> None:
        found = holders(0.06, 0.06, 0.07)
        began_s = await announced(found, 10 * SPARE_WAIT_S, acknowledged=0)
        assert 0.12 <= found[2].roused_s[0] - began_s < 0.14


class TestInTheJournal:
    async def test_many_entries_cost_a_spare_few_appends(self, autojump_clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            await trio.sleep(1)
            before = [len(stage.members.of[other].asked) for other in stage.others()]
            for number in range(20):
                await writer.append([object_put("photos", f"k{number}", number)])
                await trio.sleep(TIMERS.spare_wait_s / 10)
            await stage.until_agreed()
            asked = [
                len(stage.members.of[one].asked) - known for one, known in zip(stage.others(), before, strict=True)
            ]
            assert sum(count >= 20 for count in asked) == writer.opening.w - 1
            assert sum(count <= 5 for count in asked) == len(asked) - (writer.opening.w - 1)

    async def test_a_holder_that_falls_silent_costs_a_moment_once(self, autojump_clock: MockClock) -> None:
        async with scene() as stage, stage.running() as (writer, _):
            await writer.append([BUCKET])
            await trio.sleep(1)
            stage.set_mood("silent", 1)
            waits_s = []
            for number in range(10):
                began_s = trio.current_time()
                await writer.append([object_put("photos", f"k{number}", number)])
                waits_s.append(trio.current_time() - began_s)
            assert max(waits_s) < 3 * HEDGE_S
            assert sum(wait_s > HEDGE_S / 2 for wait_s in waits_s) <= 2
