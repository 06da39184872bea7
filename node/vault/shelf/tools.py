"""What all that happens at a namespace's shelf works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.host.ports import Host
from node.vault.catalog.values import StoredBucket, StoredObject, StoredPart
from node.vault.objects import ObjectStat
from node.vault.put import Named, require_bucket
from node.vault.serving import Open, Readable
from node.vault.shelf.terms import BucketInfo, PartsPage, PartStat
from node.vault.stats import stat_of, stat_of_named
from protocol.errors import Refused
from protocol.ids import NamespaceId


@dataclass(frozen=True, slots=True)
class ShelfTools:
    """`namespace` is its name here. `reading` and `writing` give what serves it now, or raise why nothing does."""

    namespace: str
    id: NamespaceId
    host: Host
    reading: Callable[[], Readable]
    writing: Callable[[], Open]

    def stat(self, serving: Readable, stored: StoredObject) -> ObjectStat:
        """What the catalog says of an object, in the words of the vault's door."""
        return stat_of(self.namespace, len(serving.journal.opening.holders), stored)

    def stat_of_named(self, serving: Open, named: Named) -> ObjectStat:
        """The same of an object that was just put."""
        return stat_of_named(self.namespace, len(serving.journal.opening.holders), named)


def info_of(bucket: StoredBucket) -> BucketInfo:
    """What is known of a bucket. Documents with a dot in their names are the vault's own."""
    documents = frozenset(name for name in bucket.documents if "." not in name)
    return BucketInfo(
        bucket.bucket, bucket.created_s, bucket.versioning, bucket.has_lock, bucket.lock_default, documents
    )


def require_writable_bucket(serving: Open, bucket: str) -> StoredBucket:
    """The bucket, for who writes into it. Raises Missing(`bucket-missing`)."""
    return require_bucket(serving.put, bucket)


def refuse_marker(stored: StoredObject) -> None:
    """Raises Refused(`object-is-marker`): a marker has no bytes, and nothing is said of it."""
    if stored.is_marker:
        raise Refused("object-is-marker", bucket=stored.bucket, key=stored.key, version=stored.version)


def part_stat(part: StoredPart) -> PartStat:
    """What is known of a part."""
    return PartStat(part.number, part.size_bytes, part.etag, part.checksums, part.modified_s)


async def parts_page(serving: Readable, owner: bytes, after: int, limit: int) -> PartsPage:
    """The parts of an object or an upload, after that one."""
    found = await serving.catalog.parts(owner, after=after, limit=limit + 1)
    next_after = found[limit - 1].number if len(found) > limit > 0 else None
    return PartsPage(tuple(map(part_stat, found[:limit])), next_after)
