"""The bytes of a volume, as docs/protocol.md has them: a volume outlives the program that wrote it."""

from __future__ import annotations

import pytest

from node.store.shares import (
    ShareFacts,
    ShareKey,
    Tombstone,
    pack_share,
    pack_tombstones,
    unpack_share,
    unpack_tombstones,
)
from node.store.volume import HEAD_BYTES, EntryKind, Format, Head, pack_header, salt_of
from protocol.errors import Malformed
from protocol.ids import BlockId, NamespaceId
from tests.support.vectors import load_vectors

VECTORS = load_vectors("volumes")
SALT = bytes.fromhex(VECTORS["salt"])
FACTS = ShareFacts(BlockId(b"\x01" * 32), 5, NamespaceId(b"\x02" * 32), b"label", b"proof")
TOMBSTONES = [Tombstone(ShareKey(BlockId(b"\x03" * 32), 7), 9), Tombstone(ShareKey(BlockId(b"\x04" * 32), 0), 1)]


def test_a_header_has_these_bytes() -> None:
    header = bytes.fromhex(VECTORS["header"])
    assert pack_header(VECTORS["number"], SALT) == header
    assert salt_of(header) == SALT


@pytest.mark.parametrize("bit", range(0, 64 * 8, 5))
def test_any_flipped_bit_in_a_header_is_noticed(bit: int) -> None:
    header = bytearray.fromhex(VECTORS["header"])
    header[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Malformed, match="volume-header"):
        salt_of(header)


def test_metadata_has_these_bytes() -> None:
    share, tombstones = bytes.fromhex(VECTORS["share_meta"]), bytes.fromhex(VECTORS["tombstones_meta"])
    assert pack_share(FACTS) == share
    assert unpack_share(share) == FACTS
    assert pack_tombstones(TOMBSTONES) == tombstones
    assert unpack_tombstones(tombstones) == TOMBSTONES


@pytest.mark.parametrize("vector", VECTORS["heads"], ids=lambda vector: vector["kind"])
def test_an_entrys_head_has_these_bytes(vector: dict[str, int | str]) -> None:
    form = Format(VECTORS["number"], SALT, step_bytes=int(vector["step_bytes"]))
    meta = bytes.fromhex(str(vector["meta"]))
    head = Head(EntryKind[str(vector["kind"])], len(meta), int(vector["payload_bytes"]), int(vector["synced_bytes"]))
    raw = bytes.fromhex(str(vector["head"]))
    place = int(vector["place"])
    assert form.head(place, head, meta) == raw
    assert form.parse(raw) == head
    assert form.is_good(place, raw, meta)
    assert form.entry_bytes(head) == vector["entry_bytes"]


def test_any_change_to_an_entry_or_its_place_is_noticed() -> None:
    form, meta = Format(3, SALT), pack_share(FACTS)
    head = Head(EntryKind.SHARE, len(meta), 10_000, 4_096)
    raw = form.head(8_192, head, meta)
    for offset in range(HEAD_BYTES):
        spoiled = bytearray(raw)
        spoiled[offset] ^= 0x10
        assert form.parse(spoiled) is None or not form.is_good(8_192, spoiled, meta)
    for offset in range(len(meta)):
        spoiled = bytearray(meta)
        spoiled[offset] ^= 0x10
        assert not form.is_good(8_192, raw, spoiled)
    assert not form.is_good(12_288, raw, meta)
    assert not Format(4, SALT).is_good(8_192, raw, meta)
    assert not Format(3, b"other" + SALT[5:]).is_good(8_192, raw, meta)


def test_a_header_of_a_later_version_is_told_from_damage() -> None:
    header = bytes.fromhex(VECTORS["header_of_version_2"])
    with pytest.raises(Malformed, match="volume-version"):
        salt_of(header)
