"""From a command's session to the running node: the real host's network, and the admin client on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from node.admin.client import SOCKET_NAME, AdminClient, open_client
from node.cli.session import Session
from node.host.real import real_host
from protocol.errors import Missing


@asynccontextmanager
async def node_of(session: Session) -> AsyncIterator[AdminClient]:
    """The node that the session is about. Raises Unavailable(`node-not-running`), Missing(`node-dir-absent`)."""
    async with node_at(session.dir) as client:
        yield client


@asynccontextmanager
async def node_at(folder: Path) -> AsyncIterator[AdminClient]:
    """The running node whose folder is `folder`."""
    if not (folder / SOCKET_NAME).exists():
        _check_folder(folder)
    host = real_host(folder)
    async with open_client(folder, host.network, host.entropy) as client:
        yield client


def _check_folder(folder: Path) -> None:
    """Whether there is a node that could run. Looked at only if none does, for the sake of a quick start."""
    from node.config_file import FILE_NAME

    if not (folder / FILE_NAME).is_file():
        raise Missing("node-dir-absent", path=str(folder))
