"""Whose bucket a request means: names of buckets belong to a namespace, and one gateway serves many.

A key's own namespace comes first. Beyond it, and for anonymous readers, a bucket of that name is meant which its
owner shares with the caller; of several the oldest, so that nobody takes a public name over by making a bucket later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from node.s3.asking.operations import Operation, Right
from node.s3.asking.request import Request, Target
from node.s3.calls.call import Caller
from node.s3.calls.shelves import Shelves
from node.s3.rights.access import Access, Verdict
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.vault.shelf.shelf import Shelf

CREATE_BUCKET = "CreateBucket"


async def find(shelves: Shelves, caller: Caller, request: Request, operation: Operation) -> tuple[Shelf, Verdict]:
    """The shelf that is meant, and whether the caller may.

    Raises:
        S3Error: NoSuchBucket, AccessDenied.
    """
    is_new = operation.name == CREATE_BUCKET
    some = candidates(shelves, caller, request.target, is_new=is_new)
    return await _first(some, request.target, lambda shelf: Access(caller, shelf, request).of(operation))


async def find_source(
    shelves: Shelves, caller: Caller, request: Request, target: Target, action: str
) -> tuple[Shelf, Verdict]:
    """The shelf of what the request wants to copy, and whether the caller may read it. Raises as `find`."""
    some = candidates(shelves, caller, target)
    to = action, Right.READ, target.bucket, target.key
    return await _first(some, target, lambda shelf: Access(caller, shelf, request).to(*to))


async def _first(
    some: Sequence[Shelf], target: Target, verdict_of: Callable[[Shelf], Awaitable[Verdict]]
) -> tuple[Shelf, Verdict]:
    """The first at which the caller may."""
    for shelf in some:
        verdict = await verdict_of(shelf)
        if verdict is not Verdict.DENIED:
            return shelf, verdict
    if not some and target.bucket:
        raise S3Error(faults.NO_SUCH_BUCKET)
    raise S3Error(faults.ACCESS_DENIED)


def candidates(shelves: Shelves, caller: Caller, target: Target, *, is_new: bool = False) -> list[Shelf]:
    """The shelves that could be meant, the likeliest first; `is_new`: the bucket is only to be made."""
    bucket, own = target.bucket, caller.owner
    if target.namespace is not None:
        return [one for one in shelves.shelves_with(bucket) if one.namespace == target.namespace]
    if own is not None and (not bucket or is_new or own.buckets.find(bucket) is not None):
        return [own]
    others = oldest_first(shelves.shelves_with(bucket), bucket)
    if own is not None and not others:
        return [own]
    return others


def oldest_first(shelves: Iterable[Shelf], bucket: str) -> list[Shelf]:
    """By the age of their bucket of that name: whoever makes one later takes nothing over."""
    return sorted(shelves, key=lambda one: (one.buckets.get(bucket).created_s, one.namespace))
