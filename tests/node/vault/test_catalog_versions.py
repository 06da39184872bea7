"""Versions, copies and uploads against a few dicts: what the rows must add up to, written the other way round."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from node.vault.catalog.database import CatalogDatabase
from node.vault.catalog.listing import list_objects, list_uploads, list_versions, stored_entry
from node.vault.catalog.values import StoredObject
from protocol.coding.label import Stamp
from protocol.namespace.changes import (
    BucketCreated,
    Change,
    LockReplaced,
    MarkerPut,
    ObjectPut,
    PartPut,
    UploadBegun,
)
from protocol.tables.keys import release_key, shared_key, version_key
from protocol.tables.rows import ReleaseRow, SharedRow
from protocol.wire import schema
from tests.node.vault.test_catalog_model import memory_database
from tests.support.namespaces import block_ref, some
from tests.support.versions_model import BUCKET, DIGEST, KEYS, Model, programs


def run(program: list[tuple[str, int, int]]) -> tuple[CatalogDatabase, Model]:
    database, model = memory_database(), Model()
    changes: list[Change] = [BucketCreated(BUCKET, 1)]
    changes += [change for op in program if (change := model.step(*op)) is not None]
    for position, change in enumerate(changes):
        database.apply(Stamp(1, position), [change])
        if position % 3 == 0:
            database.commit()
    return database, model


def facts(database: CatalogDatabase, stored: StoredObject) -> object:
    blocks = [block.block for block in database.blocks(stored)] if stored.packed is None else []
    small = (stored.inline is not None, stored.packed is not None)
    return stored.key, stored.version, stored.is_null, stored.is_marker, stored.is_latest, stored.tags, blocks, small


def expected(model: Model) -> list[object]:
    """All versions in S3's order."""
    found: list[object] = []
    for key in sorted(model.keys, key=str.encode):
        for place, one in enumerate(reversed(model.keys[key])):
            is_marker = isinstance(one.put, MarkerPut)
            is_small = isinstance(one.put, ObjectPut) and one.put.inline is not None
            small = (is_small and not one.is_packed, one.is_packed)
            blocks = [block.block for block in one.blocks]
            found.append((key, one.version, one.is_null, is_marker, place == 0, one.tags, blocks, small))
    return found


@settings(max_examples=150, deadline=None)
@given(programs)
def test_versions_are_what_s3_says(program: list[tuple[str, int, int]]) -> None:
    database, model = run(program)
    listed = list_versions(database.rows, BUCKET, "", "", ("", None), 1_000, stored_entry).entries
    assert [facts(database, stored) for stored in listed] == expected(model)
    for stored in listed:
        found = database.stat(BUCKET, stored.key, stored.version)
        assert found == replace(stored, is_latest=stored.is_latest and not stored.is_marker)
        if stored.is_null:
            null = database.null(BUCKET, stored.key)
            assert null is not None
            assert null.version == stored.version
    named = {key: one.version for key in model.keys if (one := model.named(key)) is not None}
    entries = list_objects(database.rows, BUCKET, "", "", "", 1_000, stored_entry).entries
    assert {stored.key: stored.version for stored in entries} == named
    objects = [one.put for one in model.all_versions() if isinstance(one.put, ObjectPut)]
    sums = (database.sums.objects, database.sums.size_bytes)
    assert sums == (len(objects), sum(put.size_bytes for put in objects))
    database.close()


@settings(max_examples=150, deadline=None)
@given(programs)
def test_a_block_is_released_when_nothing_names_it_any_more(program: list[tuple[str, int, int]]) -> None:
    database, model = run(program)
    references = Counter(block.block for blocks in model.places() for block in blocks)
    for block in model.written:
        shared = database.rows.get(shared_key(block))
        more = schema.decode(SharedRow, shared).more if shared else 0
        assert more == max(0, references[block] - 1)
        released = database.rows.get(release_key(block))
        assert (released is not None) == (not references[block])
        assert released is None or schema.decode(ReleaseRow, released).nodes
    packs = {pack.block.block for pack in database.packs(None, 100)}
    late = {block.block for block in database.incomplete(None, 1_000)} - packs
    assert late == {block for block in references if model.written[block].missing}
    puts = [(one.put, one.is_packed) for one in model.all_versions()]
    inline = [put for put, is_packed in puts if isinstance(put, ObjectPut) and put.inline and not is_packed]
    assert len(database.inline(None, 100)) == len(inline)
    database.close()


@settings(max_examples=80, deadline=None)
@given(programs, st.sampled_from(["", "a", "a/", "a\0"]), st.sampled_from(["", "/", "b", "\0"]), st.integers(1, 4))
def test_pages_of_any_length_add_up_to_one_long_page(
    program: list[tuple[str, int, int]], prefix: str, delimiter: str, limit: int
) -> None:
    database, model = run(program)
    entries, prefixes, after = [], [], ""
    while True:
        page = list_objects(database.rows, BUCKET, prefix, delimiter, after, limit, stored_entry)
        entries += [stored.key for stored in page.entries]
        prefixes += page.prefixes
        assert len(page.entries) + len(page.prefixes) <= limit
        if page.next_after is None:
            break
        after = page.next_after
    names = [key for key in model.keys if model.named(key) is not None and key.startswith(prefix)]
    assert (entries, prefixes) == under(names, prefix, delimiter)

    whole = list_versions(database.rows, BUCKET, prefix, delimiter, ("", None), 1_000, stored_entry)
    versions, begins, at = [], [], ("", None)
    while True:
        page = list_versions(database.rows, BUCKET, prefix, delimiter, at, limit, stored_entry)
        versions += list(page.entries)
        begins += page.prefixes
        if page.next_after is None:
            break
        at = (page.next_after, page.next_version)
    assert (tuple(versions), tuple(begins)) == (whole.entries, whole.prefixes)
    every = [key for key in model.keys if model.keys[key] and key.startswith(prefix)]
    assert begins == under(every, prefix, delimiter)[1]
    database.close()


def under(names: list[str], prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    """Keys, and common prefixes, each in order."""
    commons = {
        name: prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter
        for name in names
        if delimiter and delimiter in name[len(prefix) :]
    }
    return (
        sorted((name for name in names if name not in commons), key=str.encode),
        sorted(set(commons.values()), key=str.encode),
    )


@settings(max_examples=60, deadline=None)
@given(programs, st.integers(1, 3))
def test_uploads_are_found_by_their_keys(program: list[tuple[str, int, int]], limit: int) -> None:
    database, model = run(program)
    found, at = [], ("", None)
    while True:
        page = list_uploads(database.rows, BUCKET, "", "", at, limit)
        found += [(stored.key, stored.upload) for stored in page.entries]
        if page.next_after is None:
            break
        at = (page.next_after, page.next_upload)
    assert found == sorted(found, key=lambda one: (one[0].encode(), one[1]))
    assert {upload: key for key, upload in found} == {one: known.key for one, known in model.uploads.items()}
    for upload, known in model.uploads.items():
        stored = database.upload(upload)
        assert stored is not None
        parts = database.parts(stored.owner, -1, 100)
        assert {part.number: part.size_bytes for part in parts} == {
            number: sum(block.size_bytes for block in blocks) for number, blocks in known.parts.items()
        }
    database.close()


def test_a_part_that_comes_in_pieces_is_there_with_the_last_of_them() -> None:
    database, upload = memory_database(), some("upload")[:16]
    blocks = [block_ref(number) for number in range(20)]
    pieces: list[Change] = [
        BucketCreated(BUCKET, 1),
        UploadBegun(upload, BUCKET, "a", 3, (), (), None, legal_hold=False, checksum=""),
        PartPut(upload, 1, 160, DIGEST, tuple(blocks[:16])),
        PartPut(upload, 1, 40, DIGEST, tuple(blocks[16:]), first_block=16, etag="whole"),
        # It does not go on where the part ends: nobody's.
        PartPut(upload, 1, 40, DIGEST, (block_ref(77),), first_block=24, etag="wrong"),
    ]
    seen = []
    for position, change in enumerate(pieces):
        database.apply(Stamp(1, position), [change])
        stored = database.upload(upload)
        parts = () if stored is None else database.parts(stored.owner, 0, 10)
        seen.append([(part.number, part.size_bytes, part.etag) for part in parts])
    assert seen == [[], [], [], [(1, 200, "whole")], [(1, 200, "whole")]]
    assert [pending.block for pending in database.releases(None, 10)] == [block_ref(77).block]
    database.apply(Stamp(1, 9), [ObjectPut(BUCKET, "a", some("v")[:16], 200, DIGEST, 4, "public", upload=upload)])
    whole = database.stat(BUCKET, "a")
    assert whole is not None
    assert (whole.part_count, database.blocks(whole)) == (1, tuple(blocks))
    database.close()


def test_a_page_of_parts_is_as_long_as_was_asked_though_one_of_them_is_not_all_there() -> None:
    database, upload = memory_database(), some("upload")[:16]
    parts = [
        PartPut(upload, number, 1_000, DIGEST, (block_ref(number),), etag="" if number == 2 else "e")
        for number in range(1, 5)
    ]
    begun = UploadBegun(upload, BUCKET, "a", 3, (), (), None, legal_hold=False, checksum="")
    database.apply(Stamp(1, 0), [BucketCreated(BUCKET, 1), begun, *parts])
    stored = database.upload(upload)
    assert stored is not None
    pages = [[part.number for part in database.parts(stored.owner, 0, limit)] for limit in (0, 1, 2, 3, 9)]
    assert pages == [[], [1], [1, 3], [1, 3, 4], [1, 3, 4]]
    database.close()


def test_a_lock_is_seen_on_the_version_it_was_put_on() -> None:
    database = memory_database()
    first, second = (number.to_bytes(16, "big") for number in (1, 2))
    put = [ObjectPut(BUCKET, "a", version, 0, DIGEST, 4, "public") for version in (first, second)]
    lock = LockReplaced(BUCKET, "a", first, None, legal_hold=True)
    database.apply(Stamp(1, 0), [BucketCreated(BUCKET, 1, has_lock=True), *put, lock])
    held = [
        one.legal_hold for one in list_versions(database.rows, BUCKET, "", "", ("", None), 9, stored_entry).entries
    ]
    assert held == [False, True]
    database.close()


def test_later_versions_sort_before_earlier_ones_and_keys_as_their_bytes() -> None:
    names = sorted(KEYS, key=str.encode)
    keys = [version_key(BUCKET, name, bytes(15) + bytes([number])) for name in names for number in (2, 1)]
    assert all(one < other for one, other in pairwise(keys))


def test_of_an_object_in_parts_only_those_are_read_that_hold_the_wanted_bytes() -> None:
    database, upload = memory_database(), some("upload")[:16]
    blocks = [block_ref(number) for number in range(30)]
    sizes = [sum(block.size_bytes for block in blocks[at : at + 10]) for at in (0, 10, 20)]
    parts = [
        PartPut(upload, number, sizes[number], DIGEST, tuple(blocks[number * 10 : number * 10 + 10]))
        for number in range(3)
    ]
    put = ObjectPut(BUCKET, "a", some("v")[:16], sum(sizes), DIGEST, 4, "public", upload=upload)
    database.apply(Stamp(1, 0), [*parts, put])
    stored = database.stat(BUCKET, "a")
    assert stored is not None
    assert database.span(stored, sizes[0], sizes[0] + 1) == (tuple(blocks[10:20]), sizes[0])
    assert database.span(stored, sizes[0] - 1, sizes[0] + 1) == (tuple(blocks[:20]), 0)
    assert database.span(stored, sum(sizes) - 1, sum(sizes)) == (tuple(blocks[20:]), sizes[0] + sizes[1])
    database.close()
