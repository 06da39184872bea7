"""What is known of an object, in the words of the vault's door: from what the catalog says, or from what was put."""

from __future__ import annotations

from node.vault.catalog.values import StoredObject, share_bytes_of
from node.vault.objects import ObjectStat
from node.vault.put import Named


def stat_of(name: str, journal_copies: int, stored: StoredObject) -> ObjectStat:
    """From what the catalog of the namespace with this name says."""
    inline_bytes = stored.inline.size_bytes if stored.inline is not None else 0
    return ObjectStat(
        namespace=name,
        bucket=stored.bucket,
        key=stored.key,
        version=stored.version,
        size_bytes=stored.size_bytes,
        stored_bytes=stored.share_bytes + inline_bytes * journal_copies,
        digest=stored.digest,
        modified_s=stored.modified_s,
        data_class=stored.data_class,
        blocks=stored.block_count + (stored.packed is not None),
        metadata=stored.metadata,
        etag=stored.etag,
        checksums=stored.checksums,
        tags=stored.tags,
        retention=stored.retention,
        legal_hold=stored.legal_hold,
        part_count=stored.part_count,
        is_null=stored.is_null,
        is_marker=stored.is_marker,
        is_latest=stored.is_latest,
    )


def stat_of_named(name: str, journal_copies: int, named: Named) -> ObjectStat:
    """Of an object that was just put."""
    change = named.change
    inline_bytes = change.inline.size_bytes if change.inline else 0
    return ObjectStat(
        namespace=name,
        bucket=change.bucket,
        key=change.key,
        version=change.version,
        size_bytes=change.size_bytes,
        stored_bytes=share_bytes_of(change.blocks) + inline_bytes * journal_copies,
        digest=change.digest,
        modified_s=change.modified_s,
        data_class=change.data_class,
        blocks=len(change.blocks),
        metadata=change.metadata,
        etag=change.etag,
        checksums=change.checksums,
        tags=change.tags,
        retention=change.retention,
        legal_hold=change.legal_hold,
        part_count=len(change.parts),
        is_null=named.is_null,
    )
