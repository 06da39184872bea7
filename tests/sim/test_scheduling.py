"""The private names of trio that make runs replay, and that they do."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio._core import _run
from trio.testing import wait_all_tasks_blocked

from sim.host.scheduling import deterministic_scheduling, run_deterministically

ROOT = Path(__file__).parents[2]
CHILD = "from tests.support.small_world import run_small_world; print(run_small_world(7))"


def test_trio_still_has_the_switch_and_the_generator() -> None:
    assert isinstance(_run._ALLOW_DETERMINISTIC_SCHEDULING, bool)
    assert isinstance(_run._r, random.Random)


async def test_trio_still_says_who_waits_until_all_are_blocked() -> None:
    assert not _run.GLOBAL_RUN_CONTEXT.runner.waiting_for_idle


def test_both_are_left_as_they_were_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", False)  # pytest-trio turns it on for Hypothesis
    before = _run._r.getstate()
    with deterministic_scheduling(1):
        assert vars(_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] is True
        _run._r.random()
    assert vars(_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] is False
    assert _run._r.getstate() == before


async def _order_of_tasks() -> list[int]:
    order: list[int] = []

    async def task(number: int) -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(task, number)
    return order


def test_the_order_of_tasks_comes_from_the_seed() -> None:
    orders = [run_deterministically(seed, _order_of_tasks) for seed in (1, 1, 2)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_waiting_takes_no_time() -> None:
    async def sleep_a_day() -> float:
        await trio.sleep(86_400)
        return trio.current_time()

    assert run_deterministically(1, sleep_a_day) == 86_400


def test_who_waits_until_all_are_blocked_is_woken_before_the_clock_jumps() -> None:
    async def wait_for_another() -> tuple[float, bool]:
        done = False

        async def work() -> None:
            nonlocal done
            for _ in range(9):
                await trio.lowlevel.checkpoint()
            done = True
            await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await wait_all_tasks_blocked()
            return trio.current_time(), done

    assert run_deterministically(1, wait_for_another) == (0.0, True)


def test_a_seed_replays_in_another_process_with_another_hash_seed() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", CHILD],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            timeout=120,
            check=True,
        ).stdout.splitlines()[-1]  # what comes before is the log, with the real time
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert int(outputs[0].split()[0]) > 1000, "a run in which little happens proves little"
