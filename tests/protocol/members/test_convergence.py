"""The laws of the view: whatever the order, loss and repetition, and whoever lies, talking makes views equal."""

from __future__ import annotations

from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.errors import MaillonError
from protocol.members.cards import NodeState
from protocol.members.governance import expel_node
from protocol.members.records import Record, decode_record, encode_record, sign_record
from protocol.members.view import View
from tests.support.federations import (
    TIB,
    Org,
    admission,
    decide,
    federate,
    found,
    invitation_of,
    joining,
    namespace_card,
    node_id,
    node_key,
    seed,
)

_SLOW = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)

A, B, C, D, E, F = (Org(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta"))


@cache
def _honest() -> tuple[Record, ...]:
    """Four members, a pending one, moves, a rotated key, namespaces, an expelled node: nobody lies."""
    view, records = found(A)
    federation = view.federation
    records += federate(view, [A, B, C, D])
    records += joining(federation, B, E)
    records += decide(view, [A, B, C, D], expel_node(node_id("delta")))
    records += [
        A.node_card(federation, "alpha", counter=2, address="moved:1"),
        C.node_card(federation, "gamma", counter=5, state=NodeState.LEAVING),
        D.renewed().card(federation, invitation=invitation_of("alpha to delta")),
        D.renewed().node_card(federation, "delta second"),
        namespace_card(federation, A, "alpha", "files"),
        namespace_card(federation, A, "alpha", "files", epoch=2),
        namespace_card(federation, E, "epsilon", "mail"),
        sign_record(node_key("gamma"), federation, 500, 1, seed("later"), b"later"),
    ]
    return tuple(records)


@cache
def _hostile() -> tuple[Record, ...]:
    """More of the same, and members that contradict themselves, vote twice, flood, and bring puppets."""
    view, _ = found(A)
    records = list(_honest())
    federation = view.federation
    view.admit_all(records)
    motions = [view.motion(admission(org)) for org in (E, F)]
    for motion in motions:
        # Beta approves both motions of one round; gamma approves the first only.
        records += [B.ballot(federation, motion), B.propose(federation, motion)]
    records += [C.ballot(federation, motions[0]), A.ballot(federation, motions[0])]
    records += [D.renewed().ballot(federation, motions[1], approve=False)]
    records += joining(federation, A, F)
    records += [F.node_card(federation, f"zeta {number}") for number in range(12)]
    for number in range(20):
        records += joining(federation, B, Org(f"puppet {number}"), capacity_bytes=TIB * number)
    records += [B.node_card(federation, "puppet 3", counter=number % 3 + 1) for number in range(3)]
    for number in range(4):
        holder = ("alpha", "beta", "gamma")[number % 3]
        records += [
            B.node_card(federation, "beta", counter=number // 2 + 2, address=f"{number}:1"),
            namespace_card(federation, B, "beta", "forked", epoch=2, holders=(holder,)),
            E.node_card(federation, f"epsilon {number}"),
            E.node_card(federation, f"epsilon {number + 4}"),
            sign_record(node_key("beta"), federation, 500 + number, 1, seed("x"), bytes([number])),
            sign_record(node_key("beta"), federation, 500, 1, seed("x"), bytes([number])),
            B.card(federation, invitation=invitation_of("alpha to beta"), counter=2**40 + number),
        ]
    # Delta's first key is stolen, and delta shows its second.
    records += [D.node_card(federation, f"stolen {number}", capacity_bytes=number) for number in range(70)]
    records += [D.renewed().node_card(federation, f"delta {number}") for number in range(8)]
    records += [
        sign_record(node_key(f"{owner} {number}"), federation, 501, 1, seed(str(extra)), b"")
        for owner in ("stolen", "delta")
        for number in range(6)
        for extra in range(8)
    ]
    return tuple(records)


@cache
def _hostile_view() -> View:
    view = View(_hostile()[0].federation)
    view.admit_all(_hostile())
    return view


def _exchange(one: View, other: View) -> None:
    """Offer each other everything, until neither learns anything: what anti-entropy does in the end."""
    while True:
        before = one.ids(), other.ids()
        other.admit_all(one.records())
        one.admit_all(other.records())
        if before == (one.ids(), other.ids()):
            return


def _told(records: tuple[Record, ...], order: list[int]) -> View:
    view = View(records[0].federation)
    for place in order:
        try:
            view.admit(records[place])
        except MaillonError as error:
            assert error.identifier in ("record-stranger", "record-early", "record-quota", "ballot-key-replaced")
    return view


def _orders(records: tuple[Record, ...]) -> st.SearchStrategy[list[int]]:
    """Any of the records in any order, some of them twice."""
    everything = list(range(len(records)))
    return st.lists(st.sampled_from(everything), max_size=2 * len(records)) | st.permutations(everything)


@settings(_SLOW, max_examples=12)
@given(data=st.data())
def test_two_views_that_talk_come_to_agree(data: st.DataObject) -> None:
    records = _hostile()
    one, other = (_told(records, data.draw(_orders(records))) for _ in range(2))
    _exchange(one, other)
    assert one.ids() == other.ids()
    assert one.facts == other.facts
    assert one.proposals() == other.proposals()
    assert one.evidence() == other.evidence()


@settings(_SLOW, max_examples=12)
@given(data=st.data())
def test_without_liars_every_order_ends_in_one_view(data: st.DataObject) -> None:
    records = _honest()
    expected = View(records[0].federation)
    expected.admit_all(records)
    view = _told(records, data.draw(st.permutations(list(range(len(records))))))
    for _ in range(20):
        view.admit_all(records)
    assert view.ids() == expected.ids()
    assert view.facts == expected.facts
    assert view.evidence() == ()


@settings(_SLOW, max_examples=100)
@given(data=st.data())
def test_a_flipped_bit_in_a_record_is_noticed(data: st.DataObject) -> None:
    view = _hostile_view()
    # Also the records that prove themselves: certificates and evidence.
    chosen = data.draw(st.sampled_from(view.records()))
    raw = bytearray(encode_record(chosen))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    before = view.ids()
    try:
        view.admit(decode_record(bytes(raw)))
    except MaillonError:
        assert view.ids() == before
    else:
        raise AssertionError("the flipped bit went unnoticed")


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=300))
def test_noise_is_refused_by_name(raw: bytes) -> None:
    try:
        decode_record(raw)
    except MaillonError:
        return
    raise AssertionError("noise is no record")


def test_the_hostile_records_do_what_they_are_meant_to() -> None:
    """Otherwise the laws above would be about nothing."""
    records = _hostile()
    view = View(records[0].federation)
    results = view.admit_all(records)
    refusals = {result.identifier for result in results if isinstance(result, MaillonError)}
    assert "record-quota" in refusals
    assert len(view.evidence()) >= 3
    assert view.chain.position in (4, 5), "beta votes twice: whether its first ballot counted depends on the order"
    assert view.node(node_id("delta")) is None
    assert view.node(node_id("delta second")) is not None
