"""A class with a quick `__init__` is made, compared and refused as it was without."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, dataclass, field, fields, replace
from typing import Any

import pytest

from protocol.quick_init import quick_init, quick_replace


def kind() -> type[Any]:
    """A class with every kind of parameter."""

    @dataclass(frozen=True, slots=True)
    class Kind:
        name: str
        size_bytes: int = 7
        rows: list[int] = field(default_factory=list)
        note: str | None = field(default=None, kw_only=True)
        place: int = field(kw_only=True)

        def __post_init__(self) -> None:
            if self.size_bytes < 0:
                raise ValueError("a size below nothing")

    return Kind


PLAIN, QUICK = kind(), quick_init(kind())


@quick_init
@dataclass(frozen=True, slots=True)
class Short:
    """A class that another one comes from."""

    name: str
    size_bytes: int = 7
    rows: list[int] = field(default_factory=list)
    place: int = field(kw_only=True)


@quick_init
@dataclass(frozen=True, slots=True)
class Longer(Short):
    """With a field more."""

    count: int = 0


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind("a", place=1),
        lambda kind: kind("a", 2, [3], place=1),
        lambda kind: kind(name="a", rows=[1], note="b", place=1),
        lambda kind: replace(kind("a", place=1), size_bytes=9),
        lambda kind: copy.deepcopy(kind("a", place=1)),
    ],
)
def test_it_is_made_of_the_same_parameters(make: Callable[[type[Any]], Any]) -> None:
    plain, quick = make(PLAIN), make(QUICK)
    assert repr(quick) == repr(plain)
    assert quick == make(QUICK)


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind(place=1),
        lambda kind: kind("a"),
        lambda kind: kind("a", 1, [], "b", place=1),
        lambda kind: kind("a", other=1, place=1),
        lambda kind: kind("a", -1, place=1),
    ],
)
def test_it_refuses_the_same(make: Callable[[type[Any]], Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as plainly:
        make(PLAIN)
    with pytest.raises(plainly.type) as quickly:
        make(QUICK)
    assert str(quickly.value) == str(plainly.value)


def test_a_default_that_is_made_is_made_each_time() -> None:
    one, other = QUICK("a", place=1), QUICK("a", place=1)
    assert one.rows is not other.rows


def test_it_is_as_frozen_as_before() -> None:
    made = QUICK("a", place=1)
    with pytest.raises(FrozenInstanceError):
        made.name = "b"
    with pytest.raises((AttributeError, TypeError)):
        made.other = 1


def test_fields_of_the_class_that_it_comes_from_are_set_too() -> None:
    made = Longer("a", 2, [3], 4, place=1)
    assert (made.name, made.rows, made.count, made.place) == ("a", [3], 4, 1)


@dataclass(frozen=True)
class Loose:
    """Fields in a dictionary."""

    name: str


@dataclass(frozen=True, slots=True)
class Turned:
    """A parameter that is no field."""

    name: str
    ending: InitVar[str]

    def __post_init__(self, ending: str) -> None:
        object.__setattr__(self, "name", self.name + ending)


@dataclass(frozen=True, slots=True, init=False)
class Own:
    """Its own way to be made."""

    name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", name.upper())


@pytest.mark.parametrize("kind", [Loose, Turned, Own])
def test_a_class_of_another_make_is_left_as_it_is(kind: type[Loose] | type[Turned] | type[Own]) -> None:
    before = inspect.getattr_static(kind, "__init__")
    assert inspect.getattr_static(quick_init(kind), "__init__") is before


@dataclass(frozen=True, slots=True)
class One:
    """A class with a single field."""

    name: str


@pytest.mark.parametrize("value", [QUICK("a", 3, [1], place=2), One("a")])
def test_a_quick_replace_gives_what_a_replace_does(value: Any) -> None:
    name = fields(value)[0].name
    assert quick_replace(value, **{name: "b"}) == replace(value, **{name: "b"})
    with pytest.raises(TypeError):
        quick_replace(value, other=1)
