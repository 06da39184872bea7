"""Reconciliation finds exactly the difference, in bounded rounds and bytes, whatever ids were chosen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import limits
from protocol.errors import MaillonError, Malformed
from protocol.ids import Digest
from protocol.members import reconcile
from protocol.members.reconcile import Answer, Answers, Form, Query, Question, Session, Trie

SALT = bytes(range(32))
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "gossip.json").read_text())["reconcile"]


def an_id(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "big"), digest_size=32).digest()


@dataclass
class Run:
    wanted: set[Digest]
    offered: set[Digest]
    rounds: int
    size_bytes: int
    finished: bool


def reconcile_sets(mine: set[bytes], theirs: set[bytes], salt: bytes = SALT) -> Run:
    """A whole session, every message through its wire form."""
    session, other = Session(Trie(salt, mine)), Trie(salt, theirs)
    rounds = size_bytes = 0
    while (question := session.question()) is not None:
        asked = reconcile.encode_question(question)
        told = reconcile.encode_answers(reconcile.answer(other, reconcile.decode_question(asked)))
        assert max(len(asked), len(told)) <= limits.CALL_BYTES_MAX
        session.take(reconcile.decode_answers(told))
        rounds += 1
        size_bytes += len(asked) + len(told)
    return Run(session.wanted, session.offered, rounds, size_bytes, session.finished)


numbers = st.sets(st.integers(0, 400), max_size=300)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, st.binary(min_size=32, max_size=32))
def test_it_finds_exactly_the_difference(mine: set[int], theirs: set[int], salt: bytes) -> None:
    a, b = {an_id(number) for number in mine}, {an_id(number) for number in theirs}
    run = reconcile_sets(a, b, salt)
    assert run.finished
    assert run.wanted == b - a
    assert run.offered == a - b


@settings(max_examples=30, deadline=None)
@given(st.sets(st.binary(min_size=32, max_size=32), max_size=80), st.sets(st.binary(min_size=32, max_size=32)))
def test_ids_of_any_shape_will_do(mine: set[bytes], theirs: set[bytes]) -> None:
    run = reconcile_sets(mine, theirs)
    assert (run.wanted, run.offered) == (theirs - mine, mine - theirs)


def test_equal_sets_cost_one_round() -> None:
    ids = {an_id(number) for number in range(5_000)}
    run = reconcile_sets(ids, ids)
    assert (run.rounds, run.wanted, run.offered) == (1, set(), set())
    assert run.size_bytes < 200


@pytest.mark.parametrize("differing", [1, 10, 100])
def test_bytes_follow_the_difference_not_the_sets(differing: int) -> None:
    common = {an_id(number) for number in range(20_000)}
    mine = common | {an_id(10**6 + number) for number in range(differing)}
    theirs = common | {an_id(2 * 10**6 + number) for number in range(differing)}
    run = reconcile_sets(mine, theirs)
    assert len(run.wanted) == len(run.offered) == differing
    assert run.size_bytes <= 2 * differing * 1_500
    assert run.rounds <= 8


def test_who_has_nothing_learns_everything_in_few_rounds() -> None:
    theirs = {an_id(number) for number in range(30_000)}
    run = reconcile_sets(set(), theirs)
    assert run.finished
    assert run.wanted == theirs
    assert run.size_bytes <= 30_000 * 36 + 20_000


def test_who_has_everything_offers_it_without_sending_it() -> None:
    mine = {an_id(number) for number in range(30_000)}
    run = reconcile_sets(mine, set())
    assert run.offered == mine
    assert run.size_bytes < 200


def test_ids_chosen_to_share_a_prefix_do_not_deepen_the_trie() -> None:
    # Without the salt these would all stand in one branch, 60 nibbles down.
    chosen = {bytes(30) + number.to_bytes(2, "big") for number in range(2_000)}
    run = reconcile_sets(chosen, {an_id(1)} | chosen)
    assert run.wanted == {an_id(1)}
    assert run.rounds <= 5


def test_ids_whose_xor_is_zero_do_not_hide_each_other() -> None:
    a, b = an_id(1), an_id(2)
    c = bytes(x ^ y for x, y in zip(a, b, strict=True))
    assert reconcile_sets(set(), {a, b, c}).wanted == {a, b, c}


def test_a_peer_that_always_says_later_is_cut_off() -> None:
    session = Session(Trie(SALT, [an_id(1)]))
    rounds = 0
    while (question := session.question()) is not None:
        session.take(Answers(tuple(Answer(Form.LATER, (), ()) for _ in question.queries)))
        rounds += 1
    assert rounds == limits.RECONCILE_ROUNDS_MAX
    assert not session.finished


def test_a_peer_that_invents_branches_is_cut_off() -> None:
    session = Session(Trie(SALT, []))
    children = tuple(bytes((n,)) * reconcile.DIGEST_BYTES for n in range(1, 17))
    rounds = 0
    while (question := session.question()) is not None:
        session.take(Answers(tuple(Answer(Form.CHILDREN, children, ()) for _ in question.queries)))
        rounds += 1
    assert rounds == limits.RECONCILE_ROUNDS_MAX
    assert not session.finished
    assert session.wanted == set()


@pytest.mark.parametrize(
    "answers",
    [
        Answers((Answer(Form.CHILDREN, (b"x" * 16,) * 15, ()),)),
        Answers((Answer(Form.CHILDREN, (b"x" * 3,) * 16, ()),)),
        Answers((Answer(Form.SAME, (), ()), Answer(Form.SAME, (), ()))),
    ],
)
def test_an_answer_to_something_else_is_refused(answers: Answers) -> None:
    session = Session(Trie(SALT, [an_id(1)]))
    session.question()
    with pytest.raises(Malformed):
        session.take(answers)


def test_ids_from_another_branch_are_refused() -> None:
    session = Session(Trie(SALT, []))
    session.question()
    session.take(Answers((Answer(Form.CHILDREN, (b"x" * 16, *(b"",) * 15), ()),)))
    session.question()
    foreign = next(an_id(n) for n in range(99) if Trie(SALT, [an_id(n)]).count(b"\x00") == 0)
    with pytest.raises(Malformed, match="reconcile-answer"):
        session.take(Answers((Answer(Form.IDS, (), (Digest(foreign),)),)))


@pytest.mark.parametrize("query", [Query(b"\x10", b""), Query(b"", b"short")])
def test_a_branch_that_cannot_exist_is_refused(query: Query) -> None:
    with pytest.raises(Malformed, match="reconcile-path"):
        reconcile.answer(Trie(SALT, []), Question(SALT, (query,)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused_with_a_name(noise: bytes) -> None:
    for decode in (reconcile.decode_question, reconcile.decode_answers):
        try:
            decode(noise)
        except MaillonError:
            continue


def test_the_bytes_are_those_of_the_vectors() -> None:
    ids = [bytes.fromhex(text) for text in VECTORS["ids"]]
    trie = Trie(bytes.fromhex(VECTORS["salt"]), ids)
    assert trie.digest(b"").hex() == VECTORS["root"]
    assert Trie(trie.salt, ids[:5]).digest(b"").hex() == VECTORS["leaf_root"]
    question = Question(trie.salt, (Query(b"", b""), Query(b"\x0a", trie.digest(b"\x0a"))))
    assert reconcile.encode_question(question).hex() == VECTORS["question"]
    assert reconcile.decode_question(bytes.fromhex(VECTORS["question"])) == question
    many = Query(b"", b"\x01" * 16)
    answers = reconcile.answer(trie, Question(trie.salt, (*question.queries, many)))
    assert [given.form for given in answers.answers] == [Form.IDS, Form.SAME, Form.CHILDREN]
    assert reconcile.encode_answers(answers).hex() == VECTORS["answers"]
    assert reconcile.decode_answers(bytes.fromhex(VECTORS["answers"])) == answers


def test_paths_that_somebody_invents_are_not_remembered() -> None:
    trie = Trie(bytes(32), [bytes([number]) * 32 for number in range(200)])
    trie.digest(b"")
    inner = len(trie._digests)
    for number in range(2_000):
        trie.digest(bytes((number >> shift) & 15 for shift in range(0, 128, 4)))
    assert len(trie._digests) == inner
