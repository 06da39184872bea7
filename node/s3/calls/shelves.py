"""The vault, as far as S3 sees it: the namespaces that this gateway writes or follows, and what opens them."""

from __future__ import annotations

from typing import Protocol

from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import AccessKey


class Shelves(Protocol):
    """Every namespace that is open here."""

    def shelf(self, namespace: str | None) -> Shelf:
        """Raises Missing(`namespace-missing`)."""

    def shelves_with(self, bucket: str) -> tuple[Shelf, ...]:
        """Every open namespace that has such a bucket."""

    def key(self, access_key_id: str) -> tuple[Shelf, AccessKey]:
        """Raises Missing(`key-missing`)."""
