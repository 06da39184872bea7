"""The real machine's own: the start lock, threads, disks that are not there."""

from __future__ import annotations

import threading
from pathlib import Path, PurePath

import pytest
import trio

from node.host.machine import WorkerThreads
from node.host.ports import Host
from node.host.real import real_host
from protocol.errors import Refused, Unavailable
from sim.host.world import World


@pytest.fixture(params=["real", "memory"])
def two_starts(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Host, Host]:
    """The same node's host twice, as when somebody starts it a second time."""
    if request.param == "real":
        return real_host(tmp_path), real_host(tmp_path)
    world = World(1)
    return world.host("n1"), world.host("n1")


async def test_a_node_starts_only_once_at_a_time(two_starts: tuple[Host, Host]) -> None:
    first, second = two_starts
    async with first.lock():
        with pytest.raises(Refused) as caught:
            async with second.lock():
                pytest.fail("two nodes on one folder")
        assert caught.value.identifier == "node-already-running"
    async with second.lock():
        pass


async def test_threads_are_bounded_and_raise_what_their_work_raised() -> None:
    threads = WorkerThreads(2)
    running, most = 0, 0
    turn = threading.Lock()
    together = threading.Barrier(2, timeout=10)

    def work() -> None:
        nonlocal running, most
        with turn:
            running += 1
            most = max(most, running)
        together.wait()
        with turn:
            running -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(threads.run_blocking, work)
    assert most == 2
    with pytest.raises(ZeroDivisionError):
        await threads.run_blocking(lambda: 1 // 0)


async def test_a_cancelled_caller_waits_for_its_work() -> None:
    """Abandoned work would go on writing into a buffer that somebody else has by then."""
    threads = WorkerThreads(1)
    begun, released, finished = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        released.wait(10)
        finished.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(threads.run_blocking, work)
        await trio.to_thread.run_sync(begun.wait, 10)
        nursery.cancel_scope.cancel()
        nursery.start_soon(trio.lowlevel.cancel_shielded_checkpoint)
        released.set()
    assert finished == [True]


def test_a_disk_is_made_in_a_folder_that_is_there_and_nowhere_else(tmp_path: Path) -> None:
    host = real_host(tmp_path)
    disk = host.open_disk("volumes")
    disk.replace(PurePath("v1"), b"data")
    assert (tmp_path / "volumes/v1").read_bytes() == b"data"
    with pytest.raises(Unavailable) as caught:
        host.open_disk("/nowhere-at-all/disk2")
    assert caught.value.identifier == "disk-absent"
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        host.open_disk("file")


def test_entropy_and_clock_answer(tmp_path: Path) -> None:
    host = real_host(tmp_path)
    assert len(host.entropy.random_bytes(32)) == 32
    assert host.entropy.random_bytes(32) != host.entropy.random_bytes(32)
    assert host.wall.now_s() > 1_700_000_000
