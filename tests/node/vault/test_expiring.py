"""What expires in a bucket, and what does not: rules over versions, and a gateway that obeys them."""

from __future__ import annotations

import dataclasses

import trio

from node.vault.objects import ObjectStat
from node.vault.shelf.expirer import Expirer
from node.vault.shelf.expiring import Walk
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import LifecycleRule, LockMode, PutTerms, Retention, Tag, Versioning
from node.vault.shelf.tools import ShelfTools
from protocol.namespace.changes import ObjectDeleted
from protocol.namespace.lifecycle import DAY_S, due_s
from tests.support.shelves import B, at_a_shelf, get_from, put_into
from tests.support.township import Township

NOW_S = 1_700_000_000 // DAY_S * DAY_S


def stat(key: str, age_days: float, number: int, *, latest: bool = False, marker: bool = False) -> ObjectStat:
    modified_s = NOW_S - int(age_days * DAY_S)
    version = bytes([number])
    found = ObjectStat("photos", B, key, version, 100, 0, b"", modified_s, "internal", 0)
    return dataclasses.replace(found, is_latest=latest, is_marker=marker, is_null=False)


def due(rule: LifecycleRule, *entries: ObjectStat) -> list[tuple[str, str, int]]:
    walk = Walk([rule], NOW_S)
    found = [one for entry in entries for one in walk.see(entry)] + walk.end()
    return [(one.what.name, one.key, one.version[0]) for one in found]


class TestRules:
    def test_days_count_to_the_next_midnight(self) -> None:
        assert due_s(NOW_S, 1) == NOW_S + DAY_S
        assert due_s(NOW_S + 1, 1) == NOW_S + 2 * DAY_S

    def test_the_newest_expires_by_its_age_or_on_a_day(self) -> None:
        young, old = stat("a", 2, 1, latest=True), stat("b", 4, 2, latest=True)
        assert due(LifecycleRule(expire_days=3), young, old) == [("HIDE", "b", 2)]
        assert due(LifecycleRule(expire_at_s=NOW_S + 1), young, old) == []
        assert len(due(LifecycleRule(expire_at_s=NOW_S), young, old)) == 2

    def test_a_rule_speaks_of_what_matches_all_of_it(self) -> None:
        tagged = dataclasses.replace(stat("logs/a", 9, 1, latest=True), tags=(Tag("a", "b"), Tag("c", "d")))
        for rule, matches in (
            (LifecycleRule("logs/"), True),
            (LifecycleRule("films/"), False),
            (LifecycleRule(tags=(Tag("a", "b"),)), True),
            (LifecycleRule(tags=(Tag("a", "c"),)), False),
            (LifecycleRule(size_over=99, size_under=101), True),
            (LifecycleRule(size_over=100), False),
            (LifecycleRule(size_under=100), False),
        ):
            assert bool(due(dataclasses.replace(rule, expire_days=1), tagged)) is matches, rule

    def test_older_versions_go_by_when_they_were_replaced_but_for_the_newest_of_them(self) -> None:
        versions = (stat("a", 1, 4, latest=True), stat("a", 5, 3), stat("a", 6, 2), stat("a", 7, 1))
        # Replaced 1, 5 and 6 days ago.
        assert due(LifecycleRule(noncurrent_days=5), *versions) == [("DELETE", "a", 2), ("DELETE", "a", 1)]
        assert due(LifecycleRule(noncurrent_days=1, newer_kept=2), *versions) == [("DELETE", "a", 1)]

    def test_a_marker_goes_when_nothing_is_left_behind_it(self) -> None:
        alone, before = stat("a", 1, 9, latest=True, marker=True), stat("b", 1, 8, latest=True, marker=True)
        entries = (alone, before, stat("b", 2, 7))
        assert due(LifecycleRule(expire_markers=True), *entries) == [("DELETE", "a", 9)]
        assert due(LifecycleRule(noncurrent_days=99), *entries) == []


def test_a_gateway_deletes_what_has_expired_and_nothing_that_is_locked() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        host = town.world.host("n1")
        await shelf.buckets.create(B, lock=True)
        await shelf.buckets.create("plain")
        later_s = host.wall.now_s() + 10 * DAY_S
        await put_into(shelf, "a")
        await put_into(shelf, "b", b"", PutTerms(retention=Retention(LockMode.COMPLIANCE, later_s)))
        await shelf.uploads.begin(B, "c", PutTerms())
        rule = LifecycleRule(expire_at_s=1, noncurrent_days=1, expire_markers=True, abort_days=1)
        await shelf.buckets.set_lifecycle(B, b"<the document/>", [rule])
        assert shelf.buckets.get(B).documents == {"lifecycle"}
        assert shelf.buckets.get(B).versioning is Versioning.ENABLED
        tenancy = town.houses[1].services.vault._named(None)
        tools = ShelfTools("photos", tenancy.secrets.namespace, host, tenancy.require_open, tenancy.require_open)
        expirer = Expirer(tools, 3_600.0)
        assert await expirer.expire() == 2
        assert (await shelf.objects.list(B)).entries == ()
        assert await expirer.expire() == 0
        later = dataclasses.replace(host, wall=_Later(host.wall.now_s() + 2 * DAY_S))
        expirer = Expirer(dataclasses.replace(tools, host=later), 3_600.0)
        assert await expirer.expire() == 2
        assert await expirer.expire() == 1
        left = [(entry.key, entry.is_marker) for entry in (await shelf.objects.list_versions(B)).entries]
        assert left == [("b", True), ("b", False)]

    at_a_shelf(work)


def test_an_older_version_stays_when_it_is_what_the_key_names_by_the_time_it_would_go() -> None:
    """Whoever undoes a put by deleting the newest version gets the one before it."""

    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        await shelf.buckets.set_versioning(B, Versioning.ENABLED)
        await shelf.buckets.set_lifecycle(B, b"<the document/>", [LifecycleRule(noncurrent_days=1)])
        host, tenancy = town.world.host("n1"), town.houses[1].services.vault._named(None)
        serving = tenancy.require_open()
        await put_into(shelf, "a", b"oldest")
        await put_into(shelf, "a", b"older")
        newest = await put_into(shelf, "a", b"newest")
        later = dataclasses.replace(host, wall=_Later(host.wall.now_s() + 2 * DAY_S))
        tools = ShelfTools("photos", tenancy.secrets.namespace, later, tenancy.require_open, tenancy.require_open)
        expirer, gone = Expirer(tools, 3_600.0), list[int]()

        async def expire() -> None:
            gone.append(await expirer.expire())

        async with trio.open_nursery() as nursery, serving.put.turns.of(B, "a"):
            nursery.start_soon(expire)
            await trio.sleep(1)
            await serving.journal.append([ObjectDeleted(B, "a", newest.version)])
        assert gone == [1]
        assert await get_from(shelf, "a") == b"older"
        assert len((await shelf.objects.list_versions(B)).entries) == 1

    at_a_shelf(work)


class _Later:
    """A clock that stands."""

    def __init__(self, now_s: int) -> None:
        self._now_s = now_s

    def now_s(self) -> int:
        return self._now_s
