"""An organisation's name commits to all its keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Forged
from protocol.ids import FederationId
from protocol.keys.signing import SigningKey
from protocol.limits import ORGANISATION_KEYS_MAX
from protocol.members.lineage import Lineage, OrganisationKeys, certify_node, check_certification, check_lineage
from protocol.wire import schema
from tests.support.federations import Org, node_id, seed

FEDERATION = FederationId(seed("federation"))


@pytest.mark.parametrize("generation", range(ORGANISATION_KEYS_MAX))
def test_every_generation_shows_the_same_organisation(generation: int) -> None:
    keys = OrganisationKeys(seed("any"))
    lineage = keys.lineage(generation)
    assert lineage.organisation == keys.organisation
    assert lineage.current == keys.key(generation).public
    assert len(lineage.keys) == generation + 1
    check_lineage(lineage, keys.organisation, lineage.current)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_other_keys_make_the_same_organisation(data: st.DataObject) -> None:
    """What a thief of key 0 can try: any other continuation is another organisation."""
    keys = OrganisationKeys(seed("any"))
    lineage = keys.lineage(data.draw(st.integers(0, ORGANISATION_KEYS_MAX - 1)))
    raw = bytearray(schema.encode(lineage))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    try:
        altered = schema.decode(Lineage, bytes(raw))
    except Exception as error:  # not canonical any more: refused before it is a lineage
        assert type(error).__name__ in ("Malformed", "OverLimit")
    else:
        assert altered.organisation != keys.organisation


def test_a_lineage_speaks_with_its_current_key_only() -> None:
    keys = OrganisationKeys(seed("any"))
    with pytest.raises(Forged, match="lineage"):
        check_lineage(keys.lineage(1), keys.organisation, keys.key(0).public)
    with pytest.raises(Forged, match="lineage"):
        check_lineage(keys.lineage(1), Org("another").id, keys.key(1).public)


def test_a_certification_is_for_one_node_of_one_federation() -> None:
    org = Org("alpha")
    certification = certify_node(org.key, org.lineage, FEDERATION, node_id("alpha"))
    check_certification(certification, FEDERATION, node_id("alpha"))
    assert certification.organisation == org.id
    with pytest.raises(Forged):
        check_certification(certification, FEDERATION, node_id("beta"))
    with pytest.raises(Forged):
        check_certification(certification, FederationId(seed("another")), node_id("alpha"))
    with pytest.raises(Forged):
        check_certification(replace(certification, lineage=Org("beta").lineage), FEDERATION, node_id("alpha"))


def test_only_the_current_key_certifies() -> None:
    org = Org("alpha")
    with pytest.raises(ValueError, match="current key"):
        certify_node(SigningKey.from_seed(seed("another")), org.lineage, FEDERATION, node_id("alpha"))


def test_a_seed_never_shows_itself() -> None:
    secret = seed("any")
    assert secret.hex() not in repr(OrganisationKeys(secret))
    assert str(secret) not in repr(OrganisationKeys(secret))


def test_a_seed_has_32_bytes_and_eight_keys() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        OrganisationKeys(b"short")
    with pytest.raises(ValueError, match="counted from 0"):
        OrganisationKeys(seed("any")).key(ORGANISATION_KEYS_MAX)
