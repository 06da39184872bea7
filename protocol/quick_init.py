"""Making a frozen value in half the time.

The `__init__` of a frozen dataclass sets each field by `object.__setattr__`, which looks the field up by its name:
ten fields cost as much as two dozen calls. With slots every field has a descriptor of its own, which can be called
directly. That is all that differs here: the same parameters, defaults and `__post_init__`, and the value is as frozen
afterwards as it was. It is for values that are made for every request or message by the dozen; a message class gets
it when `protocol.wire.schema` first meets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import cache
from inspect import signature
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


def quick_init(kind: type[T]) -> type[T]:
    """The same class, a frozen dataclass with slots, with a quicker `__init__`; one of another make as it was."""
    told: Any = kind
    every = fields(told)
    known = {one.name for one in every} == signature(kind).parameters.keys()  # an `InitVar` is no field
    is_plain = told.__dataclass_params__.init and known
    has_slots = all(hasattr(getattr(kind, one.name, None), "__set__") for one in every)
    if is_plain and has_slots and all(one.init for one in every):
        setattr(kind, "__init__", _init_of(kind, every))  # noqa: B010 - mypy knows that a class has its own
    return kind


def quick_replace(value: T, **others: object) -> T:
    """As `dataclasses.replace`, which looks at each field in turn: the same value, but for these fields."""
    kind: Any = type(value)
    names, read = _reader(kind)
    replaced: T = kind(**dict(zip(names, read(value), strict=True)) | others)
    return replaced


@cache
def _reader(kind: type) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    """The names of the fields that a value is made of, and what reads them all at once."""
    names = tuple(one.name for one in fields(kind) if one.init)
    read = attrgetter(*names)
    return names, read if len(names) > 1 else lambda value: (read(value),)


def _init_of(kind: type, every: tuple[Field[Any], ...]) -> Callable[..., None]:
    known: dict[str, Any] = {"MISSING": MISSING}
    ordered, by_name, lines = ["self"], list[str](), list[str]()
    for number, one in enumerate(every):
        known[f"set_{number}"] = getattr(kind, one.name).__set__
        parameter = value = one.name
        if one.default is not MISSING:
            known[f"default_{number}"], parameter = one.default, f"{one.name}=default_{number}"
        elif one.default_factory is not MISSING:
            known[f"make_{number}"], parameter = one.default_factory, f"{one.name}=MISSING"
            value = f"make_{number}() if {one.name} is MISSING else {one.name}"
        (by_name if one.kw_only else ordered).append(parameter)
        lines.append(f"    set_{number}(self, {value})")
    if hasattr(kind, "__post_init__"):
        lines.append("    self.__post_init__()")
    parameters = ", ".join([*ordered, *(["*", *by_name] if by_name else [])])
    source = "\n".join([f"def __init__({parameters}):", *(lines or ["    pass"])])
    exec(compile(source, f"<{kind.__name__}>", "exec"), known)  # noqa: S102 - names of our own fields, nothing else
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    return made
