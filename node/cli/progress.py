"""How far a transfer is: a bar with rate and time left for people, one JSON line a second for programs.

Nothing is shown for what takes less than a second, and `rich` is not even imported then.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from node.cli.output import Output

QUIET_S = 1.0
REFRESH_S = 0.2
LINE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What `--json` says of a transfer that is under way; totals are null while nobody knows them."""

    done_bytes: int
    total_bytes: int | None
    done_files: int
    total_files: int | None
    rate_bytes_per_s: int
    left_s: float | None


@dataclass(slots=True)
class Meter:
    """Counts what has moved. Whoever moves bytes calls `advance`; `moment` looks at it from the side."""

    total_bytes: int | None
    total_files: int | None
    began_s: float = field(default_factory=trio.current_time)
    done_bytes: int = 0
    done_files: int = 0

    def advance(self, size_bytes: int) -> None:
        """So many more bytes have moved."""
        self.done_bytes += size_bytes

    def finish_file(self) -> None:
        """One more file is whole at the other end."""
        self.done_files += 1

    @property
    def seconds(self) -> float:
        """Since the transfer began."""
        return max(trio.current_time() - self.began_s, 1e-9)

    def moment(self) -> Moment:
        """How far it is now."""
        rate = self.done_bytes / self.seconds
        left = None
        if self.total_bytes is not None and rate > 0:
            left = round((self.total_bytes - self.done_bytes) / rate, 1)
        return Moment(self.done_bytes, self.total_bytes, self.done_files, self.total_files, int(rate), left)


@asynccontextmanager
async def metered(
    output: Output, verb: str, *, total_bytes: int | None, total_files: int | None = None
) -> AsyncIterator[Meter]:
    """A meter that is shown, where there is somebody to see it, until the block ends."""
    meter = Meter(total_bytes, total_files)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_lines if output.json else _bar, output, verb, meter)
        yield meter
        nursery.cancel_scope.cancel()


async def _lines(output: Output, verb: str, meter: Meter) -> None:
    while True:
        await trio.sleep(LINE_EVERY_S)
        output.step(verb, meter.moment())


async def _bar(_output: Output, verb: str, meter: Meter) -> None:
    if not sys.stderr.isatty():
        return
    await trio.sleep(QUIET_S)
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
        task = progress.add_task(verb, total=meter.total_bytes)
        while True:
            progress.update(task, completed=meter.done_bytes, description=_described(verb, meter), refresh=True)
            await trio.sleep(REFRESH_S)


def _described(verb: str, meter: Meter) -> str:
    return verb if meter.total_files is None else f"{verb} {meter.done_files}/{meter.total_files}"
