"""Gateways and holders die at every step of a journal's hand-over, fall behind, forget: nothing acknowledged is lost.

Every start of a gateway ends an epoch and begins the next, so the steps are reached by starting it. What was
acknowledged is kept by the tests themselves, beside the federation, and compared after each life.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protocol.errors import MaillonError
from tests.support.processes import GATEWAY, Town, some_bytes

pytestmark = pytest.mark.processes

SMALL_BYTES = 20_000
LARGE_BYTES = 600_000

GATEWAY_POINTS = (
    "succession.before-promise",
    "succession.after-promise",
    "succession.after-adopt",
    "succession.after-prepare",
    "succession.before-accept",
    "succession.after-accept",
    "succession.before-open",
    "succession.after-open",
    "succession.after-card",
)

WRITING_POINTS = ("journal.before-own-copy", "journal.after-own-copy", "vault.after-journal")

# Two holders die in the same succession; that is what the journal of six bears.
HOLDER_POINTS = (
    ("serve.before-promise-answer", "serve.before-accept-answer"),
    ("journal.before-state", "journal.after-state"),
    ("serve.before-prepare-answer", "serve.before-append-answer"),
)


class Record:
    """What was acknowledged, kept apart from the federation."""

    def __init__(self, six: Town, prefix: str) -> None:
        self._six = six
        self._prefix = prefix
        self._kept: dict[str, bytes] = {}

    async def put(self, size_bytes: int = SMALL_BYTES) -> None:
        number = len(self._kept)
        key, data = f"{self._prefix}/{number}", some_bytes(number, size_bytes)
        await self._six.put(key, data)
        self._kept[key] = data

    async def check(self, when: object) -> None:
        for key, data in self._kept.items():
            assert await self._six.get(key) == data, (when, key)


async def test_the_gateway_dies_at_each_step_of_its_succession(six_nodes: Town) -> None:
    """Each life takes up what the last one left half done: a promise, a prepared opening, a decree on its way."""
    record = Record(six_nodes, "steps")
    await record.put(LARGE_BYTES)
    await record.put()
    await six_nodes.kill(GATEWAY)
    for point in GATEWAY_POINTS:
        six_nodes.spawn(GATEWAY, faults=f"{point}=kill9@1")
        await six_nodes.wait_dead(GATEWAY)
    await six_nodes.heal()
    await record.check("nine half successions")
    await record.put()


@pytest.mark.chaos
async def test_holders_die_at_each_step_of_a_succession_two_at_a_time(six_nodes: Town) -> None:
    record = Record(six_nodes, "holders")
    await record.put()
    for points in HOLDER_POINTS:
        victims = [name for name in six_nodes.names if name != GATEWAY][: len(points)]
        await six_nodes.kill(*victims)
        for name, point in zip(victims, points, strict=True):
            six_nodes.spawn(name, faults=f"{point}=kill9@1")
        await six_nodes.see(len(six_nodes.names))
        await six_nodes.restart(GATEWAY)
        await six_nodes.writable()
        await record.put()
        await record.check(points)
        await six_nodes.heal()


async def test_a_holder_is_put_back_to_yesterday(six_nodes: Town, tmp_path: Path) -> None:
    """It rolled back, which counts as a lie: the others outvote it, and nothing that it forgot is missed."""
    record, victim = Record(six_nodes, "yesterday"), "n3"
    await record.put()
    await six_nodes.kill(victim)
    shutil.copytree(six_nodes.dir(victim), tmp_path / "yesterday", ignore=shutil.ignore_patterns("*.sock"))
    await six_nodes.start(victim)
    await six_nodes.see(6)
    await record.put(LARGE_BYTES)
    await record.put()
    await six_nodes.kill(victim)
    shutil.rmtree(six_nodes.dir(victim))
    shutil.copytree(tmp_path / "yesterday", six_nodes.dir(victim))
    await six_nodes.start(victim)
    await six_nodes.restart(GATEWAY)
    await six_nodes.heal()
    await record.check("rolled back")
    await record.put()


@pytest.mark.chaos
async def test_the_gateway_dies_again_and_again_under_load(six_nodes: Town) -> None:
    """Each life is cut at another moment of writing."""
    record = Record(six_nodes, "lives")
    for life, point in enumerate(WRITING_POINTS):
        await six_nodes.kill(GATEWAY)
        await six_nodes.start(GATEWAY, faults=f"{point}=kill9@{2 + life}")
        await six_nodes.writable()
        try:
            while True:
                await record.put()
        except MaillonError:
            await six_nodes.wait_dead(GATEWAY)
    await six_nodes.heal()
    await record.check("lives")


async def test_holders_die_one_by_one_while_the_gateway_is_away(six_nodes: Town) -> None:
    """Two of six may go while nobody writes: the gateway comes back to four, and goes on with them."""
    record = Record(six_nodes, "one by one")
    await record.put(LARGE_BYTES)
    await record.put()
    await six_nodes.kill(GATEWAY)
    for name in ("n5", "n6"):
        await six_nodes.kill(name)
    await six_nodes.start(GATEWAY)
    await six_nodes.writable()
    await record.check("two holders are gone")
    await record.put()
    await six_nodes.heal()
    await record.check("all are back")
