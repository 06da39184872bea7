"""A gateway that dies again and again, on a disk that loses what was not synced, with holders that come and go.

Whatever happens within the bounds of the quorum: every change that was acknowledged is in the catalog of every later
life, and nothing is there that nobody wrote, even when the gateway loses its disk. A life in which too few holders
answer may not begin; the last one finds everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from node.first_error import first_error
from node.host.ports import Host
from node.vault.journal.takeover import Succeeded
from node.vault.journal.tools import JournalTimers
from protocol.errors import MaillonError
from protocol.namespace.changes import BucketCreated, InlineRef
from sim.host.scheduling import run_deterministically
from sim.host.world import World
from tests.support.gateways import Scene, scene
from tests.support.laws import examples
from tests.support.namespaces import object_put, some

TIMERS = JournalTimers(
    ask_deadline_s=2, append_deadline_s=4, start_wait_s=20, tails_grace_s=0.5, retry_first_s=0.1, retry_most_s=1
)
POINTS = (
    "journal.before-own-copy",
    "journal.before-write",
    "journal.before-sync",
    "journal.after-sync",
    "journal.after-own-copy",
    "succession.before-promise",
    "succession.after-promise",
    "succession.after-adopt",
    "succession.after-prepare",
    "succession.before-accept",
    "succession.after-accept",
    "succession.before-open",
    "succession.after-open",
)
ABSENT = ("away", "silent")
LIARS = ("wrong-head", "stands-still", "garbles", "shows-nothing", "claims-more")
DELAYS_S = (0.01, 0.02, 1.5)
START_S = 40.0


@dataclass(frozen=True, slots=True)
class Life:
    """What happens in one life: who misbehaves, who is slow, whether the disk was lost before, and where it ends."""

    moods: dict[int, str]
    delays_s: tuple[float, ...]
    wiped: bool
    ends_at: str | None
    after_times: int
    puts: int


QUIET = Life({}, (0.01,) * 5, wiped=False, ends_at=None, after_times=0, puts=1)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    wiped = draw(st.booleans())
    # Within the bounds: two losses, of which a lost disk is one; one liar, where w can still be reached without it.
    absent = draw(st.lists(st.integers(1, 5), max_size=1 if wiped else 2, unique=True))
    moods = {number: draw(st.sampled_from(ABSENT)) for number in absent}
    liar = draw(st.integers(1, 5))
    if liar not in absent and len(absent) < 2:
        moods[liar] = draw(st.sampled_from(LIARS))
    delays_s = draw(st.tuples(*[st.sampled_from(DELAYS_S)] * 5))
    ends_at = draw(st.sampled_from([None, *POINTS]))
    return Life(moods, delays_s, wiped, ends_at, draw(st.integers(1, 4)), draw(st.integers(1, 6)))


@dataclass(slots=True)
class Record:
    """Kept outside of every node: what was tried, what was acknowledged, and how many liars the last epoch bears."""

    tried: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    liars: int = 1
    begun: int = 0


async def live(stage: Scene, record: Record, life: Life, number: int) -> None:
    """One process: check what is there, then put until the end comes."""
    async with trio.open_nursery() as nursery:
        await stage.members.start(0, nursery)
        try:
            with trio.fail_after(START_S):
                succeeded = await stage.become_writer() if stage.first else None
            with first_error():
                await _put_and_check(stage, succeeded, record, life, number)
        except (trio.TooSlowError, MaillonError):
            assert life is not QUIET
        nursery.cancel_scope.cancel()


async def _put_and_check(stage: Scene, succeeded: Succeeded | None, record: Record, life: Life, number: int) -> None:
    async with stage.running(succeeded=succeeded) as (writer, catalog):
        await writer.append([BucketCreated("photos", 1)])
        record.liars, record.begun = writer.opening.liars, record.begun + 1
        found = {stored.key for stored in await catalog.list("photos")}
        assert record.acknowledged <= found <= record.tried

        async def put(ordinal: int) -> None:
            key = f"{number}-{ordinal}"
            record.tried.add(key)
            inline = InlineRef(0, 8, some("key", ordinal))
            try:
                await writer.append([object_put("photos", key, ordinal, inline=inline)], [b"%8d" % ordinal])
            except MaillonError:
                return
            record.acknowledged.add(key)
            at = (await catalog.stat("photos", key)).inline
            assert at is not None
            assert await writer.read_inline(at) == b"%8d" % ordinal

        async with trio.open_nursery() as putting:
            for ordinal in range(life.puts):
                putting.start_soon(put, ordinal)
                await trio.sleep(0.01)


async def walk(seed: int, plan: list[Life]) -> Record:
    record = Record()
    async with scene(seed=seed) as stage:
        stage.timers = TIMERS
        world = stage.world
        for number, life in enumerate([QUIET, *plan, QUIET]):
            stage.members[0].scope.cancel()
            for index in range(1, 6):
                mood = life.moods.get(index, "honest")
                stage.members[index].mood = mood if record.liars or mood not in LIARS else "honest"
                stage.members[index].delay_s = life.delays_s[index - 1]
            if life.wiped:
                world.platter("n0").files.clear()
                world.platter("n0").databases.clear()
            if life.ends_at is not None:
                end_life_at(world, life)

            async def main(_host: Host, life: Life = life, number: int = number) -> None:
                await live(stage, record, life, number)

            with trio.fail_after(600):
                await world.run_node("n0", main)
            world.cut_power("n0")
    return record


def end_life_at(world: World, life: Life) -> None:
    faults = world.faults("n0")
    assert life.ends_at is not None
    point = life.ends_at

    def maybe() -> None:
        if faults.times_reached(point) == life.after_times:
            world.cut_power("n0")

    faults.on(point, maybe)


@settings(max_examples=examples(30), deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 2**32), st.lists(lives(), min_size=1, max_size=5))
def test_what_was_acknowledged_is_there_in_every_later_life(seed: int, plan: list[Life]) -> None:
    record = run_deterministically(seed, walk, seed, plan)
    assert record.acknowledged
