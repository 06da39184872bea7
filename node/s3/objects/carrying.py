"""Copies whose bytes pass through the gateway: out of another namespace, out of or under a client's key, or to be
hashed by another algorithm.

Between namespaces no block is shared: each has keys of its own, and what one releases the other may still need. So
the bytes are read as a reader would read them, and written as a writer would write them, a few blocks at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from node.host.ports import Threads
from node.s3.calls.call import Call
from node.s3.objects.customer_keys import Shown, all_parts, customer_key
from node.s3.objects.sources import Origin
from node.s3.signing.bodies import update_aside
from node.s3.texts import checksums, faults
from node.s3.texts.checksums import Algorithm, Type, kept, running, running_md5
from node.s3.texts.faults import S3Error
from node.vault.objects import ObjectStat, Source
from node.vault.shelf.terms import ByteRange, Finish
from protocol.limits import PART_BYTES_MAX


def algorithm_for(call: Call, found: ObjectStat) -> Algorithm | None:
    """The checksum that the copy is to have: the one that is asked for, or else of the source's algorithm.

    Raises:
        S3Error: InvalidRequest.
    """
    asked = call.request.headers.get("x-amz-checksum-algorithm")
    if asked is not None:
        if asked.upper() not in Algorithm.__members__:
            raise S3Error(faults.INVALID_REQUEST, "Checksum algorithm provided is unsupported.")
        return Algorithm[asked.upper()]
    known = _algorithms(found)
    return known[0] if known else None


def _algorithms(found: ObjectStat) -> list[Algorithm]:
    return [checksums.shown(one, found.etag).algorithm for one in found.checksums]


def must_be_carried(call: Call, origin: Origin, algorithm: Algorithm | None = None) -> bool:
    """Whether the copy cannot simply name the source's blocks."""
    after, found = customer_key(call.request), origin.found
    if (None if origin.key is None else origin.key.key) != (None if after is None else after.key):
        return True
    is_in_parts = origin.key is not None and bool(found.part_count)  # which a copy would not know of any more
    is_other = algorithm is not None and algorithm not in _algorithms(found)
    return is_in_parts or is_other or not origin.is_in(call.shelf)


class Carried:
    """The bytes of a source as their owner wrote them, counted on their way."""

    def __init__(self, source: Source, shown: Shown | None, algorithm: Algorithm | None, threads: Threads) -> None:
        self._source = source
        self._shown = shown
        self._algorithm = algorithm
        self._threads = threads
        self._md5 = running_md5()
        self._checksum = None if algorithm is None else running(algorithm)
        self._counted = (self._md5,) if self._checksum is None else (self._md5, self._checksum)

    async def receive_into(self, buffer: memoryview) -> int:
        """As a source of the vault."""
        count = await self._source.receive_into(buffer)
        if self._shown is not None:
            await self._threads.run_blocking(_show, self._shown, buffer[:count])
        await update_aside(self._threads, self._counted, buffer[:count])
        return count

    async def finish(self) -> Finish:
        """What they were."""
        etag = self._md5.digest().hex()
        if self._algorithm is None or self._checksum is None:
            return Finish(etag)
        return Finish(etag, (kept(self._algorithm, Type.FULL_OBJECT, self._checksum.digest()),))


def _show(shown: Shown, data: memoryview) -> None:
    data[:] = shown.turn(data)


@asynccontextmanager
async def carried(
    call: Call, origin: Origin, part: ByteRange | None, algorithm: Algorithm | None
) -> AsyncIterator[Carried]:
    """The bytes of what is copied, or of a part of it.

    Raises:
        S3Error: InvalidRequest when they are more than Amazon copies at once. And as a reader.
    """
    found = origin.found
    first, end = (0, found.size_bytes) if part is None else (part.first, part.end)
    if end - first > PART_BYTES_MAX:
        raise S3Error(
            faults.INVALID_REQUEST,
            f"The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{PART_BYTES_MAX}",
        )
    shown = None
    if origin.key is not None and origin.object_key is not None:
        parts = await all_parts(origin.shelf, replace(origin.ref, version=found.version_id))
        shown = Shown(origin.key, origin.object_key, parts, first)

    def choose(now: ObjectStat) -> ByteRange | None:
        origin.require_same(now)
        return part

    async with origin.shelf.objects.poured(origin.ref, choose) as source:
        yield Carried(source, shown, algorithm, call.host.threads)
