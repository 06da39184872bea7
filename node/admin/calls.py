"""How a node's owner asks: a command's name, its question, its answer.

Each is a wire message like those between nodes, because they travel in the same frames. Lists come in pages, so
that an answer stays within one message however large the federation is. Which commands there are stands beside:
`status_calls`, `member_calls`, `namespace_calls` and `object_calls`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, TypeVar

from protocol import limits
from protocol.kinds import EncodedMessage
from protocol.wire.schema import Length

Q = TypeVar("Q")
A = TypeVar("A")
PAGE_LINES = 50
NAMESPACE_LINES = 32
Name = Annotated[str, Length(0, limits.NAME_BYTES_MAX)]
Key = Annotated[str, Length(0, limits.KEY_BYTES_MAX)]
Text = Annotated[str, Length(0, 64 * limits.KIB)]
Lines = Length(0, PAGE_LINES)


@dataclass(frozen=True, slots=True)
class AdminCall:
    """The one message of kind ADMIN: a command's name and its encoded question."""

    WIRE_VERSION: ClassVar[int] = 1
    command: Annotated[str, Length(1, 64)]
    question: EncodedMessage


@dataclass(frozen=True, slots=True)
class Command(Generic[Q, A]):
    """A name with the types of its question and answer."""

    name: str
    question: type[Q]
    answer: type[A]


@dataclass(frozen=True, slots=True)
class Nothing:
    """The question of a command that needs no more than its name."""

    WIRE_VERSION: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Page:
    """From the `first` line on."""

    WIRE_VERSION: ClassVar[int] = 1
    first: int


@dataclass(frozen=True, slots=True)
class Done:
    WIRE_VERSION: ClassVar[int] = 1
