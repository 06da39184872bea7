"""A wait whose end may be moved, and which cancels nobody when it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from sim.host.alarm import Alarm


@pytest.mark.parametrize(
    ("act", "ended_s"),
    [
        (lambda _alarm, _begin_s: None, 10.0),
        (lambda alarm, begin_s: alarm.bring_forward(begin_s + 5), 5.0),
        (lambda alarm, begin_s: alarm.bring_forward(begin_s + 20), 10.0),
        (lambda alarm, _begin_s: alarm.ring(), 1.0),
    ],
    ids=["at its time", "sooner", "never later", "woken"],
)
async def test_it_ends(
    autojump_clock: trio.testing.MockClock, act: Callable[[Alarm, float], None], ended_s: float
) -> None:
    alarm, begin_s = Alarm(), trio.current_time()
    ended: list[float] = []

    async def wait() -> None:
        await alarm.wait(begin_s + 10)
        ended.append(trio.current_time() - begin_s)
        await trio.lowlevel.checkpoint()  # would raise if the alarm had cancelled anything

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(1)
        act(alarm, begin_s)
    assert ended == pytest.approx([ended_s])


async def test_who_waits_can_be_cancelled_and_nobody_is_woken_then(autojump_clock: trio.testing.MockClock) -> None:
    alarm = Alarm()
    with trio.move_on_after(1) as scope:
        await alarm.wait(trio.current_time() + 10)
    assert scope.cancelled_caught
    alarm.ring()
    alarm.bring_forward(0)
    await trio.lowlevel.checkpoint()


async def test_a_cancellation_at_the_very_moment_is_not_lost(autojump_clock: trio.testing.MockClock) -> None:
    alarm, until_s = Alarm(), trio.current_time() + 1
    with trio.move_on_at(until_s) as scope:
        await alarm.wait(until_s)
        await trio.sleep(10)
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(until_s)
