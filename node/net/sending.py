"""Frames onto a stream: one writer, fair among exchanges, control frames first.

Tasks hand over jobs, each a row of frames; the writer takes one frame of each job in turn, so a long payload never
holds up a short question, and control frames (pings, windows, cancellations) go before all of them. Payload parts
are passed to the stream as they are. A task may take its buffers back once its job is done or retired: a frame that
is half on its way cannot be withdrawn, so whoever is cancelled in the middle of one waits for its end, and if the
peer does not take it within a grace period, the connection is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio

from node.host.ports import Buffer, Stream
from node.net.reading import lost
from protocol.errors import MaillonError, OverLimit, Unavailable
from protocol.limits import FRAME_PAYLOAD_BYTES_MAX
from protocol.wire.frames import HEADER_BYTES, FrameType, pack_header

_BATCH_BYTES = FRAME_PAYLOAD_BYTES_MAX
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
        self._views = deque(memoryview(part).cast("B") for part in parts if len(part))
        self.left_bytes = sum(len(view) for view in self._views)
        # Small parts that cannot change: whoever sends them need not wait until they are out.
        self.is_lasting = self.left_bytes <= _LASTING_BYTES_MAX and all(isinstance(part, bytes) for part in parts)

    def frames(self, exchange: int, size_bytes: int) -> list[Frame]:
        """The next `size_bytes` of the payload as frames."""
        frames = []
        while size_bytes:
            frame_bytes = min(size_bytes, FRAME_PAYLOAD_BYTES_MAX)
            parts: list[Buffer] = [pack_header(FrameType.DATA, exchange, frame_bytes)]
            parts.extend(self._take(frame_bytes))
            frames.append(Frame(parts, HEADER_BYTES + frame_bytes))
            size_bytes -= frame_bytes
        return frames

    def _take(self, size_bytes: int) -> Iterable[memoryview]:
        self.left_bytes -= size_bytes
        while size_bytes:
            view = self._views.popleft()
            if len(view) > size_bytes:
                self._views.appendleft(view[size_bytes:])
                view = view[:size_bytes]
            size_bytes -= len(view)
            yield view


@dataclass(slots=True, eq=False)
class Job:
    """Frames of one exchange on their way. `begun` once the first was taken by the writer."""

    frames: deque[Frame]
    begun: bool = False
    in_flight: bool = False
    error: MaillonError | None = None
    done: trio.Event = field(default_factory=trio.Event)


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
    ) -> None:
        self._stream = stream
        self._lost = lost
        self._grace_s = grace_s
        self._stalled_after_s = stalled_after_s
        self._give_up = give_up
        self._urgent: list[Frame] = []
        self._queue: deque[Job] = deque()
        self._wake = trio.Event()
        self._finishing = False
        self._error: MaillonError | None = None

    @property
    def has_room(self) -> bool:
        """Few jobs wait: one more may be queued by somebody who will not wait for it."""
        return len(self._queue) < _UNAWAITED_MAX

    def submit(self, frames: Iterable[Frame]) -> Job:
        """Queue frames, to go out in order. Raises what `lost` makes when it is over."""
        if self._error is not None:
            raise self._lost()
        job = Job(deque(frames))
        self._queue.append(job)
        self._wake.set()
        return job

    async def send(self, frames: Iterable[Frame]) -> None:
        """Queue frames and wait until they are out; on return, in whatever way, their buffers are free."""
        job = self.submit(frames)
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
        job.frames.clear()
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
            job.frames.clear()
            if not job.in_flight:
                job.error = self._lost()
                job.done.set()
        self._queue.clear()

    async def run(self) -> None:
        """Write until finished. Raises Unavailable(`stream-broken`, `peer-stalled`)."""
        while True:
            parts, jobs = self._gather()
            if parts:
                await self._write(parts, jobs)
            elif self._finishing:
                return
            else:
                self._wake = trio.Event()
                await self._wake.wait()

    def _gather(self) -> tuple[list[Buffer], list[Job]]:
        """About a batch of bytes: the control frames, then one frame of each job in turn."""
        parts: list[Buffer] = []
        jobs: list[Job] = []
        for frame in self._urgent:
            parts.extend(frame.parts)
        self._urgent.clear()
        size_bytes = 0
        while self._queue and size_bytes < _BATCH_BYTES and not self._finishing:
            job = self._queue.popleft()
            if not job.frames:
                continue
            frame = job.frames.popleft()
            job.begun = job.in_flight = True
            jobs.append(job)
            parts.extend(frame.parts)
            size_bytes += frame.size_bytes
            if job.frames:
                self._queue.append(job)
        return parts, jobs

    async def _write(self, parts: list[Buffer], jobs: list[Job]) -> None:
        try:
            with trio.move_on_after(self._stalled_after_s) as patience:
                await self._stream.send_all(parts)
            if patience.cancelled_caught:
                raise Unavailable("peer-stalled")
        except BaseException:
            for job in jobs:
                job.error = self._lost()
                job.in_flight = False
                job.done.set()
            raise
        for job in jobs:
            job.in_flight = False
            if not job.frames:
                job.done.set()
