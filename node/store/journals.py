"""The journals that this node holds: its own namespaces', and copies of other members'.

Each epoch is a `JournalCopy`, read into memory (places and tip, not entries) when first asked for. Appends to one
epoch take turns; different epochs do not wait for each other. There is no group commit here: a journal has one
writer, and that one gathers already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from node.host.ports import Buffer, Disk, Host
from node.logs import get_logger
from node.store.journal_copy import JOURNALS_DIRECTORY, JournalCopy, JournalName, journal_parts, part_path
from node.store.salt import find_salt
from node.store.visitors import Visitors
from protocol.errors import Damaged, Missing
from protocol.ids import NamespaceId
from protocol.namespace.journal import Tip, decode_opening

log = get_logger(__name__)

R = TypeVar("R")


@dataclass(slots=True)
class _Held:
    """One epoch: its copy once loaded, and whose turn it is."""

    copy: JournalCopy
    is_loaded: bool = False
    turn: trio.Lock = field(default_factory=trio.Lock)


class JournalStore:
    """Usable while `run` runs. Every method is safe under concurrency and cancellation."""

    def __init__(self, host: Host, disk_path: str | None = None) -> None:
        self._host = host
        self._disk_path = disk_path
        self._disk: Disk = host.disk
        self._salt = b""
        self._held: dict[JournalName, _Held] = {}
        self._visitors = Visitors()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look what is held, then serve until cancelled. Raises Damaged(`disk-unreadable`), OSError."""
        found = await self._host.threads.run_blocking(self._open)
        self._held = {name: self._new(name, parts) for name, parts in found.items()}
        self._visitors.open()
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await self._visitors.close()
                for held in self._held.values():
                    held.copy.close()

    def _open(self) -> dict[JournalName, list[int]]:
        if self._disk_path is not None:
            self._disk = self._host.open_disk(self._disk_path)
        found = journal_parts(self._disk)
        paths = [part_path(name, part) for name, parts in found.items() for part in parts]
        self._salt = find_salt(
            self._disk, self._host.entropy, JOURNALS_DIRECTORY / "disk", paths, name=self._disk_path or "journals"
        )
        return found

    def _new(self, name: JournalName, parts: Sequence[int]) -> _Held:
        return _Held(JournalCopy(self._disk, self._host.faults, self._salt, name, parts))

    def epochs(self) -> tuple[JournalName, ...]:
        """Every epoch that is held, sorted."""
        return tuple(sorted(self._held))

    async def open_epoch(self, opening: bytes) -> None:
        """Hold the epoch of this encoded opening; durable on return, and done already when it is held already.

        Raises:
            Malformed, Forged: an opening that does not verify.
            Refused: `journal-opening-other` when the epoch is held with another opening.
            Unavailable: `store-full`, `store-failing`, `store-closed`.
        """
        decoded = decode_opening(opening)
        name = JournalName(decoded.namespace, decoded.epoch)
        async with self._visitors.visit():
            held = self._held.get(name) or self._held.setdefault(name, self._new(name, []))
            try:
                await self._take_turn(held, lambda copy: copy.open(decoded, opening))
            finally:
                if held.copy.opening is None:
                    self._held.pop(name, None)

    async def append(self, namespace: NamespaceId, epoch: int, first: int, entries: Sequence[Buffer]) -> Tip:
        """Keep encoded entries, of which the first is said to stand at position `first`; durable on return.

        What is held already is skipped, so repeating an append is harmless. Answers how far the copy goes now.

        Raises:
            Missing: `journal-epoch` when the epoch is not held.
            Unavailable: `journal-gap` when earlier ones are missing; `store-full`, `store-failing`, `store-closed`.
            Forged: `journal-fork`, `journal-chain`, `signature`. Malformed, OverLimit: entries that do not decode.
        """
        async with self._visitors.visit():
            held = self._find(namespace, epoch)
            return await self._take_turn(held, lambda copy: copy.append(first, entries))

    async def tail(self, namespace: NamespaceId, epoch: int) -> Tip:
        """How far the copy goes. Raises Missing(`journal-epoch`)."""
        async with self._visitors.visit():
            return (await self._opened(namespace, epoch)).tip

    async def opening(self, namespace: NamespaceId, epoch: int) -> bytes:
        """The epoch's encoded opening. Raises Missing(`journal-epoch`)."""
        async with self._visitors.visit():
            return (await self._opened(namespace, epoch)).opening_bytes

    async def read(self, namespace: NamespaceId, epoch: int, first: int, size_bytes_max: int) -> tuple[bytes, ...]:
        """Encoded entries from position `first` on, together at most so large, but at least one if there is one.

        Raises:
            Missing: `journal-epoch`. Damaged: `journal-damaged`, with the position.
        """
        async with self._visitors.visit():
            copy = await self._opened(namespace, epoch)
            try:
                return await self._host.threads.run_blocking(copy.read, first, copy.tip.length, size_bytes_max)
            except Damaged:
                # Read again from its files, the copy ends before the damage, so that its writer sends the rest anew.
                self._find(namespace, epoch).is_loaded = False
                raise

    async def remove_epoch(self, namespace: NamespaceId, epoch: int) -> None:
        """Delete the copy whole; a copy that is not held is deleted already."""
        async with self._visitors.visit():
            held = self._held.pop(JournalName(namespace, epoch), None)
            if held is not None:
                async with held.turn:
                    await self._host.threads.run_blocking(held.copy.remove)

    def _find(self, namespace: NamespaceId, epoch: int) -> _Held:
        held = self._held.get(JournalName(namespace, epoch))
        if held is None:
            raise Missing("journal-epoch", namespace=namespace, epoch=epoch)
        return held

    async def _opened(self, namespace: NamespaceId, epoch: int) -> JournalCopy:
        held = self._find(namespace, epoch)
        async with held.turn:
            await self._load(held)
        if held.copy.opening is None:
            raise Missing("journal-epoch", namespace=namespace, epoch=epoch)
        return held.copy

    async def _load(self, held: _Held) -> None:
        if not held.is_loaded:
            await self._host.threads.run_blocking(held.copy.load)
            held.is_loaded = True

    async def _take_turn(self, held: _Held, work: Callable[[JournalCopy], R]) -> R:
        """Do `work` on the loaded copy, in a thread. A caller may lend buffers to it: it is never abandoned."""
        async with held.turn:
            await self._load(held)
            return await self._host.threads.run_blocking(work, held.copy)
