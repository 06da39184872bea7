"""The pauses between two tries with a journal's holder: ever longer, and over when it is heard of."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from node.mesh.returns import Returns
from node.vault.journal.patience import Patience
from node.vault.journal.tools import JournalTimers
from tests.support.journals import node

TIMERS = JournalTimers(retry_first_s=1, retry_most_s=10)


async def pause_of(patience: Patience) -> float:
    began_s = trio.current_time()
    await patience.pause()
    return trio.current_time() - began_s


async def test_pauses_double_up_to_the_longest_and_start_over_when_something_was_done(
    autojump_clock: MockClock,
) -> None:
    patience = Patience(node(1), Returns(), TIMERS)
    assert [await pause_of(patience) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    patience.start_over()
    assert [await pause_of(patience) for _ in range(2)] == [1, 2]


async def test_a_holder_that_is_heard_of_is_asked_at_once_and_then_patiently_again(autojump_clock: MockClock) -> None:
    returns = Returns()
    patience = Patience(node(1), returns, TIMERS)
    for _ in range(5):
        await patience.pause()

    async def come_back() -> None:
        await trio.sleep(3)
        returns.note(node(2))
        returns.note(node(1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(come_back)
        assert await pause_of(patience) == 3
    assert [await pause_of(patience) for _ in range(2)] == [1, 2]


async def test_one_that_came_back_in_the_middle_of_a_try_is_not_slept_through(autojump_clock: MockClock) -> None:
    returns = Returns()
    patience = Patience(node(1), returns, TIMERS)
    returns.note(node(1))
    assert await pause_of(patience) == 0
    assert await pause_of(patience) == 1
