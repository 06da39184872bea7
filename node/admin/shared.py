"""A file that the asker has open, as the vault's source or sink.

Bytes then move between the file and the vault's desks in one step, in a thread, and the socket carries only the
question and the answer. How far a transfer is can be asked for beside it, by the name that the asker gave it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.admin.object_calls import SharedFile
from node.admin.services import Services
from node.host.direct import can_go_direct, fresh_pages
from node.host.ports import Buffer, File, FileMode, SharedHandle, Threads
from node.vault.objects import ObjectStat
from protocol.limits import MIB

# A few of the vault's blocks: as large as one write around the cache should be, and whole pages.
GATHER_BYTES = 4 * MIB


class OpenedFile:
    """Reads or writes on from `offset`; both a `Source` and a `Sink`.

    Whole pages are written at once, around the page cache (`node.host.direct`): a flight of full blocks is such. What
    is not is gathered until it is; `finish` writes the rest.
    """

    def __init__(self, file: File, shared: SharedFile, threads: Threads, transfers: dict[bytes, int]) -> None:
        self._file = file
        self._threads = threads
        self._offset = shared.offset
        self._name = shared.transfer
        self._transfers = transfers
        self._gathered = fresh_pages(GATHER_BYTES)
        self._gathered_bytes = 0

    async def begin(self, stat: ObjectStat) -> None:
        """Nothing to prepare."""

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the whole buffer; less only at the end of the file."""
        count = await self._threads.run_blocking(self._file.read_into, self._offset, buffer)
        self._offset += count
        self._transfers[self._name] += count
        return count

    async def write(self, parts: list[Buffer]) -> None:
        """Write the parts one after the other, sooner or later."""
        await self._threads.run_blocking(self._write, parts)
        self._transfers[self._name] += sum(memoryview(part).nbytes for part in parts)

    async def finish(self) -> None:
        """Write what is still gathered."""
        await self._threads.run_blocking(self._flush)

    def _write(self, parts: list[Buffer]) -> None:
        if self._gathered_bytes or not can_go_direct(self._offset, parts):
            self._gather(parts)
            return
        self._file.write(self._offset, parts)
        self._offset += sum(memoryview(part).nbytes for part in parts)

    def _gather(self, parts: list[Buffer]) -> None:
        for part in parts:
            rest = memoryview(part).cast("B")
            while rest:
                room = self._gathered[self._gathered_bytes :]
                taken = min(len(room), len(rest))
                room[:taken] = rest[:taken]
                rest = rest[taken:]
                self._gathered_bytes += taken
                if self._gathered_bytes == GATHER_BYTES:
                    self._flush()

    def _flush(self) -> None:
        if self._gathered_bytes:
            self._file.write(self._offset, [self._gathered[: self._gathered_bytes]])
            self._offset += self._gathered_bytes
            self._gathered_bytes = 0


@asynccontextmanager
async def opened(services: Services, shared: SharedFile, mode: FileMode) -> AsyncIterator[OpenedFile]:
    """The file for the length of the block. Raises Unavailable(`shared-file`): then send the bytes instead."""
    threads, transfers = services.host.threads, services.transfers
    handle = SharedHandle(shared.process_id, shared.descriptor, shared.device, shared.inode)
    file = await threads.run_blocking(services.host.open_shared, handle, mode)
    transfers[shared.transfer] = 0
    try:
        opened_file = OpenedFile(file, shared, threads, transfers)
        yield opened_file
        await opened_file.finish()
    finally:
        del transfers[shared.transfer]
        file.close()
