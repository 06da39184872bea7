"""Placement: never breaks a cap, is the same everywhere, finds a placement whenever one exists, moves the minimum."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Refused
from protocol.ids import NodeId
from protocol.placement.candidates import Candidate
from protocol.placement.classes import Code, DataClass, lawful_caps, preset_code
from protocol.placement.feasible import most_shares, tally_of
from protocol.placement.place import place, replace, violations
from protocol.placement.rendezvous import order
from tests.support.candidates import block_id, candidate, candidate_lists, node_id

codes = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(
    lambda pair: Code(pair[0], pair[0] + pair[1], min(1, pair[1]))
)
caps_or_none = st.none() | st.integers(1, 4)
classes = st.builds(DataClass, st.just("internal"), st.none(), caps_or_none, caps_or_none, caps_or_none)


@given(candidate_lists(), classes, codes, st.integers(0, 1000), st.data())
def test_a_placement_never_breaks_a_cap_and_never_names_a_node_twice(
    members: list[Candidate], data_class: DataClass, code: Code, block: int, data: st.DataObject
) -> None:
    avoid = set(data.draw(st.lists(st.sampled_from([member.node for member in members]), max_size=3)))
    try:
        placing = place(block_id(block), data_class, code, members, avoid=avoid)
    except Refused as refused:
        assert refused.identifier == "placement-impossible"
        return
    assert len(placing) == len(set(placing)) == code.n
    assert violations(placing, data_class, code, members) == ()


@given(candidate_lists(), classes, codes, st.randoms(use_true_random=False))
def test_the_order_in_which_a_node_knows_the_members_does_not_matter(
    members: list[Candidate], data_class: DataClass, code: Code, shuffler: random.Random
) -> None:
    shuffled = list(members)
    shuffler.shuffle(shuffled)
    assert _place_or_none(1, data_class, code, members) == _place_or_none(1, data_class, code, shuffled)


@settings(max_examples=60)
@given(candidate_lists(most=9), classes, codes)
def test_a_placement_is_found_exactly_when_one_exists(
    members: list[Candidate], data_class: DataClass, code: Code
) -> None:
    caps = lawful_caps(data_class, code)

    def lawful(chosen: tuple[Candidate, ...]) -> bool:
        tally = tally_of(caps, chosen)
        return (
            max(tally.organisations.values()) <= caps.organisation
            and max(tally.zones.values()) <= caps.zone
            and (caps.jurisdiction is None or max(tally.jurisdictions.values()) <= caps.jurisdiction)
        )

    exists = any(lawful(chosen) for chosen in itertools.combinations(members, code.n))
    assert (_place_or_none(7, data_class, code, members) is not None) == exists


@settings(max_examples=60)
@given(candidate_lists(most=8), classes, codes)
def test_the_flow_counts_what_trying_everything_counts(
    members: list[Candidate], data_class: DataClass, code: Code
) -> None:
    caps = lawful_caps(data_class, code)
    best = 0
    for size in range(len(members) + 1):
        for chosen in itertools.combinations(members, size):
            tally = tally_of(caps, chosen)
            if (
                all(count <= caps.organisation for count in tally.organisations.values())
                and all(count <= caps.zone for count in tally.zones.values())
                and all(count <= (caps.jurisdiction or size) for count in tally.jurisdictions.values())
            ):
                best = size
    assert most_shares(caps, [], members, 99) == best


@given(st.integers(7, 12), st.integers(0, 200))
def test_when_a_node_leaves_only_its_own_share_moves(count: int, block: int) -> None:
    members = [
        candidate(number, organisation=number // 2, zone=number // 2, weight=1 + number % 3)
        for number in range(count)
    ]
    data_class, code = DataClass("internal", per_organisation=2, per_zone=2), Code(3, 6, 1)
    before = set(place(block_id(block), data_class, code, members))
    for leaver in members:
        after = set(place(block_id(block), data_class, code, [member for member in members if member is not leaver]))
        assert before - after <= {leaver.node}
        assert len(after - before) == len(before - after)


def test_a_joining_node_takes_its_fair_share_and_nothing_else_moves() -> None:
    members = [candidate(number, weight=10) for number in range(9)]
    joiner = candidate(9, weight=10)
    code, blocks = Code(4, 6, 1), 1_500
    moved = 0
    for number in range(blocks):
        before = set(place(block_id(number), DataClass("internal"), code, members))
        after = set(place(block_id(number), DataClass("internal"), code, [*members, joiner]))
        assert after - before <= {joiner.node}
        moved += len(after - before)
    fair = blocks * code.n / (len(members) + 1)
    assert moved == pytest.approx(fair, rel=0.1)


def test_movement_under_caps_is_no_more_than_plain_weighted_rendezvous_would_cause() -> None:
    members = [
        candidate(number, organisation=number % 7, zone=number % 7, weight=1 + number % 4) for number in range(14)
    ]
    joiner = candidate(14, organisation=3, zone=3, weight=4)
    data_class, code = DataClass("internal", per_organisation=2, per_zone=2), Code(3, 6, 1)
    capped = plain = 0
    for number in range(800):
        block = block_id(number)
        capped += len(
            set(place(block, data_class, code, [*members, joiner])) - set(place(block, data_class, code, members))
        )
        weights = [(member.node, member.weight) for member in members]
        plain += joiner.node in order(block, [*weights, (joiner.node, joiner.weight)])[: code.n]
    assert capped <= plain * 1.05


def test_shares_follow_the_weights() -> None:
    weighted = [(node_id(number), weight) for number, weight in enumerate((1, 2, 3, 4))]
    first = Counter(order(block_id(number), weighted)[0] for number in range(5_000))
    for node, weight in weighted:
        assert first[node] / 5_000 == pytest.approx(weight / 10, abs=0.025)


def test_a_node_to_avoid_is_used_only_when_nobody_else_may() -> None:
    members = [candidate(number) for number in range(7)]
    code = Code(3, 6, 1)
    down = members[2].node
    assert down not in place(block_id(1), DataClass("internal"), code, members, avoid={down})
    six = members[:6]
    assert down in place(block_id(1), DataClass("internal"), code, six, avoid={down})


@given(candidate_lists(), classes, codes, st.data())
def test_replacing_lost_shares_moves_only_them_and_breaks_no_cap(
    members: list[Candidate], data_class: DataClass, code: Code, data: st.DataObject
) -> None:
    placing = _place_or_none(5, data_class, code, members)
    if placing is None:
        return
    before = tuple(NodeId(node) for node in placing)
    lost = set(data.draw(st.lists(st.sampled_from(range(code.n)), max_size=code.n)))
    after = replace(block_id(5), before, lost, data_class, code, members, avoid={before[index] for index in lost})
    assert all(after[index] == before[index] for index in range(code.n) if index not in lost)
    assert violations(after, data_class, code, members) == ()


def test_a_lost_share_with_nowhere_to_go_keeps_its_holder() -> None:
    members = [candidate(number) for number in range(6)]
    placing = place(block_id(1), DataClass("internal"), Code(3, 6, 1), members)
    assert replace(block_id(1), placing, {2}, DataClass("internal"), Code(3, 6, 1), members) == placing


def test_open_caps_spread_the_shares_evenly_over_organisations() -> None:
    members = [candidate(number, organisation=number % 3, zone=number) for number in range(12)]
    for number in range(50):
        placing = place(block_id(number), DataClass("internal"), Code(4, 6, 1), members)
        organisations = Counter(member.organisation for member in members if member.node in placing)
        assert set(organisations.values()) == {2}


def test_a_refusal_says_how_many_shares_had_a_place() -> None:
    members = [candidate(number, organisation=number % 2) for number in range(6)]
    with pytest.raises(Refused) as caught:
        place(block_id(1), DataClass("internal"), Code(4, 6, 1), members)
    assert caught.value.identifier == "placement-impossible"
    assert caught.value.parameters["placeable"] == 4
    assert caught.value.parameters["organisations"] == 2


def test_only_admitted_members_of_the_right_place_hold_a_restricted_class() -> None:
    health = DataClass("health", jurisdictions=("FR",))
    french = [candidate(number) for number in range(3)]
    others = [candidate(3, jurisdiction="US"), candidate(4, admitted=False)]
    assert set(place(block_id(1), health, Code(1, 3, 1), [*french, *others])) == {member.node for member in french}
    unlawful = (french[0].node, french[1].node, others[0].node)
    assert violations(unlawful, health, Code(1, 3, 1), [*french, *others]) == ("candidate-jurisdiction",)


def test_ten_puppets_of_one_sponsor_are_one_organisation() -> None:
    honest = [candidate(number) for number in range(3)]
    puppets = [
        candidate(10 + number, organisation=0, zone=10 + number, admitted=False, weight=99) for number in range(10)
    ]
    for number in range(30):
        placing = place(block_id(number), DataClass("internal"), Code(1, 3, 1), [*honest, *puppets])
        assert sum(node in {p.node for p in puppets} | {honest[0].node} for node in placing) == 1


@pytest.mark.parametrize(("organisations", "code"), [(2, "1-of-2"), (3, "1-of-3"), (4, "2-of-4"), (5, "2-of-5")])
def test_small_federations_have_presets(organisations: int, code: str) -> None:
    assert str(preset_code(organisations)) == code


@pytest.mark.parametrize(("organisations", "code"), [(6, "3-of-6"), (7, "4-of-7"), (8, "4-of-7"), (9, "5-of-9")])
def test_larger_federations_have_wider_presets(organisations: int, code: str) -> None:
    assert str(preset_code(organisations)) == code


def test_one_organisation_alone_keeps_nothing() -> None:
    with pytest.raises(Refused, match="federation-too-small"):
        preset_code(1)


def _place_or_none(
    block: int, data_class: DataClass, code: Code, members: list[Candidate]
) -> tuple[bytes, ...] | None:
    try:
        return place(block_id(block), data_class, code, members)
    except Refused:
        return None
