"""A file that the asker has open, as the vault's source or sink.

Bytes then move between the file and the vault's desks in one step, in a thread, and the socket carries only the
question and the answer. How far a transfer is can be asked for beside it, by the name that the asker gave it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.admin.calls import SharedFile
from node.admin.services import Services
from node.host.ports import Buffer, File, FileMode, SharedHandle, Threads
from node.vault.objects import ObjectStat


class OpenedFile:
    """Reads or writes on from `offset`; both a `Source` and a `Sink`."""

    def __init__(self, file: File, shared: SharedFile, threads: Threads, transfers: dict[bytes, int]) -> None:
        self._file = file
        self._threads = threads
        self._offset = shared.offset
        self._name = shared.transfer
        self._transfers = transfers

    async def begin(self, stat: ObjectStat) -> None:
        """Nothing to prepare."""

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the whole buffer; less only at the end of the file."""
        count = await self._threads.run_blocking(self._file.read_into, self._offset, buffer)
        self._move(count)
        return count

    async def write(self, parts: list[Buffer]) -> None:
        """Write the parts one after the other."""
        await self._threads.run_blocking(self._file.write, self._offset, parts)
        self._move(sum(len(part) for part in parts))

    def _move(self, count: int) -> None:
        self._offset += count
        self._transfers[self._name] += count


@asynccontextmanager
async def opened(services: Services, shared: SharedFile, mode: FileMode) -> AsyncIterator[OpenedFile]:
    """The file for the length of the block. Raises Unavailable(`shared-file`): then send the bytes instead."""
    threads, transfers = services.host.threads, services.transfers
    handle = SharedHandle(shared.process_id, shared.descriptor, shared.device, shared.inode)
    file = await threads.run_blocking(services.host.open_shared, handle, mode)
    transfers[shared.transfer] = 0
    try:
        yield OpenedFile(file, shared, threads, transfers)
    finally:
        del transfers[shared.transfer]
        file.close()
