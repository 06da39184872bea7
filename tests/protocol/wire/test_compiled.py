"""A class's own functions take what is good without asking the walk, and ask it about everything else."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest

from protocol.ids import NodeId
from protocol.wire.compiled import Codec, Field, Length, Range, compiled

VERSION = 2


@dataclass(frozen=True, slots=True)
class Everything:
    WIRE_VERSION: ClassVar[int] = VERSION
    flag: bool
    level: Annotated[int, Range(-5, 5)]
    counter: int
    raw: Annotated[bytes, Length(1, 3)]
    text: Annotated[str, Length(1, 3)]
    node: NodeId
    nodes: Annotated[tuple[NodeId, ...], Length(0, 2)]
    names: Annotated[tuple[Annotated[str, Length(1, 3)], ...], Length(0, 2)]
    maybe_level: Annotated[int, Range(1, 9)] | None
    maybe_nodes: tuple[NodeId, ...] | None
    turned: complex
    several: Annotated[tuple[complex, ...], Length(0, 2)]
    some: Annotated[tuple[complex, ...], Length(1, 2)]


GOOD: dict[str, Any] = {
    "flag": True,
    "level": -5,
    "counter": 0,
    "raw": b"abc",
    "text": "abc",
    "node": bytes(32),
    "nodes": (bytes(32), bytes(32)),
    "names": ("a", "abc"),
    "maybe_level": None,
    "maybe_nodes": None,
    "turned": "there",
    "several": ("there",),
    "some": (),
}


class Asked(Exception):
    """The walk was asked."""


def _asked(_value: Any, _where: str) -> Any:
    raise Asked


def _codec() -> Codec:
    """The class's functions; what only a codec can turn is marked by it, so that it shows."""
    hints = typing.get_type_hints(Everything, include_extras=True)
    turn = Codec(lambda value, where: [value, where], lambda value, where: (value, where))
    fields = [Field(one.name, hints[one.name], turn, f"at.{one.name}") for one in dataclasses.fields(Everything)]
    return compiled(Everything, fields, VERSION, Codec(_asked, _asked))


def _unpacked(**changed: Any) -> Any:
    return _codec().unpack((VERSION, *(GOOD | changed).values()), "at")


def _packed(**changed: Any) -> Any:
    return _codec().pack(Everything(**(GOOD | changed)), "at")


def test_good_values_are_taken_as_they_are_and_others_turned_by_their_codecs() -> None:
    turned = {name: (GOOD[name], f"at.{name}") for name in ("turned", "several", "some")}
    assert _unpacked() == Everything(**(GOOD | turned))
    assert _packed() == [
        VERSION, True, -5, 0, b"abc", "abc", bytes(32), [bytes(32), bytes(32)], ["a", "abc"], None,
        None, ["there", "at.turned"], [("there",), "at.several"], [(), "at.some"],
    ]  # fmt: skip


def test_no_codec_is_asked_about_nothing() -> None:
    assert _unpacked(several=()).several == ()
    assert _packed(several=())[-2] == []
    assert _unpacked(maybe_nodes=(bytes(32),)).maybe_nodes == ((bytes(32),), "at.maybe_nodes")
    assert _packed(maybe_nodes=(bytes(32),))[10] == [(bytes(32),), "at.maybe_nodes"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("flag", 1),
        ("level", -6),
        ("level", 6),
        ("level", True),
        ("counter", -1),
        ("counter", 2**63),
        ("raw", b""),
        ("raw", b"abcd"),
        ("raw", "abc"),
        ("raw", bytearray(b"abc")),
        ("text", ""),
        ("text", "abcd"),
        ("text", "é"),
        ("text", b"abc"),
        ("node", bytes(31)),
        ("node", bytes(33)),
        ("node", "a" * 32),
        ("nodes", (bytes(32),) * 3),
        ("nodes", (bytes(31),)),
        ("nodes", [bytes(32)]),
        ("names", ("",)),
        ("names", ("abcd",)),
        ("names", (None,)),
        ("maybe_level", 0),
        ("maybe_level", 10),
        ("maybe_level", False),
    ],
)
def test_the_walk_is_asked_about_any_other(field: str, value: Any) -> None:
    with pytest.raises(Asked):
        _unpacked(**{field: value})
    with pytest.raises(Asked):
        _packed(**{field: value})


@pytest.mark.parametrize(
    "value", [None, (), [VERSION, *GOOD.values()], (VERSION,), (3, *GOOD.values()), (2.0, *GOOD.values())]
)
def test_the_walk_is_asked_about_what_is_no_such_message(value: Any) -> None:
    with pytest.raises(Asked):
        _codec().unpack(value, "at")
    with pytest.raises(Asked):
        _codec().pack(value, "at")


def test_a_class_without_fields_or_version_is_an_empty_array() -> None:
    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    codec = compiled(Nothing, (), None, Codec(_asked, _asked))
    assert codec.pack(Nothing(), "at") == []
    assert codec.unpack((), "at") == Nothing()
    with pytest.raises(Asked):
        codec.unpack((1,), "at")
