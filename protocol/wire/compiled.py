"""For each message class two functions of its own, written once, for messages that are as they should be.

Most messages are good, and to find that out field by field, by one call for each, is most of what a message costs.
Here all fields of plain types are judged in one expression, written out for the class. It says yes only to what the
walk of `protocol.wire.schema` would take as it is; about everything else, be it wrong or only rare (text that is not
ASCII), the walk is asked, which takes it or names what is wrong. So nothing depends on this but speed.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from protocol.ids import ID_BYTES

Check = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Length:
    """Bounds of a text or byte string in bytes, or of a tuple in items; both ends included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of an integer; both ends included."""

    least: int
    most: int


DEFAULT_LENGTH = Length(0, 1_024)
DEFAULT_RANGE = Range(0, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Codec:
    """How one field type goes to the wire and comes back; both raise on a value out of bounds."""

    pack: Check
    unpack: Check


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message class. `where` is how errors call it."""

    name: str
    hint: Any
    codec: Codec
    where: str


def compiled(kind: type, fields: Sequence[Field], version: int | None, walk: Codec) -> Codec:
    """The class's own functions, beside the walk that they fall back on."""
    known: dict[str, Any] = {"kind": kind, "walk_pack": walk.pack, "walk_unpack": walk.unpack}
    for number, field in enumerate(fields):
        known[f"pack_{number}"], known[f"unpack_{number}"] = field.codec.pack, field.codec.unpack
        known[f"where_{number}"] = field.where
    source = "\n".join([*_unpack_lines(fields, version), *_pack_lines(fields, version)])
    exec(compile(source, f"<{kind.__name__}>", "exec"), known)  # noqa: S102 - our own classes, nothing from outside
    return Codec(known["pack"], known["unpack"])


def _unpack_lines(fields: Sequence[Field], version: int | None) -> list[str]:
    names = [] if version is None else ["version"]
    names += [f"value_{number}" for number in range(len(fields))]
    conditions = [] if version is None else [f"type(version) is int and version == {version}"]
    conditions += _conditions(fields)
    items = [
        _turned("unpack", number, field.hint, "()")
        if _condition(field.hint, f"value_{number}") is None
        else f"value_{number}"
        for number, field in enumerate(fields)
    ]
    return [
        "def unpack(value, where):",
        f"    if type(value) is not tuple or len(value) != {len(names)}:",
        "        return walk_unpack(value, where)",
        f"    {', '.join(names)}, = value" if names else "",
        f"    if not ({' and '.join(conditions) or True}):",
        "        return walk_unpack(value, where)",
        f"    return kind({', '.join(items)})",
    ]


def _pack_lines(fields: Sequence[Field], version: int | None) -> list[str]:
    items = [] if version is None else [str(version)]
    for number, field in enumerate(fields):
        name = f"value_{number}"
        if _condition(field.hint, name) is None:
            items.append(_turned("pack", number, field.hint, "[]"))
        elif typing.get_origin(_bare(field.hint)) is tuple:
            items.append(f"list({name})")
        else:
            items.append(name)
    return [
        "def pack(message, where):",
        "    if type(message) is not kind:",
        "        return walk_pack(message, where)",
        *(f"    value_{number} = message.{field.name}" for number, field in enumerate(fields)),
        f"    if not ({' and '.join(_conditions(fields)) or True}):",
        "        return walk_pack(message, where)",
        f"    return [{', '.join(items)}]",
    ]


def _turned(way: str, number: int, hint: Any, nothing: str) -> str:
    """What a codec makes of a field. Where there is nothing for it to do, it is not called: of most messages most
    lists are empty, and most of what may be missing is."""
    name, turned = f"value_{number}", f"{way}_{number}(value_{number}, where_{number})"
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return f"None if {name} is None else {turned}"
    if typing.get_origin(_bare(hint)) is tuple and _length(typing.get_args(hint)).least == 0:
        return f"{turned} if {name} != () else {nothing}"
    return turned


def _conditions(fields: Sequence[Field]) -> list[str]:
    found = [_condition(field.hint, f"value_{number}") for number, field in enumerate(fields)]
    return [f"({condition})" for condition in found if condition is not None]


def _condition(hint: Any, name: str) -> str | None:
    """An expression that is true only of good values of a plain type; None where a codec has to turn the value."""
    bounds: tuple[Any, ...] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *extra = typing.get_args(hint)
        bounds = tuple(extra)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
        condition = _condition(Annotated[inner, *bounds] if bounds else inner, name)
        # A tuple is packed as a list, which None is not.
        plain = condition is not None and typing.get_origin(_bare(inner)) is not tuple
        return f"{name} is None or ({condition})" if plain else None
    if typing.get_origin(hint) is tuple:
        item = _condition(typing.get_args(hint)[0], "item")
        if item is None or typing.get_origin(_bare(typing.get_args(hint)[0])) is tuple:
            return None
        good = f"type({name}) is tuple and {_within(bounds, name)} and all([{item} for item in {name}])"
        return f"{name} == () or {good}" if _length(bounds).least == 0 else good
    return _plain_condition(hint, bounds, name)


def _plain_condition(hint: Any, bounds: tuple[Any, ...], name: str) -> str | None:
    if isinstance(hint, typing.NewType):
        return f"type({name}) is bytes and len({name}) == {ID_BYTES}"
    if hint is bool:
        return f"type({name}) is bool"
    if hint is int:
        allowed = next((bound for bound in bounds if isinstance(bound, Range)), DEFAULT_RANGE)
        return f"type({name}) is int and {allowed.least} <= {name} <= {allowed.most}"
    if hint is bytes:
        return f"type({name}) is bytes and {_within(bounds, name)}"
    if hint is str:
        return f"type({name}) is str and {name}.isascii() and {_within(bounds, name)}"
    return None


def _within(bounds: tuple[Any, ...], name: str) -> str:
    length = _length(bounds)
    return f"{length.least} <= len({name}) <= {length.most}"


def _length(bounds: tuple[Any, ...]) -> Length:
    return next((bound for bound in bounds if isinstance(bound, Length)), DEFAULT_LENGTH)


def _bare(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
