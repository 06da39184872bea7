"""From a command's session to the running node: the real host's network, and the admin client on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from node.admin.client import SOCKET_NAME, AdminClient, open_client
from node.cli.session import Session
from node.config_file import FILE_NAME
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
    if not (folder / FILE_NAME).is_file() and not (folder / SOCKET_NAME).exists():
        raise Missing("node-dir-absent", path=str(folder))
    host = real_host(folder)
    async with open_client(folder, host.network, host.entropy) as client:
        yield client
