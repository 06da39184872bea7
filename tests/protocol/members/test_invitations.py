"""Invitations: once, until they expire, for one federation, by who signed them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Forged, MaillonError, Malformed, Refused
from protocol.ids import FederationId
from protocol.limits import ADDRESS_BYTES_MAX, INVITATION_ADDRESSES_MAX, INVITATION_BYTES_MAX
from protocol.members.invitations import (
    TEXT_PREFIX,
    Invitation,
    check,
    decode_invitation,
    encode_invitation,
    encode_invitation_text,
    invitation_id,
    make_invitation,
    parse_invitation,
)
from tests.support.federations import Org, node_id, node_key, seed

FEDERATION = FederationId(seed("federation"))
NOW_S = 1_800_000_000


def _invitation(addresses: tuple[str, ...] = ("alpha.example.org:7000",)) -> Invitation:
    return make_invitation(
        node_key("alpha"),
        FEDERATION,
        Org("alpha").id,
        addresses=addresses,
        expires_s=NOW_S + 60,
        nonce=seed("nonce"),
    )


def _check(
    invitation: Invitation, *, now_s: int = NOW_S, used: frozenset[bytes] = frozenset(), inviter: str = "alpha"
) -> None:
    check(invitation, federation=FEDERATION, inviter=node_id(inviter), now_s=now_s, used=used)


def test_a_good_one_holds() -> None:
    _check(_invitation())


def test_survives_being_copied_by_people() -> None:
    text = encode_invitation_text(_invitation())
    assert text.isalnum()
    assert text.startswith(TEXT_PREFIX)
    mangled = "  " + text[:40].upper() + "\n  " + text[40:] + "\n"
    assert parse_invitation(mangled) == _invitation()


def test_expires() -> None:
    _check(_invitation(), now_s=NOW_S + 59)
    with pytest.raises(Refused, match="invitation-expired"):
        _check(_invitation(), now_s=NOW_S + 60)


def test_is_used_once() -> None:
    with pytest.raises(Refused, match="invitation-used"):
        _check(_invitation(), used=frozenset({invitation_id(_invitation())}))


def test_is_for_one_federation() -> None:
    other = make_invitation(
        node_key("alpha"),
        FederationId(seed("another")),
        Org("alpha").id,
        addresses=("a:1",),
        expires_s=NOW_S + 60,
        nonce=seed("nonce"),
    )
    with pytest.raises(Refused, match="invitation-federation"):
        _check(other)


def test_is_honoured_only_by_its_inviter() -> None:
    with pytest.raises(Refused, match="invitation-inviter"):
        _check(_invitation(), inviter="beta")


@pytest.mark.parametrize(
    "change",
    [
        {"expires_s": NOW_S + 61},
        {"nonce": seed("another")},
        {"federation": FederationId(seed("another"))},
        {"addresses": ("evil.example.org:7000",)},
        {"organisation": Org("beta").id},
        {"inviter": node_id("beta")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_cannot_be_altered(change: dict[str, object]) -> None:
    altered = replace(_invitation(), **change)  # type: ignore[arg-type]
    with pytest.raises(Forged, match="invitation"):
        _check(altered)
    with pytest.raises(Forged, match="invitation"):
        parse_invitation(encode_invitation_text(altered))


def test_needs_somewhere_to_dial() -> None:
    with pytest.raises(Refused, match="invitation-unreachable"):
        _invitation(addresses=())


def test_fits_its_bound_whatever_the_addresses() -> None:
    invitation = _invitation(addresses=("a" * ADDRESS_BYTES_MAX,) * 8)
    assert len(invitation.addresses) == INVITATION_ADDRESSES_MAX
    encoded = encode_invitation(invitation)
    assert len(encoded) <= INVITATION_BYTES_MAX
    assert decode_invitation(encoded) == invitation
    assert parse_invitation(encode_invitation_text(invitation)) == invitation


def test_does_not_show_its_secret() -> None:
    assert seed("nonce").hex() not in repr(_invitation())
    assert str(seed("nonce")) not in repr(_invitation())


@given(data=st.data())
def test_a_mistyped_letter_is_noticed(data: st.DataObject) -> None:
    text = encode_invitation_text(_invitation())
    # The last letter may hold bits that mean nothing.
    place = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567").filter(lambda one: one != text[place]))
    with pytest.raises(MaillonError):
        parse_invitation(text[:place] + letter + text[place + 1 :])


@given(text=st.text(max_size=200))
def test_noise_is_no_invitation(text: str) -> None:
    for candidate in (text, TEXT_PREFIX + text):
        with pytest.raises(Malformed, match="invitation-text"):
            parse_invitation(candidate)


def test_one_cut_short_says_so() -> None:
    with pytest.raises(Malformed, match="invitation-text"):
        parse_invitation(encode_invitation_text(_invitation())[:-10])
