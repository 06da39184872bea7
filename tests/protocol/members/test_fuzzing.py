"""Members that sign nonsense: whatever a well signed body holds, the view answers with a named error or keeps it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import MaillonError
from protocol.keys.signing import SigningKey
from protocol.members.records import PROVEN_BY_CONTENT, Record, encode_record, sign_record
from protocol.members.view import View
from protocol.wire import canonical
from tests.support.federations import Org, admission, federate, found, joining, namespace_card, node_key, seed

A, B, C, D, E = (Org(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon"))

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.text(max_size=8),
    st.binary(max_size=40),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=64, max_size=64),
)
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


@cache
def _signers() -> dict[bytes, SigningKey]:
    keys = [org.key for org in (A, B, C, D, E)] + [node_key(name) for name in ("alpha", "beta", "gamma", "delta")]
    keys += [node_key("epsilon"), SigningKey.from_seed(seed("writer files"))]
    return {key.public: key for key in keys}


@cache
def _said() -> tuple[Record, ...]:
    """Good records of every kind."""
    view, records = found(A)
    records += federate(view, [A, B, C, D])
    records += joining(view.federation, B, E)
    view.admit_all(records)
    motion = view.motion(admission(E))
    records += [A.propose(view.federation, motion), A.ballot(view.federation, motion)]
    records += [namespace_card(view.federation, A, "alpha", "files")]
    view.admit_all(records)
    view.admit(A.node_card(view.federation, "alpha", counter=7))
    view.admit(A.node_card(view.federation, "alpha", counter=7, address="other:1"))
    return tuple(view.records())


def _view() -> View:
    view = View(_said()[0].federation)
    view.admit_all(_said())
    return view


def _changed(value: Any, data: st.DataObject) -> Any:
    """The value with one part, at any depth, replaced, left out or doubled."""
    if not isinstance(value, tuple) or not value or data.draw(st.booleans()):
        return data.draw(_VALUES)
    place = data.draw(st.integers(0, len(value) - 1))
    action = data.draw(st.sampled_from(["change", "change", "change", "leave out", "double"]))
    middle = {"change": (value[place],), "leave out": (), "double": (value[place], value[place])}[action]
    if action == "change":
        middle = (_changed(value[place], data),)
    return (*value[:place], *middle, *value[place + 1 :])


@settings(max_examples=70, deadline=None)
@given(data=st.data())
def test_a_body_with_anything_in_it(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(_said()))
    body = canonical.encode(_changed(canonical.decode(record.body), data))
    counter = data.draw(st.sampled_from([record.counter, record.counter + 1]))
    if record.kind in PROVEN_BY_CONTENT:
        hostile = replace(record, counter=counter, body=body)
    else:
        key = _signers()[record.author]
        hostile = sign_record(key, record.federation, record.kind, counter, record.subject, body)
    view = _view()
    before = view.chain
    try:
        view.admit(hostile)
    except MaillonError as error:
        assert error.identifier
    # One member alone decides nothing here, whatever it signs.
    assert view.chain == before
    assert len(view.nodes()) <= 5
    for one in view.records():
        encode_record(one)


def test_the_records_to_start_from_are_of_all_kinds() -> None:
    assert {record.kind for record in _said()} == set(range(1, 10))
