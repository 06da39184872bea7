"""What the real machine gives besides files and sockets: entropy, wall time, worker threads, the start lock."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from node.taking import take_turn
from protocol.errors import Refused

R = TypeVar("R")


class SystemEntropy:
    """The kernel's generator."""

    def random_bytes(self, size: int) -> bytes:
        return os.urandom(size)


class SystemWallClock:
    """What this machine believes; durations are measured on trio's clock instead."""

    def now_s(self) -> int:
        return int(time.time())


class WorkerThreads:
    """Trio's worker threads, bounded for the whole node, so that a burst queues instead of starting hundreds.

    A cancelled caller waits for its work to end: abandoned work would go on using buffers that are being reused.
    `trio.to_thread` would do, but it names the thread, copies the context and takes a turn of the scheduler for each
    call, which together cost more than much of the work.
    """

    def __init__(self, count_max: int) -> None:
        self._free = trio.Semaphore(count_max)

    async def run_blocking(self, work: Callable[..., R], *arguments: object) -> R:
        await trio.lowlevel.checkpoint_if_cancelled()
        await take_turn(self._free)
        try:
            return await _in_thread(partial(work, *arguments))
        finally:
            self._free.release()


@trio.lowlevel.enable_ki_protection
async def _in_thread(work: Callable[[], R]) -> R:
    """Do the work in a thread of trio's, and wait for it whatever happens. Protected, as an interrupt between the
    two would leave a thread that wakes a task which does not wait."""
    reschedule = partial(
        trio.lowlevel.current_trio_token().run_sync_soon, trio.lowlevel.reschedule, trio.lowlevel.current_task()
    )
    trio.lowlevel.start_thread_soon(work, reschedule)
    outcome: R = await trio.lowlevel.wait_task_rescheduled(_never_aborted)
    return outcome


def _never_aborted(_raise_cancel: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


@asynccontextmanager
async def hold_lock(node_dir: Path) -> AsyncIterator[None]:
    """Hold NODE_DIR/lock while the node runs. Raises Refused(`node-already-running`).

    The kernel drops an flock with the process that held it, so no crash leaves a stale one behind.
    """
    path = node_dir / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("node-already-running", path=str(node_dir)) from error
        yield
    finally:
        os.close(descriptor)
