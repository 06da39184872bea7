"""A class with a quick `__init__` is made, compared and refused as it was without."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, dataclass, field, replace

import pytest

from protocol.quick_init import quick_init


@dataclass(frozen=True, slots=True)
class Plain:
    """Every kind of parameter."""

    name: str
    size_bytes: int = 7
    rows: list[int] = field(default_factory=list)
    note: str | None = field(default=None, kw_only=True)
    place: int = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            raise ValueError("a size below nothing")


@quick_init
@dataclass(frozen=True, slots=True)
class Quick:
    """The same."""

    name: str
    size_bytes: int = 7
    rows: list[int] = field(default_factory=list)
    note: str | None = field(default=None, kw_only=True)
    place: int = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            raise ValueError("a size below nothing")


@quick_init
@dataclass(frozen=True, slots=True)
class Longer(Quick):
    """With a field more than the class that it comes from."""

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
def test_it_is_made_of_the_same_parameters(make: Callable[[type[Plain] | type[Quick]], Plain | Quick]) -> None:
    plain, quick = make(Plain), make(Quick)
    assert repr(quick) == repr(plain).replace("Plain", "Quick")
    assert quick == make(Quick)


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
def test_it_refuses_the_same(make: Callable[[type[Plain] | type[Quick]], Plain | Quick]) -> None:
    with pytest.raises((TypeError, ValueError)) as plainly:
        make(Plain)
    with pytest.raises(plainly.type) as quickly:
        make(Quick)
    assert str(quickly.value) == str(plainly.value).replace("Plain", "Quick")


def test_a_default_that_is_made_is_made_each_time() -> None:
    one, other = Quick("a", place=1), Quick("a", place=1)
    assert one.rows is not other.rows


def test_it_is_as_frozen_as_before() -> None:
    made = Quick("a", place=1)
    with pytest.raises(FrozenInstanceError):
        made.name = "b"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        made.other = 1  # type: ignore[attr-defined]


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
