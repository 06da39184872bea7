"""Wire messages as frozen dataclasses: the class is the schema.

A message is a canonical array of its fields in order, opened by the version of its format where the class
declares one (``WIRE_VERSION``). Types and bounds are checked both ways, so a value that exists is a value that
may be sent, and bytes that decode are within every bound. Supported field types: bool, int, str, bytes, the
32-byte ids of `protocol.ids`, enums, optional fields, tuples of one type, and other message classes. Bounds
stand in the annotation::

    @dataclass(frozen=True, slots=True)
    class Greeting:
        WIRE_VERSION: ClassVar[int] = 1
        sender: NodeId                                    # exactly 32 bytes
        text: Annotated[str, Length(0, 128)]              # bytes of UTF-8
        counter: Annotated[int, Range(0, 2**63 - 1)]
        replies: Annotated[tuple[Digest, ...], Length(0, 16)]

Unannotated integers are unsigned 63-bit; unannotated text and bytes are bounded by `DEFAULT_LENGTH`.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from functools import cache
from typing import Annotated, Any, TypeVar

from protocol.errors import Malformed, OverLimit
from protocol.ids import ID_BYTES, SIGNATURE_BYTES
from protocol.limits import MESSAGE_BYTES_MAX
from protocol.quick_init import quick_init
from protocol.wire import canonical
from protocol.wire.canonical import Value
from protocol.wire.compiled import DEFAULT_LENGTH, DEFAULT_RANGE, Codec, Field, Length, Range, compiled

__all__ = ["Length", "Range", "Signature", "decode", "encode", "from_wire", "to_wire"]

T = TypeVar("T")

Signature = Annotated[bytes, Length(SIGNATURE_BYTES, SIGNATURE_BYTES)]


def encode(message: object) -> bytes:
    """Canonical bytes of a message. Raises Malformed or OverLimit for a value that its class does not allow."""
    return canonical.encode_plain(to_wire(message))


def decode(kind: type[T], data: bytes | bytearray | memoryview, *, size_bytes_max: int = MESSAGE_BYTES_MAX) -> T:
    """The message of class `kind` in `data`.

    Raises:
        Malformed, OverLimit: not canonical, of another version, or out of the bounds of `kind`.
    """
    return from_wire(kind, canonical.decode(data, size_bytes_max=size_bytes_max))


def to_wire(message: object) -> Value:
    """The message as plain values, ready to stand inside another one."""
    kind: Any = type(message)
    packed: Value = _message_codec(kind).pack(message, kind.__name__)
    return packed


def from_wire(kind: type[T], value: Value) -> T:
    """The message of class `kind` that `to_wire` turned into `value`."""
    hashable: Any = kind
    message: T = _message_codec(hashable).unpack(value, kind.__name__)
    return message


@cache
def _message_codec(kind: Any) -> Codec:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = tuple(
        Field(field.name, hints[field.name], _codec(hints[field.name]), f"{kind.__name__}.{field.name}")
        for field in dataclasses.fields(kind)
    )
    version: int | None = getattr(kind, "WIRE_VERSION", None)
    opening = [] if version is None else [version]
    width = len(opening) + len(fields)
    quick_init(kind)

    def pack(message: Any, where: str) -> Value:
        if type(message) is not kind:
            raise Malformed("message-field", field=where)
        return opening + [field.codec.pack(getattr(message, field.name), field.where) for field in fields]

    def unpack(value: Any, where: str) -> Any:
        # By type as well: `True` equals 1, and a message must have one encoding only.
        found = value[0] if isinstance(value, tuple) and value and type(value[0]) is int else -1
        if opening and found != version:
            raise Malformed("message-version", message=kind.__name__, version=found)
        if not isinstance(value, tuple) or len(value) != width:
            raise Malformed("message-field", field=where)
        items = zip(fields, value[len(opening) :], strict=True)
        return kind(*[field.codec.unpack(item, field.where) for field, item in items])

    return compiled(kind, fields, version, Codec(pack, unpack))


def _codec(hint: Any, bounds: tuple[Length | Range, ...] = ()) -> Codec:
    if typing.get_origin(hint) is Annotated:
        inner, *extra = typing.get_args(hint)
        return _codec(inner, tuple(bound for bound in extra if isinstance(bound, Length | Range)))
    if isinstance(hint, typing.NewType):
        return _bytes_codec(Length(ID_BYTES, ID_BYTES))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _optional_codec(hint, bounds)
    if typing.get_origin(hint) is tuple:
        item, *rest = typing.get_args(hint)
        if rest != [...]:
            raise TypeError("a field may be a tuple of one type only: tuple[T, ...]")
        return _tuple_codec(_codec(item), _length(bounds))
    if hint is bool:
        return _bool_codec()
    if hint is int:
        return _int_codec(next((bound for bound in bounds if isinstance(bound, Range)), DEFAULT_RANGE))
    if hint is bytes:
        return _bytes_codec(_length(bounds))
    if hint is str:
        return _text_codec(_length(bounds))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum_codec(hint)
    return _message_codec(hint)


def _length(bounds: tuple[Length | Range, ...]) -> Length:
    return next((bound for bound in bounds if isinstance(bound, Length)), DEFAULT_LENGTH)


def _within(size: int, length: Length, where: str) -> None:
    if size > length.most:
        raise OverLimit("message-field-size", field=where, size=size, limit=length.most)
    if size < length.least:
        raise Malformed("message-field", field=where)


def _bool_codec() -> Codec:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, bool):
            raise Malformed("message-field", field=where)
        return value

    return Codec(check, check)


def _int_codec(allowed: Range) -> Codec:
    def check(value: Any, where: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Malformed("message-field", field=where)
        if not allowed.least <= value <= allowed.most:
            raise Malformed("message-field", field=where)
        return value

    return Codec(check, check)


def _bytes_codec(length: Length) -> Codec:
    least, most = length.least, length.most

    def check(value: Any, where: str) -> Any:
        if not isinstance(value, bytes):
            raise Malformed("message-field", field=where)
        if not least <= len(value) <= most:
            _within(len(value), length, where)
        return value

    return Codec(check, check)


def _text_codec(length: Length) -> Codec:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, str):
            raise Malformed("message-field", field=where)
        try:
            size = len(value.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise Malformed("message-field", field=where) from error
        _within(size, length, where)
        return value

    return Codec(check, check)


def _enum_codec(kind: type[enum.Enum]) -> Codec:
    # By type as well: `True` equals 1, and a message must have one encoding only.
    members = {(type(member.value), member.value): member for member in kind}

    def pack(member: Any, where: str) -> Value:
        if not isinstance(member, kind):
            raise Malformed("message-field", field=where)
        value: Value = member.value
        return value

    def unpack(value: Any, where: str) -> Any:
        member = members.get((type(value), value)) if isinstance(value, int | str | bytes) else None
        if member is None:
            raise Malformed("message-field", field=where)
        return member

    return Codec(pack, unpack)


def _optional_codec(hint: Any, bounds: tuple[Length | Range, ...]) -> Codec:
    (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
    codec = _codec(inner, bounds)

    def pack(value: Any, where: str) -> Any:
        return None if value is None else codec.pack(value, where)

    def unpack(value: Any, where: str) -> Any:
        return None if value is None else codec.unpack(value, where)

    return Codec(pack, unpack)


def _tuple_codec(item: Codec, length: Length) -> Codec:
    def pack(value: Any, where: str) -> Any:
        if not isinstance(value, tuple):
            raise Malformed("message-field", field=where)
        _within(len(value), length, where)
        pack_item = item.pack
        return [pack_item(part, where) for part in value]

    def unpack(value: Any, where: str) -> Any:
        if not isinstance(value, tuple):
            raise Malformed("message-field", field=where)
        _within(len(value), length, where)
        unpack_item = item.unpack
        return tuple([unpack_item(part, where) for part in value])

    return Codec(pack, unpack)
