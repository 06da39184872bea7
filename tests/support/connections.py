"""Two proven ends of a connection in one test."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar

import trio

from node.host.ports import Stream
from node.net.connection import Connection, Handler, accept, connect
from node.net.identity import Credentials, Gate
from node.net.settings import NetSettings
from protocol.ids import FederationId, NodeId
from protocol.keys.signing import SigningKey
from protocol.wire.envelopes import Role
from protocol.wire.schema import Length
from tests.support.streams import stream_pair

FEDERATION = FederationId(b"F" * 32)
ALICE = SigningKey.from_seed(b"a" * 32)
BOB = SigningKey.from_seed(b"b" * 32)
DOOR = frozenset({Role.NODE, Role.JOINER})
SETTINGS = NetSettings()


class Numbers:
    """Entropy for tests: different every time, the same in every run."""

    def __init__(self, seed: bytes = b"") -> None:
        self.seed = seed
        self.drawn = 0

    def random_bytes(self, size: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_128(self.seed + self.drawn.to_bytes(8, "big")).digest(size)


@dataclass(frozen=True, slots=True)
class Say:
    """A message for tests."""

    WIRE_VERSION: ClassVar[int] = 1
    text: Annotated[str, Length(0, 400_000)]


def credentials(key: SigningKey, role: Role = Role.NODE, federation: FederationId = FEDERATION) -> Credentials:
    return Credentials(role, federation, key)


def let_in(_role: Role, _node: NodeId) -> None:
    """A gate for tests that are about something else."""


async def no_handler(_exchange: object) -> None:
    raise AssertionError("nobody should ask here")


@asynccontextmanager
async def connected(
    handler: Handler,
    *,
    asked_back: Handler = no_handler,
    streams: tuple[Stream, Stream] | None = None,
    settings: NetSettings = SETTINGS,
    role: Role = Role.NODE,
    gate: Gate = let_in,
    key: SigningKey = ALICE,
) -> AsyncIterator[tuple[Connection, Connection]]:
    """The dialling end and the accepting end, both running; `handler` serves what the dialling end asks."""
    ours, theirs = streams or stream_pair()
    ends: dict[str, Connection] = {}

    async def dial() -> None:
        ends["dialled"] = await connect(
            ours,
            credentials(key, role),
            expected=NodeId(BOB.public),
            gate=let_in,
            handler=asked_back,
            entropy=Numbers(b"dial"),
            settings=settings,
        )

    async def answer() -> None:
        ends["accepted"] = await accept(
            theirs,
            credentials(BOB),
            roles=DOOR,
            gate=gate,
            handler=handler,
            entropy=Numbers(b"accept"),
            settings=settings,
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial)
        nursery.start_soon(answer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends["dialled"].run)
        nursery.start_soon(ends["accepted"].run)
        yield ends["dialled"], ends["accepted"]
        ends["dialled"].close()
        ends["accepted"].close()
