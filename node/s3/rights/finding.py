"""Whose bucket a request means: names of buckets belong to a namespace, and one gateway serves many.

A key's own namespace comes first. Beyond it, and for anonymous readers, a bucket of that name is meant which its
owner shares with the caller; of several the oldest, so that nobody takes a public name over by making a bucket later.
A bucket is looked up here, once for each request: what it was then decides who may do what.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from node.s3.asking.operations import Operation, Right
from node.s3.asking.request import Request, Target
from node.s3.calls.call import Caller
from node.s3.calls.shelves import Shelves
from node.s3.rights.access import Access, Verdict
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.names import fits_bucket
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import BucketInfo
from protocol.quick_init import quick_init

CREATE_BUCKET = "CreateBucket"


@quick_init
@dataclass(frozen=True, slots=True)
class Meant:
    """A shelf that a request may mean, and its bucket of that name, if it has one."""

    shelf: Shelf
    info: BucketInfo | None


async def find(shelves: Shelves, caller: Caller, request: Request, operation: Operation) -> tuple[Meant, Verdict]:
    """What is meant, and whether the caller may.

    Raises:
        S3Error: NoSuchBucket, AccessDenied.
    """
    is_new = operation.name == CREATE_BUCKET
    some = candidates(shelves, caller, request.target, is_new=is_new)
    return await _first(some, request.target, lambda one: Access(caller, one.shelf, one.info, request).of(operation))


async def find_source(
    shelves: Shelves, caller: Caller, request: Request, target: Target, action: str
) -> tuple[Meant, Verdict]:
    """Where that is which the request wants to copy, and whether the caller may read it. Raises as `find`."""
    some = candidates(shelves, caller, target)
    to = action, Right.READ, target.bucket, target.key
    return await _first(some, target, lambda one: Access(caller, one.shelf, one.info, request).to(*to))


async def _first(
    some: Sequence[Meant], target: Target, verdict_of: Callable[[Meant], Awaitable[Verdict]]
) -> tuple[Meant, Verdict]:
    """The first at which the caller may."""
    for one in some:
        verdict = await verdict_of(one)
        if verdict is not Verdict.DENIED:
            return one, verdict
    if not some and target.bucket:
        raise S3Error(faults.NO_SUCH_BUCKET)
    raise S3Error(faults.ACCESS_DENIED)


def is_elsewhere(shelves: Shelves, caller: Caller, target: Target) -> bool:
    """Whether no bucket that is written here can be meant, so that another gateway may have it.

    A key that was made for one bucket opens none of others, and what a name says to be of the key's own namespace is.
    """
    key, own = caller.key, caller.owner
    if key is None or own is None or key.bucket is not None or target.namespace == own.namespace:
        return False
    if not fits_bucket(target.bucket):
        return False
    some = [one for one in candidates(shelves, caller, target) if one.info is not None]
    return not any(one.shelf.namespace == own.namespace or one.shelf.is_written_here for one in some)


def candidates(shelves: Shelves, caller: Caller, target: Target, *, is_new: bool = False) -> list[Meant]:
    """What could be meant, the likeliest first; `is_new`: the bucket is only to be made."""
    bucket, own = target.bucket, caller.owner
    if target.namespace is not None:
        return [one for one in oldest_first(shelves, bucket) if one.shelf.namespace == target.namespace]
    if own is None:
        return oldest_first(shelves, bucket)
    at_home = Meant(own, own.buckets.find(bucket))
    if not bucket or is_new or at_home.info is not None:
        return [at_home]
    return oldest_first(shelves, bucket) or [at_home]


def oldest_first(shelves: Shelves, bucket: str) -> list[Meant]:
    """Every shelf with such a bucket, the oldest bucket first: whoever makes one later takes nothing over."""
    found = [(one, one.buckets.get(bucket)) for one in shelves.shelves_with(bucket)]
    found.sort(key=lambda one: (one[1].created_s, one[0].namespace))
    return [Meant(shelf, info) for shelf, info in found]
