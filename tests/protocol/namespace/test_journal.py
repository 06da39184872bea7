"""The chain: what goes on from what, and every way in which it must be refused."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Forged, MaillonError, Malformed, OverLimit, Unavailable
from protocol.ids import Digest, NamespaceId
from protocol.keys.signing import SigningKey
from protocol.limits import ENTRY_BYTES_MAX
from protocol.namespace.changes import BucketCreated
from protocol.namespace.journal import (
    Ending,
    Tip,
    check_chain,
    decode_entry,
    decode_opening,
    encode_entry,
    encode_opening,
    entry_hash,
    opening_hash,
    sign_entry,
    sign_opening,
    start_of,
    take,
    verify_opening,
)
from protocol.namespace.quorums import JournalQuorum, quorum
from protocol.namespace.root import Root, certify_writer, verify_certificate
from protocol.namespace.sealed_entry import open_changes, unwrap_epoch_key
from tests.support.namespaces import node, object_put, some, tenant

TENANT = tenant()
NOWHERE = Ending(Digest(bytes(32)), 0, Digest(bytes(32)))
CHAIN = TENANT.chain(5)
START = start_of(TENANT.opening)


def tip_after(length: int) -> Tip:
    return check_chain(TENANT.opening, START, CHAIN[:length])


def test_an_opening_comes_back_as_it_was_signed() -> None:
    assert decode_opening(encode_opening(TENANT.opening)) == TENANT.opening


def test_a_chain_is_followed_to_its_end() -> None:
    tip = check_chain(TENANT.opening, START, CHAIN)
    assert tip == (5, entry_hash(decode_entry(CHAIN[-1])))


def test_entries_say_what_was_sealed_to_whoever_has_the_root() -> None:
    entry = decode_entry(TENANT.entry(START, [BucketCreated("photos", 7), object_put("photos", "a", 1)]))
    epoch_key = unwrap_epoch_key(TENANT.root.wrapping_key(1), TENANT.opening)
    assert open_changes(epoch_key, entry) == (BucketCreated("photos", 7), object_put("photos", "a", 1))


def test_nothing_of_a_name_can_be_seen_in_an_entry() -> None:
    encoded = TENANT.entry(START, [object_put("holiday-photos", "secret-place.jpg", 1)])
    assert b"secret-place" not in encoded
    assert b"holiday" not in encoded


def test_another_generation_does_not_open_the_epoch() -> None:
    with pytest.raises(Forged, match="seal"):
        unwrap_epoch_key(TENANT.root.wrapping_key(2), TENANT.opening)


@pytest.mark.parametrize("missing", range(4))
def test_a_chain_with_a_gap_is_refused(missing: int) -> None:
    with pytest.raises(Forged, match="journal-chain"):
        check_chain(TENANT.opening, START, CHAIN[:missing] + CHAIN[missing + 1 :])


def test_entries_in_another_order_are_refused() -> None:
    with pytest.raises(Forged, match="journal-chain"):
        check_chain(TENANT.opening, START, [CHAIN[1], CHAIN[0]])


def test_an_entry_of_another_epoch_or_namespace_is_refused() -> None:
    for other in (tenant(epoch=2), tenant(1)):
        with pytest.raises(Forged, match="journal-chain"):
            check_chain(TENANT.opening, START, other.chain(1))


def test_an_entry_signed_by_somebody_else_is_refused() -> None:
    thief = SigningKey.from_seed(some("thief"))
    forged = sign_entry(thief, TENANT.opening, START, b"sealed", b"")
    with pytest.raises(Forged, match="signature"):
        check_chain(TENANT.opening, START, [encode_entry(forged)])


def test_the_writer_cannot_make_an_entry_too_large_for_holders() -> None:
    entry = sign_entry(TENANT.writer, TENANT.opening, START, b"x", bytes(ENTRY_BYTES_MAX - 10))
    with pytest.raises(OverLimit, match="entry-size"):
        encode_entry(entry)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(CHAIN[2]) * 8 - 1))
def test_one_flipped_bit_in_an_entry_is_noticed(bit: int) -> None:
    flipped = bytearray(CHAIN[2])
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Forged, Malformed, OverLimit)):
        check_chain(TENANT.opening, tip_after(2), [bytes(flipped)])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(encode_opening(TENANT.opening)) * 8 - 1))
def test_one_flipped_bit_in_an_opening_is_noticed(bit: int) -> None:
    flipped = bytearray(encode_opening(TENANT.opening))
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Forged, Malformed, OverLimit)):
        decode_opening(bytes(flipped))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_by_name(data: bytes) -> None:
    for decode in (decode_entry, decode_opening):
        with pytest.raises(MaillonError):
            decode(data)


class TestOpening:
    def test_holders_named_twice_are_refused(self) -> None:
        with pytest.raises(Malformed, match="holders"):
            tenant(holders=(node(0), node(0), node(1)))

    def test_a_quorum_that_bears_less_than_it_says_is_refused(self) -> None:
        with pytest.raises(Malformed, match="quorum"):
            tenant(rule=JournalQuorum(r=6, w=3, losses=2, liars=1))

    def test_a_certificate_for_a_later_epoch_is_refused(self) -> None:
        late = certify_writer(TENANT.root, TENANT.writer.public, node(0), generation=1, from_epoch=2)
        with pytest.raises(Forged, match="journal-certificate"):
            verify_opening(dataclasses.replace(TENANT.opening, certificate=late))

    def test_a_certificate_of_another_root_is_refused(self) -> None:
        other = Root(some("root", 9))
        foreign = certify_writer(other, TENANT.writer.public, node(0), generation=1, from_epoch=1)
        disguised = dataclasses.replace(foreign, namespace=TENANT.root.namespace)
        for certificate, identifier in ((foreign, "journal-certificate"), (disguised, "signature")):
            with pytest.raises(Forged, match=identifier):
                verify_opening(dataclasses.replace(TENANT.opening, certificate=certificate))

    def test_a_writer_without_certificate_cannot_open(self) -> None:
        thief = SigningKey.from_seed(some("thief"))
        with pytest.raises(Forged, match="signature"):
            sign_opening(
                thief,
                TENANT.certificate,
                epoch=1,
                holders=TENANT.opening.holders,
                quorum=quorum(6),
                wrapped_key=TENANT.opening.wrapped_key,
            )

    def test_only_the_first_epoch_has_no_predecessor(self) -> None:
        with pytest.raises(Malformed, match="previous"):
            verify_opening(dataclasses.replace(TENANT.opening, previous=NOWHERE))
        with pytest.raises(Malformed, match="previous"):
            verify_opening(dataclasses.replace(TENANT.opening, epoch=2))

    def test_an_epoch_without_entries_ends_at_its_opening(self) -> None:
        ending = Ending(NOWHERE.opening, 0, Digest(some("other")))
        with pytest.raises(Malformed, match="ending"):
            verify_opening(dataclasses.replace(TENANT.opening, epoch=2, previous=ending))


class TestRoot:
    def test_the_namespace_is_the_key_that_checks_its_certificates(self) -> None:
        verify_certificate(TENANT.certificate)
        with pytest.raises(Forged):
            verify_certificate(dataclasses.replace(TENANT.certificate, namespace=NamespaceId(some("other"))))

    def test_each_generation_wraps_with_another_key(self) -> None:
        keys = {TENANT.root.wrapping_key(generation) for generation in range(1, 20)}
        assert len(keys) == 19

    def test_a_root_never_shows_itself(self) -> None:
        assert TENANT.root.secret.hex() not in repr(TENANT.root)
        assert repr(TENANT.root.secret) not in repr(TENANT.root)


class TestAccept:
    """What a holder does with what it is sent."""

    def test_it_goes_on_from_what_it_has(self) -> None:
        assert take(TENANT.opening, tip_after(2), 2, CHAIN[2:]) == (0, tip_after(5))

    def test_repeated_entries_are_skipped(self) -> None:
        assert take(TENANT.opening, tip_after(3), 1, CHAIN[1:]) == (2, tip_after(5))
        assert take(TENANT.opening, tip_after(3), 0, CHAIN[:3]) == (3, tip_after(3))
        assert take(TENANT.opening, tip_after(3), 0, CHAIN[:2]) == (2, tip_after(3))

    def test_nothing_to_append_says_how_far_it_is(self) -> None:
        assert take(TENANT.opening, tip_after(3), 3, []) == (0, tip_after(3))

    def test_entries_that_come_too_early_are_asked_for_again(self) -> None:
        with pytest.raises(Unavailable, match="journal-gap") as caught:
            take(TENANT.opening, tip_after(1), 3, CHAIN[3:])
        assert caught.value.parameters == {"length": 1, "first": 3}

    def test_another_history_is_refused_even_when_the_writer_signed_it(self) -> None:
        other = TENANT.chain(3, start=tip_after(1), tag="other")
        with pytest.raises(Forged, match="journal-fork"):
            take(TENANT.opening, tip_after(3), 1, other)
        with pytest.raises(Forged, match="journal-fork"):
            take(TENANT.opening, tip_after(2), 2, other[1:])

    @given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
    @settings(max_examples=100, deadline=None)
    def test_what_is_accepted_is_always_the_one_history(self, held: int, first: int, end: int) -> None:
        sent = CHAIN[first:end]
        try:
            skip, tip = take(TENANT.opening, tip_after(held), first, sent)
        except Unavailable:
            assert first > held
        else:
            assert tip == tip_after(max(held, end if sent else held))
            assert held + len(sent[skip:]) == tip.length


class TestQuorum:
    @pytest.mark.parametrize(
        ("available", "r", "w", "losses", "liars"),
        [(2, 2, 2, 0, 1), (3, 3, 2, 1, 0), (4, 4, 3, 1, 1), (5, 5, 3, 2, 0), (6, 6, 4, 2, 1), (7, 6, 4, 2, 1)],
    )
    def test_by_holders_available(self, available: int, r: int, w: int, losses: int, liars: int) -> None:
        assert quorum(available) == JournalQuorum(r, w, losses, liars)

    def test_it_bears_what_the_data_bears_where_nodes_suffice(self) -> None:
        assert quorum(12, losses_wanted=4) == JournalQuorum(10, 6, 4, 1)
        assert quorum(9, losses_wanted=4) == JournalQuorum(8, 5, 3, 1)
        assert quorum(500, losses_wanted=30).r == 16

    def test_one_node_holds_no_journal(self) -> None:
        with pytest.raises(Unavailable, match="journal-holders-too-few"):
            quorum(1)

    @given(st.integers(2, 40), st.integers(0, 20))
    def test_two_quorums_always_share_an_honest_holder(self, available: int, wanted: int) -> None:
        rule = quorum(available, losses_wanted=wanted)
        assert rule.r <= available
        assert 2 * rule.w - rule.r > rule.liars
        assert rule.w - rule.losses - rule.liars == 1

        assert rule.w <= rule.r - rule.losses


def test_the_hash_of_an_entry_needs_only_the_hash_of_its_inline_bytes() -> None:
    one = decode_entry(TENANT.entry(START, [], b"inline"))
    assert entry_hash(one) != entry_hash(dataclasses.replace(one, inline=b"inlinf"))
    assert entry_hash(one) != entry_hash(dataclasses.replace(one, inline=b"", sealed=one.sealed + b"inline"))
    assert opening_hash(TENANT.opening) == one.previous != Digest(bytes(32))
