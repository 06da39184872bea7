"""A host whose blocking work takes its time: an old disk, a busy machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import trio

from node.host.ports import Host, Threads

R = TypeVar("R")


@dataclass(slots=True)
class SlowThreads:
    """See `ports.Threads`; `wait_s` may change at any time."""

    threads: Threads
    wait_s: float = 0.0

    async def run_blocking(self, work: Callable[..., R], *arguments: object) -> R:
        await trio.sleep(self.wait_s)
        return await self.threads.run_blocking(work, *arguments)

    def host(self, host: Host) -> Host:
        """`host`, with these threads."""
        return dataclasses.replace(host, threads=self)
