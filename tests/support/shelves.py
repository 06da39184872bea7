"""A namespace's shelf at a gateway with other members around, for one test."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import pytest

from node.vault.objects import ObjectStat
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import ByteRange, Checksum, Finish, PutTerms
from protocol.errors import MaillonError
from tests.support.clients import BytesSink, BytesSource
from tests.support.township import Township, in_a_township

B = "photos"


def at_a_shelf(work: Callable[[Township, Shelf], Awaitable[None]], *, size: int = 3) -> None:
    async def main(town: Township) -> None:
        await town.settle(size)
        await town.on(1, lambda services: work(town, services.vault.shelf("photos")))

    in_a_township(main)


async def refused(awaitable: Awaitable[object]) -> str:
    """By which error."""
    with pytest.raises(MaillonError) as caught:
        await awaitable
    return caught.value.identifier


def finishing(data: bytes, *, etag: str = "") -> PutTerms:
    async def finish() -> Finish:
        return Finish(etag or hashlib.md5(data).hexdigest(), (Checksum("CRC32", b"1234"),))

    return PutTerms(finish=finish)


async def put_into(shelf: Shelf, key: str, data: bytes = b"", terms: PutTerms | None = None) -> ObjectStat:
    source = BytesSource(data)
    return await shelf.objects.put(B, key, source, terms or PutTerms(), expected_bytes=len(data))


async def get_from(shelf: Shelf, key: str, version: bytes | None = None, part: ByteRange | None = None) -> bytes:
    sink = BytesSink()
    await shelf.objects.get(B, key, sink, version=version, part=part)
    return bytes(sink.data)
