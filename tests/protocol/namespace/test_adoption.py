"""Adoption: nothing that an honest holder shows is lost, whatever the others do."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.keys.signing import SigningKey
from protocol.namespace.adoption import Adoption, Tail, adopt
from protocol.namespace.journal import check_chain, encode_entry, sign_entry, start_of
from tests.support.namespaces import node, some, tenant

TENANT = tenant()
CHAIN = tuple(TENANT.chain(8))
OTHER = tuple(tenant(1).chain(8))
START = start_of(TENANT.opening)
TIPS = [check_chain(TENANT.opening, START, CHAIN[:length]) for length in range(len(CHAIN) + 1)]
THIEF = SigningKey.from_seed(some("thief"))


def adopted(base: int, *tails: tuple[int, tuple[bytes, ...]]) -> Adoption:
    return adopt(TENANT.opening, TIPS[base], [Tail(node(holder), entries) for holder, entries in tails])


def test_nobody_shows_more() -> None:
    outcome = adopted(3, (1, ()), (2, ()))
    assert outcome == Adoption((), TIPS[3], (), ())


def test_the_longest_history_is_kept() -> None:
    outcome = adopted(3, (1, CHAIN[3:5]), (2, CHAIN[3:8]), (3, ()))
    assert outcome == Adoption(CHAIN[3:8], TIPS[8], (), ())


def test_an_entry_that_only_one_holder_has_is_kept() -> None:
    assert adopted(0, (1, ()), (2, ()), (3, CHAIN[:1])).tip == TIPS[1]


def test_a_forger_is_named_and_what_it_showed_before_counts() -> None:
    forged = encode_entry(sign_entry(THIEF, TENANT.opening, TIPS[2], b"sealed", b""))
    outcome = adopted(0, (1, CHAIN[:1]), (2, (*CHAIN[:2], forged)))
    assert outcome.tip == TIPS[2]
    assert [(refused.holder, refused.position, refused.identifier) for refused in outcome.rejected] == [
        (node(2), 2, "signature")
    ]


def test_entries_of_another_namespace_and_garbage_are_refused() -> None:
    outcome = adopted(0, (1, OTHER[:2]), (2, (b"garbage",)), (3, CHAIN[:1]))
    assert outcome.tip == TIPS[1]
    assert {refused.holder: refused.identifier for refused in outcome.rejected} == {
        node(1): "journal-chain",
        node(2): "message-form",
    }


def test_of_two_signed_histories_the_one_that_more_holders_have_is_kept_and_the_fork_told() -> None:
    short = tuple(TENANT.chain(1, start=TIPS[1], tag="twin"))
    long = CHAIN[1:5]
    outcome = adopted(1, (1, short), (2, short), (3, long))
    assert outcome.entries == short
    (fork,) = outcome.forks
    assert fork.position == 1
    assert set(fork.kept_by) == {node(1), node(2)}
    assert fork.left_by == (node(3),)


def test_a_holder_counts_once_however_often_it_answers() -> None:
    twin = tuple(TENANT.chain(1, start=TIPS[1], tag="twin"))
    outcome = adopted(1, (1, twin), (1, twin), (1, twin), (2, CHAIN[1:2]), (3, CHAIN[1:2]))
    assert outcome.entries == CHAIN[1:2]


honest = st.integers(0, len(CHAIN)).map(lambda end: ("honest", end, 0))
withholding = st.integers(0, len(CHAIN)).map(lambda end: ("withholds", end, 0))
forging = st.tuples(st.just("forges"), st.integers(0, len(CHAIN)), st.integers(0, 3))
confused = st.tuples(st.just("replays"), st.integers(0, len(CHAIN)), st.integers(0, len(CHAIN)))
garbled = st.tuples(st.just("garbles"), st.integers(0, len(CHAIN)), st.binary(max_size=40))


def shown(base: int, plan: tuple[str, int, object]) -> tuple[bytes, ...]:
    how, end, extra = plan
    real = CHAIN[base : max(base, end)]
    if how == "forges":
        tip = TIPS[max(base, end)]
        return (*real, encode_entry(sign_entry(THIEF, TENANT.opening, tip, b"forged", b"")))
    if how == "replays":
        assert isinstance(extra, int)
        return (*real, *CHAIN[:extra], *OTHER[extra:])
    if how == "garbles":
        assert isinstance(extra, bytes)
        return (*real, extra)
    return real


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, len(CHAIN)),
    st.lists(st.one_of(honest, withholding, forging, confused, garbled), max_size=6),
    st.randoms(use_true_random=False),
)
def test_adoption_keeps_exactly_what_anybody_validly_shows(
    base: int, plans: list[tuple[str, int, object]], order: random.Random
) -> None:
    tails = [Tail(node(index), shown(base, plan)) for index, plan in enumerate(plans)]
    outcome = adopt(TENANT.opening, TIPS[base], tails)

    honest_end = max([base, *(plan[1] for plan in plans if plan[0] == "honest")])
    assert outcome.tip.length >= honest_end
    assert outcome.entries == CHAIN[base : outcome.tip.length]
    assert outcome.tip == TIPS[outcome.tip.length]
    assert not outcome.forks
    assert not {refused.holder for refused in outcome.rejected} & {
        node(index) for index, plan in enumerate(plans) if plan[0] in ("honest", "withholds")
    }
    assert {node(index) for index, plan in enumerate(plans) if plan[0] == "forges"} <= {
        refused.holder for refused in outcome.rejected
    }

    shuffled = list(tails)
    order.shuffle(shuffled)
    assert adopt(TENANT.opening, TIPS[base], shuffled) == outcome


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=6), st.randoms())
def test_even_a_writer_that_signed_twice_gives_one_outcome(
    plans: list[tuple[int, int]], order: random.Random
) -> None:
    branches = [tuple(TENANT.chain(4, start=TIPS[2], tag=f"branch-{number}")) for number in range(4)]
    tails = [Tail(node(index), branches[number][:length]) for index, (number, length) in enumerate(plans)]
    outcome = adopt(TENANT.opening, TIPS[2], tails)
    order.shuffle(tails)
    assert adopt(TENANT.opening, TIPS[2], tails) == outcome
    assert check_chain(TENANT.opening, TIPS[2], outcome.entries) == outcome.tip
    assert bool(outcome.forks) == (len({number for number, _ in plans}) > 1)
