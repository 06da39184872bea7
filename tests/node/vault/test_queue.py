"""Callers' changes gather while there is a reason to wait, and never for longer than a few milliseconds."""

from __future__ import annotations

from collections.abc import Callable

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.vault.journal import queue as queue_module
from node.vault.journal.batch import entry_for, request_for
from node.vault.journal.queue import WAITING_BYTES_MAX, Queue
from node.vault.ticker import Ticker
from protocol.coding.label import Stamp
from protocol.errors import Unavailable
from protocol.ids import NamespaceId
from protocol.limits import ENTRY_BYTES_MAX, INLINE_BYTES_MAX
from protocol.namespace.changes import InlineRef, ObjectPut
from protocol.namespace.journal import decode_entry, start_of
from protocol.namespace.salted import SALT_BYTES
from protocol.namespace.sealed_entry import open_changes
from tests.support.namespaces import object_put, tenant

GATHER_S = 0.01
PATIENCE_S = 20.0


async def taken(
    *came: Callable[[Queue], object], is_idle: Callable[[], bool] = lambda: True, progress: Ticker | None = None
) -> tuple[int, float]:
    """How many requests made the first batch, and when it was taken, while these tasks ran."""
    queue = Queue(GATHER_S, PATIENCE_S)
    async with trio.open_nursery() as nursery:
        for one in came:
            nursery.start_soon(one, queue)
        await queue.wait_for_batch(is_idle, progress or Ticker())
        batch, at_s = queue.take(), trio.current_time()
        nursery.cancel_scope.cancel()
    assert batch is not None
    return len(batch.requests), at_s


async def call(queue: Queue) -> None:
    await queue.wait_until_done(request_for([object_put("photos", "k", 1)], ()))


def after_turns(turns: int) -> Callable[[Queue], object]:
    """A caller who has some work to do before."""

    async def come(queue: Queue) -> None:
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        await call(queue)

    return come


def after_s(wait_s: float) -> Callable[[Queue], object]:
    """A caller who comes later."""

    async def come(queue: Queue) -> None:
        await trio.sleep(wait_s)
        await call(queue)

    return come


async def test_one_who_is_alone_waits_for_nobody(autojump_clock: MockClock) -> None:
    began_s = trio.current_time()
    assert await taken(call, after_s(GATHER_S / 10)) == (1, began_s)


async def test_what_the_program_works_on_comes_along(autojump_clock: MockClock) -> None:
    began_s = trio.current_time()
    assert await taken(call, after_turns(3), after_turns(9), after_turns(27)) == (4, began_s)


async def test_a_program_that_is_always_at_work_is_not_waited_for(mock_clock: MockClock) -> None:
    async def work(_queue: Queue) -> None:
        while True:
            mock_clock.jump(GATHER_S / 10)
            await trio.lowlevel.checkpoint()

    began_s = trio.current_time()
    _count, at_s = await taken(call, work)
    assert GATHER_S <= at_s - began_s <= 3 * GATHER_S


async def test_while_an_entry_is_on_its_way_others_gather_until_it_is_acknowledged(autojump_clock: MockClock) -> None:
    on_its_way, progress = [1], Ticker()

    async def acknowledge(_queue: Queue) -> None:
        await trio.sleep(GATHER_S / 2)
        on_its_way.clear()
        progress.tick()

    began_s = trio.current_time()
    callers = call, after_s(GATHER_S / 4), after_s(0.9 * GATHER_S)
    found = await taken(*callers, acknowledge, is_idle=lambda: not on_its_way, progress=progress)
    assert found == (2, began_s + GATHER_S / 2)


async def test_one_that_is_not_acknowledged_soon_is_not_waited_for(autojump_clock: MockClock) -> None:
    began_s = trio.current_time()
    assert await taken(call, after_s(GATHER_S / 2), is_idle=lambda: False) == (2, began_s + GATHER_S)


async def test_each_who_has_waited_for_too_long_is_let_go_without_an_answer(autojump_clock: MockClock) -> None:
    queue, left_s = Queue(GATHER_S, PATIENCE_S), []

    async def wait(after_s: float) -> None:
        await trio.sleep(after_s)
        request = request_for([object_put("photos", "k", 1)], ())
        await queue.wait_until_done(request)
        assert (request.stamp, request.error) == (None, None)
        left_s.append(trio.current_time() - began_s)

    async with trio.open_nursery() as nursery:
        began_s = trio.current_time()
        nursery.start_soon(queue.let_go_for_ever)
        async with trio.open_nursery() as callers:
            for after_s in (0.0, 3.0, 7.0):
                callers.start_soon(wait, after_s)
        nursery.cancel_scope.cancel()
    assert left_s == [PATIENCE_S, PATIENCE_S + 3.0, PATIENCE_S + 7.0]
    assert queue.take() is None, "who was let go before being taken leaves nothing"


async def test_one_that_is_answered_at_the_last_moment_is_not_failed(autojump_clock: MockClock) -> None:
    queue, request = Queue(GATHER_S, PATIENCE_S), request_for([object_put("photos", "k", 1)], ())

    async def answer() -> None:
        await trio.sleep(PATIENCE_S)
        request.succeed(Stamp(1, 2))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.let_go_for_ever)
        nursery.start_soon(answer)
        await queue.wait_until_done(request)
        nursery.cancel_scope.cancel()
    assert request.stamp in (None, Stamp(1, 2))
    assert request.error is None


async def test_when_nobody_will_answer_any_more_all_are_told_now_and_later(autojump_clock: MockClock) -> None:
    queue, reason = Queue(GATHER_S, PATIENCE_S), Unavailable("journal-closed", namespace=NamespaceId(bytes(32)))
    waiting, taken_before, later = (request_for([object_put("photos", "k", 1)], ()) for _ in range(3))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.wait_until_done, taken_before)
        await wait_all_tasks_blocked()
        assert queue.take() is not None
        nursery.start_soon(queue.wait_until_done, waiting)
        await wait_all_tasks_blocked()
        queue.fail_all(reason)
        await queue.wait_until_done(later)
    assert [one.error for one in (waiting, taken_before, later)] == [reason] * 3


async def test_who_finds_no_room_waits_until_others_have_left(autojump_clock: MockClock) -> None:
    queue, inline = Queue(GATHER_S, PATIENCE_S), [bytes(INLINE_BYTES_MAX)]
    async with trio.open_nursery() as nursery:
        for _ in range(WAITING_BYTES_MAX // INLINE_BYTES_MAX + 1):
            nursery.start_soon(queue.wait_until_done, request_for([object_put("photos", "k", 1)], inline))
        await wait_all_tasks_blocked()
        with trio.move_on_after(PATIENCE_S) as patience:
            await queue.wait_for_room()
        assert patience.cancelled_caught
        nursery.cancel_scope.cancel()
    await queue.wait_for_room()


async def test_inline_bytes_stand_in_the_entry_as_their_changes_say_also_when_one_before_them_left() -> None:
    queue = Queue(GATHER_S, PATIENCE_S)

    async def put(size_bytes: int, *, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        change = object_put("photos", "k", size_bytes, inline=InlineRef(0, size_bytes, bytes(32)))
        with trio.CancelScope() as scope:
            task_status.started(scope)
            request = request_for([change], [bytes([size_bytes]) * size_bytes], queue.inline_start)
            await queue.wait_until_done(request)

    async with trio.open_nursery() as nursery:
        scopes = [await nursery.start(put, size_bytes) for size_bytes in (10, 20, 30)]
        scopes[1].cancel()
        await wait_all_tasks_blocked()
        batch = queue.take()
        nursery.cancel_scope.cancel()
    assert batch is not None
    assert batch.inline == bytes([10]) * 10 + bytes([30]) * 30
    places = [InlineRef(0, 10, bytes(32)), InlineRef(10, 30, bytes(32))]
    assert [change.inline for change in batch.changes if isinstance(change, ObjectPut)] == places
    owner = tenant()
    start = start_of(owner.opening)
    entry, _tip = entry_for(batch, owner.writer, owner.opening, owner.epoch_key, start, bytes(SALT_BYTES))
    assert open_changes(owner.epoch_key, decode_entry(entry)) == batch.changes


def test_behind_more_inline_bytes_than_an_entry_has_a_place_is_expected_in_a_later_one() -> None:
    changes = [object_put("photos", key, 5, inline=InlineRef(at, 5, bytes(32))) for key, at in (("a", 0), ("b", 5))]
    for before_bytes, place in ((ENTRY_BYTES_MAX - 10, ENTRY_BYTES_MAX - 10), (ENTRY_BYTES_MAX - 9, 0)):
        assert request_for(changes, [bytes(10)], before_bytes).inline_start == place


def test_it_is_the_word_of_trio_testing_by_which_it_waits() -> None:
    assert queue_module.wait_all_tasks_blocked is wait_all_tasks_blocked
