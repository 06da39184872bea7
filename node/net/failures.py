"""Errors across the wire: the same family and identifier at the asking end, marked as the peer's own word.

`except Refused` catches a refusal wherever it was made; `isinstance(error, RemoteError)` tells that the other end
made it, which matters for `Damaged` (its disk, not ours) and for whatever a liar may claim. What does not fit the
wire's bounds is cut, never refused: an error about an error helps nobody.
"""

from __future__ import annotations

from protocol.errors import (
    Damaged,
    Forged,
    MaillonError,
    Malformed,
    Missing,
    OverLimit,
    Parameter,
    Refused,
    Unavailable,
)
from protocol.ids import NodeId
from protocol.wire.envelopes import Failure, FailureParameter

_TEXT_BYTES_MAX = 512
_NAME_BYTES_MAX = 128
_RAW_BYTES_MAX = 256
_NAMES_MAX = 32
_PARAMETERS_MAX = 16


class RemoteError(MaillonError):
    """What a peer answered instead of an answer. `node` is who said it (None over the admin socket)."""

    node: NodeId | None = None


class RemoteMalformed(RemoteError, Malformed):
    """The peer could not read what we sent."""


class RemoteForged(RemoteError, Forged):
    """The peer found a signature or root of ours that does not match."""


class RemoteOverLimit(RemoteError, OverLimit):
    """The peer found what we sent too large or too much."""


class RemoteRefused(RemoteError, Refused):
    """A rule said no at the peer."""


class RemoteUnavailable(RemoteError, Unavailable):
    """The peer cannot do it now."""


class RemoteMissing(RemoteError, Missing):
    """The peer does not have it."""


class RemoteDamaged(RemoteError, Damaged):
    """The peer's own data or disk is damaged."""


_REMOTE: dict[str, type[RemoteError]] = {
    family.blame: family
    for family in (
        RemoteMalformed,
        RemoteForged,
        RemoteOverLimit,
        RemoteRefused,
        RemoteUnavailable,
        RemoteMissing,
        RemoteDamaged,
    )
}


def failure_of(error: MaillonError) -> Failure:
    """The wire's form of an error, cut to its bounds."""
    parameters = list(error.parameters.items())[:_PARAMETERS_MAX]
    return Failure(
        error.blame, _cut(error.identifier, 64), tuple(_parameter(name, value) for name, value in parameters)
    )


def error_of(failure: Failure, node: NodeId | None) -> RemoteError:
    """The error that `node` sent. A family of a later protocol counts as Unavailable: look elsewhere."""
    family = _REMOTE.get(failure.family, RemoteUnavailable)
    error = family(failure.identifier)
    error.parameters = {parameter.name: _value(parameter) for parameter in failure.parameters}
    error.args = (failure.identifier, error.parameters)
    error.node = node
    return error


def find_error(raised: BaseException) -> MaillonError | None:
    """The one named error in what a handler raised, also when a nursery wrapped it."""
    while isinstance(raised, BaseExceptionGroup) and len(raised.exceptions) == 1:
        raised = raised.exceptions[0]
    return raised if isinstance(raised, MaillonError) else None


def _parameter(name: str, value: Parameter) -> FailureParameter:
    text: str | None = None
    number: int | None = None
    raw: bytes | None = None
    names: tuple[str, ...] | None = None
    if isinstance(value, str):
        text = _cut(value, _TEXT_BYTES_MAX)
    elif isinstance(value, bytes):
        raw = value[:_RAW_BYTES_MAX]
    elif isinstance(value, int):
        number = max(-(2**63), min(2**63 - 1, int(value)))
    else:
        names = tuple(_cut(item, _NAME_BYTES_MAX) for item in value[:_NAMES_MAX])
    return FailureParameter(_cut(name, 64), text, number, raw, names)


def _value(parameter: FailureParameter) -> Parameter:
    for value in (parameter.text, parameter.number, parameter.raw, parameter.names):
        if value is not None:
            return value
    return ""


def _cut(text: str, size_bytes_max: int) -> str:
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= size_bytes_max else encoded[:size_bytes_max].decode("utf-8", "ignore")
