"""A namespace as S3 sees it, at a gateway with two other members: what is promised, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
import trio

from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import (
    NULL_VERSION,
    Condition,
    Deleted,
    Finish,
    LockDefault,
    LockMode,
    Metadata,
    PartStat,
    PutTerms,
    Retention,
    Tag,
    Versioning,
)
from node.vault.vault import Vault
from protocol.errors import Malformed, Missing, Refused
from tests.support.clients import BytesSource, some_bytes
from tests.support.shelves import B, at_a_shelf, finishing, get_from, put_into, refused
from tests.support.township import Township, in_a_township


def test_buckets_have_settings_documents_and_an_end() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        buckets = shelf.buckets
        made = await buckets.create(B)
        assert (made.versioning, made.is_locked, buckets.all()) == (Versioning.NEVER, False, (made,))
        assert await refused(buckets.create(B)) == "bucket-exists"
        for name in ("ab", "Photos", "1.2.3.4", "a..b", "a.-b"):
            assert await refused(buckets.create(name)) == "bucket-name"
        await buckets.set_document(B, "cors", b"<one/>")
        assert (await buckets.document(B, "cors"), await buckets.document(B, "policy")) == (b"<one/>", None)
        assert await refused(buckets.set_document(B, "cors", bytes(20_481))) == "bucket-document-size"
        assert buckets.get(B).documents == {"cors"}
        await buckets.set_document(B, "cors", None)
        assert (buckets.get(B).documents, await buckets.document(B, "cors")) == (frozenset(), None)
        await put_into(shelf, "a", b"one")
        assert await refused(buckets.delete(B)) == "bucket-not-empty"
        await shelf.objects.delete(B, "a")
        await buckets.delete(B)
        assert buckets.find(B) is None
        assert await refused(put_into(shelf, "a")) == "bucket-missing"
        assert await refused(shelf.objects.list(B)) == "bucket-missing"

    at_a_shelf(work)


def test_access_keys_open_until_they_are_revoked_and_outlive_the_gateway() -> None:
    async def main(town: Township) -> None:
        await town.settle(3)

        async def first(shelf: Shelf) -> str:
            await shelf.buckets.create(B)
            key = await shelf.keys.create(bucket=B, read_only=True)
            brought = await shelf.keys.create(given=("brought", "with a secret"))
            assert await refused(shelf.keys.create(given=("brought", "another one"))) == "key-exists"
            assert await refused(shelf.keys.create(given=("a b", "with a secret"))) == "key-name"
            assert await refused(shelf.keys.create(bucket="nowhere")) == "bucket-missing"
            assert {one.key_id for one in shelf.keys.all()} == {key.key_id, brought.key_id}
            assert key.secret not in repr(key)
            await shelf.keys.revoke("brought")
            assert await refused(shelf.keys.revoke("brought")) == "key-unknown"
            return key.key_id

        def look(vault: Vault) -> None:
            shelf, key = vault.key(key_id)
            assert (shelf.namespace, key.bucket, key.is_read_only) == ("photos", B, True)
            assert [one.namespace for one in vault.shelves_with(B)] == ["photos"]
            with pytest.raises(Missing):
                vault.key("brought")

        key_id = await town.on(1, lambda services: first(services.vault.shelf(None)))
        look(town.houses[1].services.vault)
        town.kill(1)
        await town.start(1)
        await town.until_open()
        look(town.houses[1].services.vault)

    in_a_township(main)


def test_what_is_said_of_an_object_is_kept_and_wrong_bytes_are_named_nowhere() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        terms = finishing(b"some bytes")
        said = PutTerms(terms.finish, (Metadata("content-type", "text/plain"),), (Tag("colour", "bleu"),))
        found = await put_into(shelf, "a", b"some bytes", said)
        assert await shelf.objects.stat(B, "a") == found
        assert (found.etag, found.tags) == (hashlib.md5(b"some bytes").hexdigest(), (Tag("colour", "bleu"),))
        assert (found.version_id, found.is_latest, found.part_count) == (NULL_VERSION, True, 0)

        async def wrong() -> Finish:
            raise Malformed("object-size-changed", expected_bytes=1, found_bytes=2)

        for size_bytes in (10, 100_000):
            assert await refused(put_into(shelf, "b", bytes(size_bytes), PutTerms(wrong))) == "object-size-changed"
        assert await refused(shelf.objects.stat(B, "b")) == "object-missing"
        tagged = await shelf.objects.set_tags(B, "a", [Tag("x", "y")])
        assert (tagged.tags, tagged.etag) == ((Tag("x", "y"),), found.etag)
        told = await shelf.objects.set_metadata(B, "a", lambda before: (*before, Metadata("n", "2")))
        assert told == dataclasses.replace(tagged, metadata=(*found.metadata, Metadata("n", "2")))
        for key in ("", "é" * 600, "\ud800"):
            assert await refused(put_into(shelf, key)) == "object-key"
        for key in ("/", "..", "a//b", "nul\0", "🦆" * 256):
            await put_into(shelf, key, key.encode())
            assert await get_from(shelf, key) == key.encode()
        listed = [entry.key for entry in (await shelf.objects.list(B)).entries]
        assert listed == sorted(["a", "/", "..", "a//b", "nul\0", "🦆" * 256], key=str.encode)

    at_a_shelf(work)


def test_of_many_who_write_one_key_on_a_condition_one_does() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        won: list[int] = []

        async def write(number: int, condition: Condition) -> None:
            data = b"%d" % number
            terms = PutTerms(finishing(data, etag=f"e{number}").finish, condition=condition)
            try:
                await put_into(shelf, "a", data, terms)
            except (Refused, Missing) as error:
                assert error.identifier in ("object-condition", "object-missing")
            else:
                won.append(number)

        async def race(condition: Condition) -> int:
            won.clear()
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(write, number, condition)
            (winner,) = won
            assert await get_from(shelf, "a") == b"%d" % winner
            return winner

        first = await race(Condition(if_none_match=("*",)))
        await race(Condition(if_match=(f"e{first}",), if_none_match=("none",)))
        assert await refused(shelf.objects.delete(B, "a", condition=Condition(("other",)))) == "object-condition"
        assert await refused(put_into(shelf, "b", b"", PutTerms(condition=Condition(("*",))))) == "object-missing"
        await shelf.objects.delete(B, "a", condition=Condition(("*",)))
        assert await refused(get_from(shelf, "a")) == "object-missing"

    at_a_shelf(work)


def test_versions_come_back_by_name_and_a_marker_hides_them() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        objects = shelf.objects
        await shelf.buckets.create(B)
        await put_into(shelf, "a", b"null")
        await shelf.buckets.set_versioning(B, Versioning.ENABLED)
        large = some_bytes(100_000)
        first = await put_into(shelf, "a", large)
        second = await put_into(shelf, "a", b"second")
        assert [await get_from(shelf, "a", one) for one in (NULL_VERSION, first.version_id, None)] == [
            b"null",
            large,
            b"second",
        ]
        marked = await objects.delete(B, "a")
        assert marked.is_marker
        assert await refused(get_from(shelf, "a")) == "object-deleted"
        assert await refused(get_from(shelf, "a", marked.version_id)) == "object-is-marker"
        assert (await objects.list(B)).entries == ()
        listed = (await objects.list_versions(B)).entries
        names = [marked.version_id, second.version_id, first.version_id, NULL_VERSION]
        assert [entry.version_id for entry in listed] == names
        assert [(entry.is_latest, entry.is_marker) for entry in listed] == [(True, True), *[(False, False)] * 3]
        assert (await objects.delete(B, "a", version=marked.version_id)).is_marker
        assert await get_from(shelf, "a") == b"second"
        await objects.delete(B, "a", version=second.version_id)
        assert await get_from(shelf, "a") == large
        await shelf.buckets.set_versioning(B, Versioning.SUSPENDED)
        assert (await objects.delete(B, "a")).version_id == NULL_VERSION
        assert len((await objects.list_versions(B)).entries) == 2
        assert await refused(get_from(shelf, "a", NULL_VERSION)) == "object-is-marker"
        gone: list[tuple[str, bytes | None]] = [("a", NULL_VERSION), ("a", first.version_id), ("b", None)]
        *outcomes, too_long = await objects.delete_several(B, [*gone, ("k" * 1_025, None)])
        assert [type(outcome) for outcome in outcomes] == [Deleted] * 3
        assert isinstance(too_long, Refused)
        assert [entry.key for entry in (await objects.list_versions(B)).entries] == ["b"]

    at_a_shelf(work)


async def _default_counts_from_completion(shelf: Shelf, town: Township) -> None:
    """An object exists from the completion of its upload on, and so does its bucket's default retention."""
    upload = await shelf.uploads.begin(B, "parts", PutTerms())
    finish = finishing(b"part").finish
    assert finish is not None
    part = await shelf.uploads.put_part(B, "parts", upload, 1, BytesSource(b"part"), finish=finish, expected_bytes=4)
    await trio.sleep(20)

    async def whole(_parts: tuple[PartStat, ...]) -> Finish:
        return Finish("whole")

    made = await shelf.uploads.complete(B, "parts", upload, [(1, part.etag)], finish=whole)
    now_s = town.world.host("n1").wall.now_s()
    assert made.retention == Retention(LockMode.GOVERNANCE, now_s + 86_400)


def test_what_is_locked_stays() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        objects, now_s = shelf.objects, town.world.host("n1").wall.now_s()
        await shelf.buckets.create(B)
        assert await refused(put_into(shelf, "a", b"", PutTerms(legal_hold=True))) == "bucket-not-locked"
        assert await refused(objects.set_legal_hold(B, "a", is_held=True)) == "bucket-not-locked"
        await shelf.buckets.delete(B)
        await shelf.buckets.create(B, lock=True)
        assert await refused(shelf.buckets.set_versioning(B, Versioning.SUSPENDED)) == "bucket-locked"
        await shelf.buckets.set_lock_default(B, LockDefault(LockMode.GOVERNANCE, 1))
        one = await put_into(shelf, "a", b"one")
        assert one.retention == Retention(LockMode.GOVERNANCE, now_s + 86_400)
        await _default_counts_from_completion(shelf, town)
        await shelf.buckets.set_lock_default(B, None)
        one = await put_into(shelf, "a", b"one", PutTerms(retention=Retention(LockMode.GOVERNANCE, now_s + 100)))
        name = one.version_id
        assert await refused(objects.delete(B, "a", version=name)) == "object-locked"
        (outcome,) = await objects.delete_several(B, [("a", name)])
        assert isinstance(outcome, Refused)
        assert (await objects.delete(B, "a")).is_marker
        assert await refused(objects.set_retention(B, "a", None, version=name)) == "object-locked"
        longer = Retention(LockMode.COMPLIANCE, now_s + 200)
        await objects.set_retention(B, "a", longer, version=name)
        deleting = objects.delete(B, "a", version=name, bypass_governance=True)
        assert await refused(deleting) == "object-locked"
        await trio.sleep(201)
        held = await objects.set_legal_hold(B, "a", is_held=True, version=name)
        assert held.legal_hold
        assert await refused(objects.delete(B, "a", version=name)) == "object-locked"
        await objects.set_legal_hold(B, "a", is_held=False, version=name)
        await objects.delete(B, "a", version=name)
        assert await refused(get_from(shelf, "a", name)) == "version-missing"

    at_a_shelf(work)


def test_pages_go_on_where_the_last_one_ended() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        for key in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
            await put_into(shelf, key)
        page = await shelf.objects.list(B, delimiter="/", limit=3)
        assert ([entry.key for entry in page.entries], page.common_prefixes, page.next_after) == (
            ["b"],
            ("a/", "c/"),
            "c/",
        )
        page = await shelf.objects.list(B, delimiter="/", start_after="c/", limit=3)
        assert ([entry.key for entry in page.entries], page.next_after) == (["d"], None)

    at_a_shelf(work)
