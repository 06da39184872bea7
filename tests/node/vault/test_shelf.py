"""A namespace as S3 sees it, at a gateway with two other members: what is promised, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import trio

from node.vault.objects import ObjectStat
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import (
    NULL_VERSION,
    ByteRange,
    Checksum,
    Condition,
    Finish,
    LockDefault,
    LockMode,
    Metadata,
    ObjectRef,
    PartStat,
    PutTerms,
    Retention,
    Tag,
    Versioning,
)
from node.vault.vault import Vault
from protocol.errors import MaillonError, Malformed, Missing, Refused
from protocol.limits import BLOCK_PLAIN_BYTES_MAX, MIB
from tests.support.clients import BytesSink, BytesSource, some_bytes
from tests.support.township import Township, in_a_township

R = TypeVar("R")
B = "photos"


def at_a_shelf(work: Callable[[Township, Shelf], Awaitable[None]], *, size: int = 3) -> None:
    async def main(town: Township) -> None:
        await town.settle(size)
        await town.on(1, lambda services: work(town, services.vault.shelf("photos")))

    in_a_township(main)


async def refused(awaitable: Awaitable[object]) -> str:
    """By which error."""
    with pytest.raises(MaillonError) as caught:
        await awaitable
    return caught.value.identifier


def finishing(data: bytes, *, etag: str = "") -> PutTerms:
    async def finish() -> Finish:
        return Finish(etag or hashlib.md5(data).hexdigest(), (Checksum("CRC32", b"1234"),))

    return PutTerms(finish=finish)


async def put(shelf: Shelf, key: str, data: bytes = b"", terms: PutTerms | None = None) -> ObjectStat:
    source = BytesSource(data)
    return await shelf.objects.put(B, key, source, terms or PutTerms(), expected_bytes=len(data))


async def get(shelf: Shelf, key: str, version: bytes | None = None, part: ByteRange | None = None) -> bytes:
    sink = BytesSink()
    await shelf.objects.get(B, key, sink, version=version, part=part)
    return bytes(sink.data)


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
        await put(shelf, "a", b"one")
        assert await refused(buckets.delete(B)) == "bucket-not-empty"
        await shelf.objects.delete(B, "a")
        await buckets.delete(B)
        assert buckets.find(B) is None
        assert await refused(put(shelf, "a")) == "bucket-missing"
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
        found = await put(shelf, "a", b"some bytes", said)
        assert await shelf.objects.stat(B, "a") == found
        assert (found.etag, found.tags) == (hashlib.md5(b"some bytes").hexdigest(), (Tag("colour", "bleu"),))
        assert (found.version_id, found.is_latest, found.part_count) == (NULL_VERSION, True, 0)

        async def wrong() -> Finish:
            raise Malformed("object-size-changed", expected_bytes=1, found_bytes=2)

        for size_bytes in (10, 100_000):
            assert await refused(put(shelf, "b", bytes(size_bytes), PutTerms(wrong))) == "object-size-changed"
        assert await refused(shelf.objects.stat(B, "b")) == "object-missing"
        tagged = await shelf.objects.set_tags(B, "a", [Tag("x", "y")])
        assert (tagged.tags, tagged.etag) == ((Tag("x", "y"),), found.etag)
        for key in ("", "é" * 600, "\ud800"):
            assert await refused(put(shelf, key)) == "object-key"
        for key in ("/", "..", "a//b", "nul\0", "🦆" * 256):
            await put(shelf, key, key.encode())
            assert await get(shelf, key) == key.encode()
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
                await put(shelf, "a", data, terms)
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
            assert await get(shelf, "a") == b"%d" % winner
            return winner

        first = await race(Condition(if_none_match=("*",)))
        await race(Condition(if_match=(f"e{first}",), if_none_match=("none",)))
        assert await refused(shelf.objects.delete(B, "a", condition=Condition(("other",)))) == "object-condition"
        assert await refused(put(shelf, "b", b"", PutTerms(condition=Condition(("*",))))) == "object-missing"
        await shelf.objects.delete(B, "a", condition=Condition(("*",)))
        assert await refused(get(shelf, "a")) == "object-missing"

    at_a_shelf(work)


def test_versions_come_back_by_name_and_a_marker_hides_them() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        objects = shelf.objects
        await shelf.buckets.create(B)
        await put(shelf, "a", b"null")
        await shelf.buckets.set_versioning(B, Versioning.ENABLED)
        large = some_bytes(100_000)
        first = await put(shelf, "a", large)
        second = await put(shelf, "a", b"second")
        assert [await get(shelf, "a", one) for one in (NULL_VERSION, first.version_id, None)] == [
            b"null",
            large,
            b"second",
        ]
        marked = await objects.delete(B, "a")
        assert marked.is_marker
        assert await refused(get(shelf, "a")) == "object-deleted"
        assert await refused(get(shelf, "a", marked.version_id)) == "object-is-marker"
        assert (await objects.list(B)).entries == ()
        listed = (await objects.list_versions(B)).entries
        names = [marked.version_id, second.version_id, first.version_id, NULL_VERSION]
        assert [entry.version_id for entry in listed] == names
        assert [(entry.is_latest, entry.is_marker) for entry in listed] == [(True, True), *[(False, False)] * 3]
        assert (await objects.delete(B, "a", version=marked.version_id)).is_marker
        assert await get(shelf, "a") == b"second"
        await objects.delete(B, "a", version=second.version_id)
        assert await get(shelf, "a") == large
        await shelf.buckets.set_versioning(B, Versioning.SUSPENDED)
        assert (await objects.delete(B, "a")).version_id == NULL_VERSION
        assert len((await objects.list_versions(B)).entries) == 2
        assert await refused(get(shelf, "a", NULL_VERSION)) == "object-is-marker"
        outcomes = await objects.delete_several(B, [("a", NULL_VERSION), ("a", first.version_id), ("b", None)])
        assert len(outcomes) == 3
        assert [entry.key for entry in (await objects.list_versions(B)).entries] == ["b"]

    at_a_shelf(work)


def test_what_is_locked_stays() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        objects, now_s = shelf.objects, town.world.host("n1").wall.now_s()
        await shelf.buckets.create(B)
        assert await refused(put(shelf, "a", b"", PutTerms(legal_hold=True))) == "bucket-not-locked"
        assert await refused(objects.set_legal_hold(B, "a", is_held=True)) == "bucket-not-locked"
        await shelf.buckets.delete(B)
        await shelf.buckets.create(B, lock=True)
        assert await refused(shelf.buckets.set_versioning(B, Versioning.SUSPENDED)) == "bucket-locked"
        await shelf.buckets.set_lock_default(B, LockDefault(LockMode.GOVERNANCE, 1))
        one = await put(shelf, "a", b"one")
        assert one.retention == Retention(LockMode.GOVERNANCE, now_s + 86_400)
        await shelf.buckets.set_lock_default(B, None)
        one = await put(shelf, "a", b"one", PutTerms(retention=Retention(LockMode.GOVERNANCE, now_s + 100)))
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
        assert await refused(get(shelf, "a", name)) == "version-missing"

    at_a_shelf(work)


def test_an_object_comes_in_parts_and_is_those_that_are_listed() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        uploads = shelf.uploads
        await shelf.buckets.create(B)
        terms = PutTerms(metadata=(Metadata("content-type", "video/mp4"),), tags=(Tag("a", "b"),))
        upload = await uploads.begin(B, "film", terms, checksum="CRC32")
        assert (await uploads.stat(B, "film", upload)).checksum == "CRC32"
        assert await refused(uploads.stat(B, "other", upload)) == "upload-missing"
        sizes = {1: 5 * MIB, 2: 5 * MIB + 7, 3: 1_000, 7: 10}
        data = {number: some_bytes(size_bytes, seed=number) for number, size_bytes in sizes.items()}

        async def put_part(number: int, bytes_: bytes, etag: str) -> PartStat:
            finish = finishing(bytes_, etag=etag).finish
            assert finish is not None
            source = BytesSource(bytes_)
            return await uploads.put_part(B, "film", upload, number, source, finish=finish, expected_bytes=None)

        await put_part(1, b"replaced", "old")
        for number in (7, 3, 1, 2):
            part = await put_part(number, data[number], f"e{number}")
            assert (part.size_bytes, part.etag) == (sizes[number], f"e{number}")
        page = await uploads.parts(B, "film", upload, limit=2)
        assert ([part.number for part in page.parts], page.next_after) == ([1, 2], 2)
        assert (await uploads.parts(B, "film", upload, after=2)).next_after is None
        assert [found.upload for found in (await uploads.list(B)).uploads] == [upload]

        async def complete(*listed: tuple[int, str]) -> ObjectStat:
            async def finish(parts: tuple[PartStat, ...]) -> Finish:
                return Finish("-".join(part.etag for part in parts))

            return await uploads.complete(B, "film", upload, listed, finish=finish)

        assert await refused(complete((2, "e2"), (1, "e1"))) == "upload-part-order"
        assert await refused(complete((1, "old"))) == "upload-part-missing"
        assert await refused(complete((4, "e4"))) == "upload-part-missing"
        assert await refused(complete((3, "e3"), (7, "e7"))) == "upload-part-small"
        found = await complete((1, "e1"), (2, "e2"), (3, "e3"))
        assert (found.etag, found.part_count, found.tags) == ("e1-e2-e3", 3, terms.tags)
        assert (await shelf.objects.stat(B, "film")).metadata == terms.metadata
        assert [part.number for part in (await shelf.objects.parts(B, "film")).parts] == [1, 2, 3]
        whole = data[1] + data[2] + data[3]
        assert await get(shelf, "film") == whole
        part = ByteRange(5 * MIB - 100, 10 * MIB + 300)
        assert await get(shelf, "film", part=part) == whole[part.first : part.end]
        assert await refused(uploads.abort(B, "film", upload)) == "upload-missing"
        other = await uploads.begin(B, "film", terms)
        await uploads.abort(B, "film", other)
        assert (await uploads.list(B)).uploads == ()

    at_a_shelf(work)


def test_a_copy_shares_blocks_and_outlives_its_source() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        objects = shelf.objects
        await shelf.buckets.create(B)
        await shelf.buckets.create("others")
        large = some_bytes(2 * BLOCK_PLAIN_BYTES_MAX + 10)
        terms = PutTerms(finishing(large).finish, metadata=(Metadata("a", "b"),), tags=(Tag("a", "b"),))
        source = await put(shelf, "large", large, terms)
        await put(shelf, "small", b"small", finishing(b"small"))
        for key in ("large", "small"):
            copied = await objects.copy(
                ObjectRef(B, key), "others", key, PutTerms(), keep_metadata=True, keep_tags=False
            )
            found = await objects.stat(B, key)
            assert (copied.etag, copied.metadata, copied.tags) == (found.etag, found.metadata, ())
            assert await objects.stat("others", key) == copied
        onto = await objects.copy(
            ObjectRef(B, "large"),
            B,
            "large",
            PutTerms(metadata=(Metadata("c", "d"),)),
            keep_metadata=False,
            keep_tags=True,
        )
        assert (onto.metadata, onto.tags, onto.etag) == ((Metadata("c", "d"),), source.tags, source.etag)
        upload = await shelf.uploads.begin("others", "joined", PutTerms())
        first, rest = ByteRange(0, 2 * BLOCK_PLAIN_BYTES_MAX), ByteRange(5, 25)
        parts = [
            await shelf.uploads.copy_part("others", "joined", upload, number, ObjectRef(B, "large"), part)
            for number, part in ((1, first), (2, rest))
        ]

        async def finish(_parts: tuple[PartStat, ...]) -> Finish:
            return Finish("joined")

        listed = [(part.number, part.etag) for part in parts]
        await shelf.uploads.complete("others", "joined", upload, listed, finish=finish)
        await objects.delete(B, "large")
        await trio.sleep(30)
        assert await town.releasing() == 0
        for bucket, key, wanted in (
            ("others", "large", large),
            ("others", "small", b"small"),
            ("others", "joined", large[: first.end] + large[5:25]),
        ):
            sink = BytesSink()
            await objects.get(bucket, key, sink)
            assert bytes(sink.data) == wanted

    at_a_shelf(work)


def test_a_part_of_an_object_is_read_wherever_it_lies() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        size_bytes = 2 * BLOCK_PLAIN_BYTES_MAX + 12_345
        data = some_bytes(size_bytes)
        await put(shelf, "large", data)
        await put(shelf, "small", data[:1_000])
        edge = BLOCK_PLAIN_BYTES_MAX
        for first, end in (
            (0, 1),
            (65_000, 131_000),
            (edge - 10, edge + 10),
            (100, edge + 100),
            (edge - 100, 2 * edge + 100),
            (1_000_000, size_bytes),
            (size_bytes - 1, size_bytes),
            (7, 7),
        ):
            assert await get(shelf, "large", part=ByteRange(first, end)) == data[first:end], (first, end)
        assert await get(shelf, "small", part=ByteRange(10, 20)) == data[10:20]

        def second_half(stat: ObjectStat) -> ByteRange:
            return ByteRange(stat.size_bytes // 2, stat.size_bytes)

        sink = BytesSink()
        await shelf.objects.get(B, "small", sink, part=second_half)
        assert bytes(sink.data) == data[500:1_000]
        town.kill(3)
        assert await get(shelf, "large", part=ByteRange(65_000, 131_000)) == data[65_000:131_000]

    at_a_shelf(work, size=6)


def test_pages_go_on_where_the_last_one_ended() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        for key in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
            await put(shelf, key)
        page = await shelf.objects.list(B, delimiter="/", limit=3)
        assert ([entry.key for entry in page.entries], page.common_prefixes, page.next_after) == (
            ["b"],
            ("a/", "c/"),
            "c/",
        )
        page = await shelf.objects.list(B, delimiter="/", start_after="c/", limit=3)
        assert ([entry.key for entry in page.entries], page.next_after) == (["d"], None)

    at_a_shelf(work)
