"""What is known of an object, in the words of the vault's door: from what the catalog says, or from what was put."""

from __future__ import annotations

from node.vault.catalog.values import StoredObject, share_bytes_of
from node.vault.objects import ObjectStat
from node.vault.put import Named


def stat_of(name: str, journal_copies: int, stored: StoredObject) -> ObjectStat:
    """From what the catalog of the namespace with this name says."""
    row, extras = stored.row, stored.extras
    inline_bytes = row.inline.size_bytes if row.inline is not None else 0
    return ObjectStat(
        namespace=name,
        bucket=stored.bucket,
        key=stored.key,
        version=row.version,
        size_bytes=row.size_bytes,
        stored_bytes=row.share_bytes + inline_bytes * journal_copies,
        digest=row.digest,
        modified_s=row.modified_s,
        data_class=row.data_class,
        blocks=row.block_count + (row.packed is not None),
        metadata=extras.metadata,
        etag=extras.etag,
        checksums=extras.checksums,
        tags=extras.tags,
        retention=extras.retention,
        legal_hold=extras.legal_hold,
        part_count=extras.part_count,
        is_null=row.is_null,
        is_marker=row.is_marker,
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
