"""The one tree of errors.

An error is an identifier and its parameters, never a sentence: sentences are made once, in the reader's
language, by whoever shows them (``node.text``). The class says what the caller can do about it, as in h11:
refuse the peer (`Malformed`, `Forged`, `OverLimit`), tell the user which rule said no (`Refused`), wait or
look elsewhere (`Unavailable`, `Missing`), or stop and call a human (`Damaged`).
"""

from __future__ import annotations

from typing import ClassVar

Parameter = str | int | bytes | tuple[str, ...]


class MaillonError(Exception):
    """Something went wrong that has a name.

    `identifier` is stable (documented in docs/protocol.md and sent over the wire); `parameters` say to what
    it happened: text, integers, ids as bytes, or lists of names.
    """

    blame: ClassVar[str] = "error"

    def __init__(self, identifier: str, **parameters: Parameter) -> None:
        super().__init__(identifier, parameters)
        self.identifier = identifier
        self.parameters = parameters

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in self.parameters.items())
        return f"{self.identifier}({shown})"


class Malformed(MaillonError):
    """Bytes that break a format. Whoever sent them is broken or hostile."""

    blame = "malformed"


class Forged(MaillonError):
    """A signature, root, path or seal that does not match what it vouches for."""

    blame = "forged"


class OverLimit(MaillonError):
    """Input over a bound of `protocol.limits`, refused before memory was spent on it."""

    blame = "over-limit"


class Refused(MaillonError):
    """A rule of the federation says no: not admitted, not allowed there, already used."""

    blame = "refused"


class Unavailable(MaillonError):
    """Not now: too few nodes, no answer in time, no space. Trying later can help."""

    blame = "unavailable"


class Missing(MaillonError):
    """What was asked for is not here."""

    blame = "missing"


class Damaged(MaillonError):
    """Our own data is not what we wrote, or a disk refused: other copies must serve."""

    blame = "damaged"


def _shown(value: Parameter) -> str:
    return value.hex()[:16] if isinstance(value, bytes) else str(value)
