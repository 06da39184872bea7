"""From a folder that `init` made to what founding and joining need. Shared by the two commands."""

from __future__ import annotations

from pathlib import Path

from node.config_file import FILE_NAME, load
from node.folder import NodeFolder
from node.membership import Newcomer
from protocol.errors import Missing, Refused


def newcomer_of(path: Path, folder: NodeFolder) -> Newcomer:
    """The node in `path`, not yet in a federation.

    Raises:
        Missing: `node-dir-absent`. Refused: `already-in-a-federation`, `organisation-key-absent`.
    """
    if not (path / FILE_NAME).is_file():
        raise Missing("node-dir-absent", path=str(path))
    folder.check_format()
    if folder.is_member():
        raise Refused("already-in-a-federation", federation=folder.membership().federation)
    return Newcomer(load(path / FILE_NAME), folder.node_key(), folder.organisation(), folder.organisation_key())
