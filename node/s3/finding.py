"""Whose bucket a request means: names of buckets belong to a namespace, and one gateway serves many.

A key's own namespace comes first. Beyond it, and for anonymous readers, a bucket of that name is meant which its
owner shares with the caller; of several the oldest, so that nobody takes a public name over by making a bucket later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from node.s3 import faults
from node.s3.access import Access, Verdict
from node.s3.calls import Caller
from node.s3.faults import S3Error
from node.s3.operations import Operation
from node.s3.request import Request
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import AccessKey

CREATE_BUCKET = "CreateBucket"


class Shelves(Protocol):
    """The vault, as far as S3 sees it."""

    def shelf(self, namespace: str | None) -> Shelf:
        """Raises Missing(`namespace-missing`)."""

    def shelves_with(self, bucket: str) -> tuple[Shelf, ...]:
        """Every open namespace that has such a bucket."""

    def key(self, access_key_id: str) -> tuple[Shelf, AccessKey]:
        """Raises Missing(`key-missing`)."""


async def find(shelves: Shelves, caller: Caller, request: Request, operation: Operation) -> tuple[Shelf, Verdict]:
    """The shelf that is meant, and whether the caller may.

    Raises:
        S3Error: NoSuchBucket, AccessDenied.
    """
    first = None
    for shelf in candidates(shelves, caller, request, operation):
        first = first or shelf
        verdict = await Access(caller, shelf, request.is_secure).of(request, operation)
        if verdict is not Verdict.DENIED:
            return shelf, verdict
    if first is None and request.target.bucket:
        raise S3Error(faults.NO_SUCH_BUCKET)
    raise S3Error(faults.ACCESS_DENIED)


def candidates(shelves: Shelves, caller: Caller, request: Request, operation: Operation) -> list[Shelf]:
    """The shelves that the request could mean, the likeliest first."""
    bucket, own = request.target.bucket, caller.owner
    if request.target.namespace is not None:
        return [one for one in shelves.shelves_with(bucket) if one.namespace == request.target.namespace]
    if own is not None and (not bucket or operation.name == CREATE_BUCKET or own.buckets.find(bucket) is not None):
        return [own]
    others = oldest_first(shelves.shelves_with(bucket), bucket)
    if own is not None and not others:
        return [own]
    return others


def oldest_first(shelves: Iterable[Shelf], bucket: str) -> list[Shelf]:
    """By the age of their bucket of that name: whoever makes one later takes nothing over."""
    return sorted(shelves, key=lambda one: (one.buckets.get(bucket).created_s, one.namespace))
