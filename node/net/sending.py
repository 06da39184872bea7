"""Frames onto a stream: one writer, fair among exchanges, control frames first.

Tasks hand over jobs, each a row of frames; the writer takes one frame of each job in turn, so a long payload never
holds up a short question, and control frames (pings, windows, cancellations) go before all of them. Payload parts
are passed to the stream as they are. A task may take its buffers back once its job is done or retired: a frame that
is half on its way cannot be withdrawn, so whoever is cancelled in the middle of one waits for its end, and if the
peer does not take it within a grace period, the connection is given up.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from node.host.ports import Buffer, Stream
from node.net.reading import lost
from protocol.errors import MaillonError, OverLimit, Unavailable
from protocol.limits import KIB, MIB
from protocol.wire.frames import HEADER_BYTES, FrameType, pack_header

# How much goes out in one write, and in one DATA frame: the least, and more where such a write is over soon. Whatever
# comes next waits for it: where that may be a question, it is less than a frame may hold.
_WRITE_BYTES_MIN: Final = 256 * KIB
WRITE_BYTES_MAX: Final = 1 * MIB
_SOON_S: Final = 0.1
_URGENT_MAX = 4_096
_UNAWAITED_MAX = 64
_LASTING_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """Header and payload parts, in the order in which they go out."""

    parts: list[Buffer]
    size_bytes: int


def frame_of(frame_type: FrameType, exchange: int, payload: bytes = b"") -> Frame:
    """A frame of one small payload."""
    header = pack_header(frame_type, exchange, len(payload))
    return Frame([header, payload] if payload else [header], HEADER_BYTES + len(payload))


class Cutter:
    """Cuts payload parts into DATA frames, as views, without copying."""

    def __init__(self, parts: Sequence[Buffer]) -> None:
        if not parts:  # most messages go without
            self._views: deque[memoryview] = deque()
            self.left_bytes, self.is_lasting = 0, True
            return
        self._views = deque([memoryview(part).cast("B") for part in parts if len(part)])
        self.left_bytes = sum(map(len, self._views))
        # Small parts that cannot change: whoever sends them need not wait until they are out.
        self.is_lasting = self.left_bytes <= _LASTING_BYTES_MAX and all(isinstance(part, bytes) for part in parts)

    def run(self, exchange: int, size_bytes: int) -> Run:
        """The next `size_bytes` of the payload. Runs of one cutter are sent one after the other."""
        self.left_bytes -= size_bytes
        return Run(self, exchange, size_bytes)

    def take(self, size_bytes: int) -> Iterable[memoryview]:
        """The next `size_bytes` of what runs have."""
        while size_bytes:
            view = self._views.popleft()
            if len(view) > size_bytes:
                self._views.appendleft(view[size_bytes:])
                view = view[:size_bytes]
            size_bytes -= len(view)
            yield view


@dataclass(slots=True)
class Run:
    """A stretch of payload, cut into frames as they go out, because only then is it known how large they may be."""

    cutter: Cutter
    exchange: int
    left_bytes: int

    def next_frame(self, size_bytes_max: int) -> Frame:
        """The next DATA frame, with at most so much payload."""
        size_bytes = min(self.left_bytes, size_bytes_max)
        self.left_bytes -= size_bytes
        parts: list[Buffer] = [pack_header(FrameType.DATA, self.exchange, size_bytes)]
        parts.extend(self.cutter.take(size_bytes))
        return Frame(parts, HEADER_BYTES + size_bytes)


@dataclass(slots=True, eq=False)
class Job:
    """Frames of one exchange on their way, and payload behind them. `begun` once the writer took the first."""

    frames: deque[Frame]
    run: Run | None = None
    begun: bool = False
    in_flight: bool = False
    error: MaillonError | None = None
    done: trio.Event = field(default_factory=trio.Event)

    @property
    def is_spent(self) -> bool:
        """Nothing is left of it."""
        return not self.frames and (self.run is None or not self.run.left_bytes)

    def next_frame(self, size_bytes_max: int) -> Frame:
        """The next frame of a job that is not spent."""
        if self.run is None or self.frames:
            return self.frames.popleft()
        return self.run.next_frame(size_bytes_max)

    def withdraw(self) -> None:
        """Forget what was not sent."""
        self.frames.clear()
        self.run = None


class Sender:
    """The sending side of one stream. `give_up` ends it when a cancelled sender finds it stuck; `lost` makes the
    error of those who wait when it is over. A peer that has not taken one write within `stalled_after_s` is given up
    however much it sends: what waits for it would be held for ever."""

    def __init__(
        self,
        stream: Stream,
        *,
        grace_s: float,
        stalled_after_s: float,
        give_up: Callable[[MaillonError], None],
        lost: Callable[[], MaillonError] = lost,
        write_bytes_max: int = WRITE_BYTES_MAX,
    ) -> None:
        self._stream = stream
        self._lost = lost
        self._write_bytes_max = write_bytes_max
        self._grace_s = grace_s
        self._stalled_after_s = stalled_after_s
        self._give_up = give_up
        self._urgent: list[Frame] = []
        self._queue: deque[Job] = deque()
        self._wake = trio.Event()
        self._finishing = False
        self._error: MaillonError | None = None
        self._write_bytes = _WRITE_BYTES_MIN
        self._due_s = math.inf

    @property
    def has_room(self) -> bool:
        """Few jobs wait: one more may be queued by somebody who will not wait for it."""
        return len(self._queue) < _UNAWAITED_MAX

    def submit(self, frames: Iterable[Frame], run: Run | None = None) -> Job:
        """Queue frames and payload, to go out in order. Raises what `lost` makes when it is over."""
        if self._error is not None:
            raise self._lost()
        job = Job(deque(frames), run)
        self._queue.append(job)
        self._wake.set()
        return job

    async def send(self, frames: Iterable[Frame], run: Run | None = None) -> None:
        """As `submit`, and wait until all is out; on return, in whatever way, the buffers are free."""
        job = self.submit(frames, run)
        try:
            await job.done.wait()
        finally:
            await self.retire(job)
        if job.error is not None:
            raise job.error

    def send_soon(self, frame: Frame) -> None:
        """Queue a control frame before everything else; never waits. A peer that lets them pile up is given up."""
        if self._error is not None:
            return
        if len(self._urgent) >= _URGENT_MAX:
            self._give_up(OverLimit("control-frames", limit=_URGENT_MAX))
            return
        self._urgent.append(frame)
        self._wake.set()

    async def retire(self, job: Job) -> None:
        """Withdraw what was not sent of a job, and wait for the frame in flight."""
        if job.done.is_set():
            return
        job.withdraw()
        if not job.in_flight:
            return
        with trio.CancelScope(shield=True, deadline=trio.current_time() + self._grace_s) as grace:
            await job.done.wait()
        if grace.cancelled_caught:
            self._give_up(Unavailable("peer-stalled"))
            with trio.CancelScope(shield=True):
                await job.done.wait()

    def finish(self) -> None:
        """Let `run` return once the control frames that wait are out."""
        self._finishing = True
        self._wake.set()

    def fail(self, error: MaillonError) -> None:
        """The stream is over: everybody who waits hears so."""
        self._error = error
        for job in self._queue:
            job.withdraw()
            if not job.in_flight:
                job.error = self._lost()
                job.done.set()
        self._queue.clear()

    async def run(self) -> None:
        """Write until finished. Raises Unavailable(`stream-broken`)."""
        while True:
            parts, jobs = self._gather()
            if parts:
                await self._write(parts, jobs)
            elif self._finishing:
                return
            else:
                self._wake = trio.Event()
                await self._wake.wait()

    async def notice_stall(self) -> None:
        """Runs beside `run`, where nobody else looks from time to time (`check_stall`). It is no task of `run`'s own,
        because whoever hears that a write failed may ask again at once, and must find the stream over."""
        while True:
            self.check_stall()
            await trio.sleep_until(min(self._due_s, trio.current_time() + self._stalled_after_s))

    def check_stall(self) -> None:
        """Raise Unavailable(`peer-stalled`) when a write takes too long. Whoever looks from time to time notices, and
        a deadline that is moved for each write costs as much as the write."""
        if trio.current_time() >= self._due_s:
            raise Unavailable("peer-stalled")

    def _gather(self) -> tuple[list[Buffer], list[Job]]:
        """What one write takes: the control frames, then one frame of each job in turn."""
        parts: list[Buffer] = []
        jobs: list[Job] = []
        for frame in self._urgent:
            parts.extend(frame.parts)
        self._urgent.clear()
        size_bytes = 0
        while self._queue and size_bytes < self._write_bytes and not self._finishing:
            job = self._queue.popleft()
            if job.is_spent:
                continue
            frame = job.next_frame(self._write_bytes)
            job.begun = job.in_flight = True
            jobs.append(job)
            parts.extend(frame.parts)
            size_bytes += frame.size_bytes
            if not job.is_spent:
                self._queue.append(job)
        return parts, jobs

    async def _write(self, parts: list[Buffer], jobs: list[Job]) -> None:
        began_s = trio.current_time()
        try:
            self._due_s = began_s + self._stalled_after_s
            await self._stream.send_all(parts)
            self._due_s = math.inf
        except BaseException:
            for job in jobs:
                job.error = self._lost()
                job.in_flight = False
                job.done.set()
            raise
        self._keep_pace(sum(map(len, parts)), trio.current_time() - began_s)
        for job in jobs:
            job.in_flight = False
            if job.is_spent:
                job.done.set()

    def _keep_pace(self, size_bytes: int, took_s: float) -> None:
        """Write more at a time as long as it is over soon: what comes next waits for all of it."""
        if took_s > _SOON_S:
            self._write_bytes = _WRITE_BYTES_MIN
        elif size_bytes >= self._write_bytes:
            self._write_bytes = min(2 * self._write_bytes, self._write_bytes_max)
