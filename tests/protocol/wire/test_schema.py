"""Messages as dataclasses: what exists may be sent, and what decodes is within every bound."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.ids import Digest, NodeId
from protocol.wire import canonical, schema
from protocol.wire.schema import Length, Range, Signature
from tests.support.vectors import load_vectors


class Colour(enum.IntEnum):
    RED = 1
    BLUE = 2


class Shape(enum.Enum):
    ROUND = "round"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Inner:
    flag: bool
    level: Annotated[int, Range(-5, 5)]


@dataclass(frozen=True, slots=True)
class Outer:
    WIRE_VERSION: ClassVar[int] = 3
    sender: NodeId
    title: Annotated[str, Length(1, 8)]
    counter: int
    colour: Colour
    shape: Shape
    inner: Inner
    maybe: Annotated[bytes, Length(2, 4)] | None
    digests: Annotated[tuple[Digest, ...], Length(0, 3)]
    many: Annotated[tuple[Inner, ...], Length(0, 2)]
    signature: Signature


INNERS = st.builds(Inner, st.booleans(), st.integers(-5, 5))
OUTERS = st.builds(
    Outer,
    sender=st.binary(min_size=32, max_size=32).map(NodeId),
    title=st.text(st.characters(codec="ascii"), min_size=1, max_size=8) | st.just("éàç"),
    counter=st.integers(0, 2**63 - 1),
    colour=st.sampled_from(Colour),
    shape=st.sampled_from(Shape),
    inner=INNERS,
    maybe=st.none() | st.binary(min_size=2, max_size=4),
    digests=st.lists(st.binary(min_size=32, max_size=32).map(Digest), max_size=3).map(tuple),
    many=st.lists(INNERS, max_size=2).map(tuple),
    signature=st.binary(min_size=64, max_size=64),
)

OUTER = Outer(
    sender=NodeId(bytes(range(32))),
    title="maillon",
    counter=258,
    colour=Colour.BLUE,
    shape=Shape.FLAT,
    inner=Inner(flag=True, level=-5),
    maybe=None,
    digests=(Digest(b"\x11" * 32),),
    many=(),
    signature=b"\x22" * 64,
)
FIELDS = (
    "version",
    "sender",
    "title",
    "counter",
    "colour",
    "shape",
    "inner",
    "maybe",
    "digests",
    "many",
    "signature",
)


@given(OUTERS)
def test_what_was_encoded_decodes_to_itself(message: Outer) -> None:
    assert schema.decode(Outer, schema.encode(message)) == message


@given(OUTERS, st.data())
@settings(max_examples=200)
def test_changed_bytes_are_refused_or_mean_something_else(message: Outer, data: st.DataObject) -> None:
    raw = bytearray(schema.encode(message))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        again = schema.decode(Outer, bytes(raw))
    except MaillonError:
        return
    assert again != message
    assert schema.encode(again) == raw


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.binary(max_size=3), lambda v: st.lists(v).map(tuple)
    )
)
def test_any_other_value_is_refused(value: Any) -> None:
    for kind in (Outer, Inner):
        try:
            message: object = schema.decode(kind, canonical.encode(value))
        except MaillonError:
            continue
        assert schema.encode(message) == canonical.encode(value)


@pytest.mark.parametrize(
    ("field", "value", "identifier"),
    [
        ("version", 2, "message-version"),
        ("version", None, "message-version"),
        ("sender", bytes(31), "message-field"),
        ("sender", bytes(33), "message-field-size"),
        ("sender", "a" * 32, "message-field"),
        ("title", "", "message-field"),
        ("title", "éàçéàç", "message-field-size"),
        ("title", b"abc", "message-field"),
        ("counter", -1, "message-field"),
        ("counter", 2**63, "message-field"),
        ("counter", True, "message-field"),
        ("colour", 3, "message-field"),
        ("colour", True, "message-field"),
        ("colour", (), "message-field"),
        ("shape", "square", "message-field"),
        ("shape", {}, "message-field"),
        ("inner", (True,), "message-field"),
        ("inner", (1, 0), "message-field"),
        ("inner", (True, 6), "message-field"),
        ("inner", None, "message-field"),
        ("maybe", b"1", "message-field"),
        ("maybe", b"12345", "message-field-size"),
        ("digests", (b"\x11" * 32,) * 4, "message-field-size"),
        ("digests", (b"\x11" * 31,), "message-field"),
        ("digests", b"\x11" * 32, "message-field"),
        ("many", ((True, 0), (True, 9)), "message-field"),
        ("signature", bytes(63), "message-field"),
    ],
)
def test_a_field_out_of_its_bounds_is_refused(field: str, value: Any, identifier: str) -> None:
    items: list[Any] = list(canonical.decode(schema.encode(OUTER)))  # type: ignore[arg-type]
    items[FIELDS.index(field)] = value
    with pytest.raises((Malformed, OverLimit)) as refused:
        schema.decode(Outer, canonical.encode(tuple(items)))
    assert refused.value.identifier == identifier


def test_a_version_that_only_equals_ours_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class First:
        WIRE_VERSION: ClassVar[int] = 1

    assert schema.decode(First, canonical.encode((1,))) == First()
    with pytest.raises(Malformed):
        schema.decode(First, canonical.encode((True,)))


@pytest.mark.parametrize("extra", [(), (0,)])
def test_too_few_or_too_many_fields_are_refused(extra: tuple[int, ...]) -> None:
    items: Any = canonical.decode(schema.encode(OUTER))
    with pytest.raises(Malformed):
        schema.decode(Outer, canonical.encode((*items[:-1], *extra, *extra)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("counter", -1),
        ("title", ""),
        ("title", "\ud800"),
        ("colour", 1),
        ("shape", "flat"),
        ("inner", None),
        ("inner", OUTER),
        ("digests", [Digest(bytes(32))]),
        ("sender", bytearray(32)),
    ],
)
def test_a_value_out_of_bounds_cannot_be_encoded(field: str, value: Any) -> None:
    values = {name: getattr(OUTER, name) for name in FIELDS[1:]} | {field: value}
    with pytest.raises(Malformed):
        schema.encode(Outer(**values))


def test_a_message_over_the_size_asked_for_is_refused() -> None:
    raw = schema.encode(OUTER)
    assert schema.decode(Outer, raw, size_bytes_max=len(raw)) == OUTER
    with pytest.raises(OverLimit):
        schema.decode(Outer, raw, size_bytes_max=len(raw) - 1)


def test_a_class_that_the_wire_cannot_carry_is_a_programming_error() -> None:
    @dataclass(frozen=True, slots=True)
    class Pair:
        both: tuple[int, int]

    with pytest.raises((TypeError, NameError)):
        schema.encode(Pair((1, 2)))


def test_vector() -> None:
    assert schema.encode(OUTER).hex() == load_vectors("canonical")["message"]["bytes"]


@given(st.binary(max_size=120))
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    with pytest.raises(MaillonError):
        schema.decode(Outer, raw)
