"""A gateway that dies again and again, on a disk that loses what was not synced, with holders that come and go.

Whatever happens within the bounds of the quorum: every change that was acknowledged is in the catalog of every later
life, and nothing is there that nobody wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from node.host.ports import Host
from node.store.journals import JournalStore
from node.vault.catalog import Catalog
from node.vault.journal import JournalTimers, JournalWriter
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
MOODS = ("away", "silent", "wrong-head", "stands-still", "refuses")
HOLDERS = tuple(node(number) for number in range(6))


@dataclass(frozen=True, slots=True)
class Life:
    """What happens in one life: who misbehaves, whether the disk was lost before, and at which point it ends."""

    moods: dict[int, str]
    wiped: bool
    ends_at: str | None
    after_times: int
    puts: int


QUIET = Life({}, wiped=False, ends_at=None, after_times=0, puts=1)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    wiped = draw(st.booleans())
    # Within the bounds: two losses, of which the lost disk is one; one liar.
    absent = draw(st.lists(st.integers(1, 5), max_size=1 if wiped else 2, unique=True))
    liars = draw(st.lists(st.integers(1, 5).filter(lambda number: number not in absent), max_size=1))
    moods = {number: draw(st.sampled_from(MOODS[:2])) for number in absent}
    moods |= {number: draw(st.sampled_from(MOODS[2:])) for number in liars if not absent and not wiped}
    ends_at = draw(st.sampled_from([None, *POINTS]))
    return Life(moods, wiped, ends_at, draw(st.integers(1, 4)), draw(st.integers(1, 8)))


@dataclass(slots=True)
class Record:
    """Kept outside of every node: what was tried, and what was acknowledged."""

    tried: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)


async def live(host: Host, mesh: FakeMesh, record: Record, life: Life, number: int) -> None:
    """One process: check what is there, then put until the end comes."""
    one = tenant(holders=HOLDERS, rule=quorum(6))
    wrapping = (WrappingKey(1, one.root.wrapping_key(1)),)
    secrets = GatewaySecrets("photos", "public", one.root.namespace, one.writer.seed, one.certificate, wrapping, b"")
    catalog, store = Catalog(host, one.opening), JournalStore(host)
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
        await writer.append([BucketCreated("photos", 1)])
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
    for holder in mesh.holders.values():
        holder.delay_s = 0.02
    for number, life in enumerate([QUIET, *plan, QUIET]):
        for index, holder in enumerate(HOLDERS[1:], start=1):
            mesh.holders[holder].mood = life.moods.get(index, "honest")
        if life.wiped:
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


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.lists(lives(), min_size=1, max_size=5))
def test_what_was_acknowledged_is_there_in_every_later_life(seed: int, plan: list[Life]) -> None:
    record = run_deterministically(seed, walk, seed, plan)
    assert record.acknowledged
