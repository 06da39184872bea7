"""What a client of the soak asks of the door, in the same words whichever program asks it.

Retries are part of the client, as they are of every SDK: a connection that breaks, a server that says 5xx or slow
down, each is asked again after a drawn wait that doubles, so many times. What is left after the last attempt is the
error that the soak looks for (`Unabsorbed`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

# For boto3's standard mode, whose waits after a broken connection are drawn from [0, 0.05 * 2^n) seconds: so many
# last half a minute. Those of the lean client are drawn from [0, 2^n), as those of older SDKs are.
ATTEMPTS = 12
WAIT_S_MAX = 20.0
READ_TIMEOUT_S = 60.0
BUCKET = "soak"
OK, PARTIAL, MISSING, CONDITION_FAILED = 200, 206, 404, 412


class Unabsorbed(Exception):
    """An error that the client's own retries did not absorb."""


@dataclass(frozen=True, slots=True)
class Found:
    """How the door answered, and what it gave."""

    status: int
    etag: str = ""
    body: bytes = b""
    size_bytes: int = 0
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a listing."""

    key: str
    etag: str
    size_bytes: int


@dataclass(slots=True)
class Tally:
    """What all clients met: how many attempts requests took, and why the earlier ones failed."""

    attempts: Counter[int] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)


class Store(Protocol):
    """One client. Answers 404 and 412 are answers; anything else that is not good raises Unabsorbed."""

    async def put(self, key: str, data: bytes, *, if_match: str = "", if_none_match: bool = False) -> Found: ...

    async def get(self, key: str, part: tuple[int, int] | None = None) -> Found: ...

    async def head(self, key: str) -> Found: ...

    async def delete(self, key: str) -> None: ...

    async def copy(self, source: str, key: str) -> Found: ...

    async def upload(self, key: str, parts: list[bytes]) -> Found: ...

    async def list(self, prefix: str) -> list[Listed]: ...
