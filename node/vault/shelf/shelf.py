"""The shelf: one namespace as S3 sees it, all its ways in and out."""

from __future__ import annotations

from node.vault.shelf.buckets import Buckets
from node.vault.shelf.keys import Keys
from node.vault.shelf.objects import Objects
from node.vault.shelf.tools import ShelfTools
from node.vault.shelf.uploads import Uploads
from protocol.errors import MaillonError


class Shelf:
    """Made for the asking: it holds nothing but the way to what serves the namespace at the moment."""

    def __init__(self, tools: ShelfTools) -> None:
        self.namespace = tools.namespace
        self.id = tools.id
        self._tools = tools
        self.buckets = Buckets(tools)
        self.objects = Objects(tools)
        self.uploads = Uploads(tools)
        self.keys = Keys(tools)

    @property
    def is_written_here(self) -> bool:
        """Whether this gateway writes the namespace now; otherwise another may."""
        try:
            self._tools.writing()
        except MaillonError:
            return False
        return True
