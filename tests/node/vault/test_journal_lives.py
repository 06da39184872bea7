"""A gateway that dies again and again, on a disk that loses what was not synced, with holders that come and go.

Whatever happens within the bounds of the quorum: every change that was acknowledged is in the catalog of every later
life, and nothing is there that nobody wrote. A gateway that lost its disk and goes on in the same epoch can leave two
histories at holders that were slow; then it may stop (a fork, or too few that agree), but never be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from node.host.ports import Host
from node.store.journals import JournalStore
from node.vault.catalog.catalog import Catalog
from node.vault.journal.writer import JournalTimers, JournalWriter
from node.vault.secrets import GatewaySecrets, WrappingKey
from protocol.errors import MaillonError
from protocol.namespace.changes import BucketCreated, InlineRef
from protocol.namespace.quorums import quorum
from sim.host.scheduling import run_deterministically
from sim.host.world import World
from tests.support.journals import FakeMesh
from tests.support.namespaces import node, object_put, some, tenant

TIMERS = JournalTimers(
    ask_deadline_s=2, append_deadline_s=4, start_wait_s=20, tails_grace_s=0.5, retry_first_s=0.1, retry_most_s=1
)
POINTS = (
    "journal.before-own-copy",
    "journal.before-write",
    "journal.before-sync",
    "journal.after-sync",
    "journal.after-own-copy",
)
ABSENT = ("away", "silent")
LIARS = ("wrong-head", "stands-still", "garbles", "shows-nothing", "claims-more")
DELAYS_S = (0.01, 0.02, 1.5)
HOLDERS = tuple(node(number) for number in range(6))


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
    """Kept outside of every node: what was tried, and what was acknowledged."""

    tried: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    disk_was_lost: bool = False


async def live(host: Host, mesh: FakeMesh, record: Record, life: Life, number: int) -> None:
    """One process: check what is there, then put until the end comes."""
    one = tenant(holders=HOLDERS, rule=quorum(6))
    wrapping = (WrappingKey(1, one.root.wrapping_key(1)),)
    secrets = GatewaySecrets("photos", "public", one.root.namespace, one.writer.seed, one.certificate, wrapping, b"")
    catalog, store = Catalog(host, one.opening.namespace), JournalStore(host)
    writer = JournalWriter(
        host,
        me=HOLDERS[0],
        opening=one.opening,
        secrets=secrets,
        local=store,
        ask=mesh.ask,
        catalog=catalog,
        timers=TIMERS,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        await nursery.start(writer.run)
        try:
            await writer.append([BucketCreated("photos", 1)])
        except MaillonError as error:
            assert record.disk_was_lost, error
            nursery.cancel_scope.cancel()
            return
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
        nursery.cancel_scope.cancel()


async def walk(seed: int, plan: list[Life]) -> Record:
    world, mesh, record = World(seed), FakeMesh(HOLDERS[1:]), Record()
    for number, life in enumerate([QUIET, *plan, QUIET]):
        for index, holder in enumerate(HOLDERS[1:], start=1):
            mesh.holders[holder].mood = life.moods.get(index, "honest")
            mesh.holders[holder].delay_s = life.delays_s[index - 1]
        if life.wiped:
            record.disk_was_lost = True
            world.platter("gateway").files.clear()
            world.platter("gateway").databases.clear()
        if life.ends_at is not None:
            end_life_at(world, life)

        async def main(host: Host, life: Life = life, number: int = number) -> None:
            await live(host, mesh, record, life, number)

        with trio.fail_after(600):
            await world.run_node("gateway", main)
        world.cut_power("gateway")
    return record


def end_life_at(world: World, life: Life) -> None:
    faults = world.faults("gateway")
    assert life.ends_at is not None
    point = life.ends_at

    def maybe() -> None:
        if faults.times_reached(point) == life.after_times:
            world.cut_power("gateway")

    faults.on(point, maybe)


@settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 2**32), st.lists(lives(), min_size=1, max_size=5))
def test_what_was_acknowledged_is_there_in_every_later_life(seed: int, plan: list[Life]) -> None:
    record = run_deterministically(seed, walk, seed, plan)
    assert record.acknowledged
