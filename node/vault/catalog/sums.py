"""What the catalog keeps in memory as rows change, rather than look it up each time.

How many objects there are and how large, every bucket's settings, and the access keys: a put asks for its bucket, and
a request for its key, before anything else, and neither should wait for the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.vault.catalog.values import AccessKey, StoredBucket


@dataclass(slots=True)
class Sums:
    """Changed by the thread that applies entries; others only look one thing up, or copy it all."""

    objects: int = 0
    size_bytes: int = 0
    buckets: dict[str, StoredBucket] = field(default_factory=dict)
    keys: dict[str, AccessKey] = field(default_factory=dict)
