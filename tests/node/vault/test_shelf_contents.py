"""What objects at a shelf are made of: parts that a client uploads, blocks that copies share, parts that are read."""

from __future__ import annotations

import pytest
import trio

from node.vault import put
from node.vault.objects import ObjectStat
from node.vault.shelf import reading
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import (
    ByteRange,
    Finish,
    Metadata,
    ObjectRef,
    PartStat,
    PutTerms,
    Tag,
)
from protocol.errors import Refused
from protocol.limits import BLOCK_PLAIN_BYTES, BLOCK_PLAIN_BYTES_MAX, MIB
from tests.support.clients import BytesSink, BytesSource, some_bytes
from tests.support.shelves import B, at_a_shelf, finishing, get_from, put_into, refused
from tests.support.township import Township


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
        assert await get_from(shelf, "film") == whole
        part = ByteRange(5 * MIB - 100, 10 * MIB + 300)
        assert await get_from(shelf, "film", part=part) == whole[part.first : part.end]
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
        large = some_bytes(2 * BLOCK_PLAIN_BYTES + 10)
        terms = PutTerms(finishing(large).finish, metadata=(Metadata("a", "b"),), tags=(Tag("a", "b"),))
        source = await put_into(shelf, "large", large, terms)
        await put_into(shelf, "small", b"small", finishing(b"small"))
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
        first, rest = ByteRange(0, 2 * BLOCK_PLAIN_BYTES), ByteRange(5, 25)
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


def test_whoever_copies_a_part_may_refuse_what_it_would_be_a_copy_of() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        source = await put_into(shelf, "small", b"small")
        upload, seen = await shelf.uploads.begin(B, "joined", PutTerms()), list[ObjectStat]()

        def another(found: ObjectStat) -> None:
            seen.append(found)
            raise Refused("object-condition")

        copying = shelf.uploads.copy_part(
            B, "joined", upload, 1, ObjectRef(B, "small"), None, source_condition=another
        )
        assert await refused(copying) == "object-condition"
        assert seen == [source]
        assert (await shelf.uploads.parts(B, "joined", upload)).parts == ()

    at_a_shelf(work)


def test_the_last_block_takes_along_the_few_bytes_that_would_be_one_of_their_own() -> None:
    block, most = BLOCK_PLAIN_BYTES, BLOCK_PLAIN_BYTES_MAX
    cases: tuple[tuple[int, int | None, list[int]], ...] = (
        (block + 4_096, block + 4_096, [0]),
        (2 * block, 2 * block, [0, block]),
        (most + 1, most + 1, [0, block]),
        (block + 4_096, None, [0, block]),
        (2 * block, 100_000, [0, most]),
    )

    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        for number, (size_bytes, expected_bytes, expected_reads) in enumerate(cases):
            data, reads = some_bytes(size_bytes, seed=number), list[int]()
            source = BytesSource(data, reads.append)
            await shelf.objects.put(B, "key", source, PutTerms(), expected_bytes=expected_bytes)
            assert reads == expected_reads, number
            assert await get_from(shelf, "key") == data
        upload, told, reads = await shelf.uploads.begin(B, "parts", PutTerms()), finishing(b"").finish, list[int]()
        assert told is not None
        source = BytesSource(some_bytes(block + 1), reads.append)
        await shelf.uploads.put_part(B, "parts", upload, 1, source, finish=told, expected_bytes=block + 1)
        assert reads == [0]

    at_a_shelf(work)


def test_a_part_of_an_object_is_read_wherever_it_lies() -> None:
    async def work(town: Township, shelf: Shelf) -> None:
        await shelf.buckets.create(B)
        size_bytes = 2 * BLOCK_PLAIN_BYTES + 12_345
        data = some_bytes(size_bytes)
        await put_into(shelf, "large", data)
        await put_into(shelf, "small", data[:1_000])
        edge = BLOCK_PLAIN_BYTES
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
            assert await get_from(shelf, "large", part=ByteRange(first, end)) == data[first:end], (first, end)
        assert await get_from(shelf, "small", part=ByteRange(10, 20)) == data[10:20]

        def second_half(stat: ObjectStat) -> ByteRange:
            return ByteRange(stat.size_bytes // 2, stat.size_bytes)

        sink = BytesSink()
        await shelf.objects.get(B, "small", sink, part=second_half)
        assert bytes(sink.data) == data[500:1_000]
        with pytest.MonkeyPatch.context() as patched:
            # As of an object of more than one span; each is a little more than a part.
            patched.setattr(reading, "SPAN_BYTES_MAX", 5_000_000)
            patched.setattr(put, "BLOCKS_PER_PART", 1)
            await put_into(shelf, "long", data)
            assert await get_from(shelf, "long") == data
            part = ByteRange(10, size_bytes - 10)
            assert await get_from(shelf, "long", part=part) == data[10:-10]
        town.kill(3)
        assert await get_from(shelf, "large", part=ByteRange(65_000, 131_000)) == data[65_000:131_000]

    at_a_shelf(work, size=6)
