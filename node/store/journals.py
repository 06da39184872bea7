"""The journals that this node keeps: its own namespaces', those that it holds for others, and copies for readers.

Each epoch is a `KeptEpoch`: its state is read at the start, its entries (places and tip, not contents) when first
asked for. Changes to one epoch take turns; different epochs do not wait for each other. There is no group commit
here: a journal has one writer, and that one gathers already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

import trio

from node.host.ports import Buffer, Disk, Host
from node.logs import get_logger
from node.store.epoch_state import EpochState, states_on, successions_in
from node.store.journal_copy import JOURNALS_DIRECTORY, JournalName, journal_parts, part_path
from node.store.kept_epoch import KeptEpoch
from node.store.salt import find_salt
from node.store.visitors import Visitors
from node.taking import take_turn
from protocol.errors import Damaged, Missing, OverLimit, Refused, Unavailable
from protocol.ids import NamespaceId, NodeId
from protocol.namespace.journal import Opening, Tip, decode_opening
from protocol.succession.acceptor import AcceptorState
from protocol.succession.ballot import Ballot
from protocol.succession.requests import HeldEpoch
from protocol.succession.succession import Succession

log = get_logger(__name__)

R = TypeVar("R")

EPOCHS_PER_NAMESPACE_MAX: Final = 1_024


@dataclass(slots=True)
class _Held:
    """One epoch: what is kept of it once loaded, and whose turn it is."""

    kept: KeptEpoch
    is_loaded: bool = False
    is_gone: bool = False
    turn: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(1))


@dataclass(frozen=True, slots=True)
class Shown:
    """Entries of an epoch with all that a reader needs to check them."""

    opening: bytes
    succession: bytes
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HeldJournal:
    """An epoch as it is kept here. `ended_by`: the encoded succession that ended it, empty while none is known."""

    opening: Opening
    tip: Tip
    is_copy: bool
    ended_by: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an epoch goes here, and whether its writer's appends are refused."""

    tip: Tip
    is_fenced: bool


class JournalStore:
    """Usable while `run` runs. Every method is safe under concurrency and cancellation.

    Beside what they name, all of them raise Missing(`journal-epoch`) for an epoch that is not kept, and
    Unavailable(`store-closed`, `store-full`, `store-failing`).
    """

    def __init__(self, host: Host, disk_path: str | None = None) -> None:
        self._host = host
        self._disk_path = disk_path
        self._disk: Disk = host.disk
        self._salt = b""
        self._held: dict[JournalName, _Held] = {}
        self._visitors = Visitors()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look what is held, then serve until cancelled. Raises Damaged(`disk-unreadable`), OSError."""
        self._held = await self._host.threads.run_blocking(self._open)
        self._visitors.open()
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await self._visitors.close()
                for held in self._held.values():
                    held.kept.close()

    def _open(self) -> dict[JournalName, _Held]:
        if self._disk_path is not None:
            self._disk = self._host.open_disk(self._disk_path)
        found = journal_parts(self._disk)
        paths = [part_path(name, part) for name, parts in found.items() for part in parts]
        self._salt = find_salt(
            self._disk, self._host.entropy, JOURNALS_DIRECTORY / "disk", paths, name=self._disk_path or "journals"
        )
        states = states_on(self._disk)
        held = {name: self._new(name, found.get(name, []), states.get(name)) for name in {**states, **found}}
        for one in held.values():
            one.kept.measure()
        return held

    def _new(self, name: JournalName, parts: Sequence[int] = (), state: EpochState | None = None) -> _Held:
        return _Held(KeptEpoch(self._disk, self._host.faults, self._salt, name, parts, state))

    # --- what is here --------------------------------------------------------------------------------------------

    def epochs(self) -> tuple[JournalName, ...]:
        """Every epoch of which something is kept, sorted."""
        return tuple(sorted(self._held))

    async def held(self, namespace: NamespaceId, least: int = 0) -> tuple[HeldEpoch, ...]:
        """The epochs of a namespace from `least` on that are open, ended or copied here."""
        found = []
        for name in self._names(namespace):
            held = self._held.get(name)
            if held is not None and held.kept.is_shown and name.epoch >= least:
                with suppress(Missing):
                    found.append(await self._look(namespace, name.epoch, _describe))
        return tuple(found)

    async def held_journal(self, name: JournalName) -> HeldJournal:
        """What is kept of this epoch. Raises Unavailable(`journal-not-open`)."""
        return await self._look(
            name.namespace,
            name.epoch,
            lambda kept: HeldJournal(kept.opening, kept.tip, kept.state.is_copy, kept.ended_by),
        )

    def keeps(self, namespace: NamespaceId) -> bool:
        """Whether anything of the namespace is kept."""
        return any(name.namespace == namespace for name in self._held)

    def stored_bytes(self, namespace: NamespaceId) -> int:
        """How much the entries of the namespace take of the disk."""
        return sum(held.kept.size_bytes for name, held in self._held.items() if name.namespace == namespace)

    def gateways(self, wanted: Callable[[NamespaceId], bool]) -> dict[NamespaceId, NodeId]:
        """Those of which anything is kept, if wanted, each with a gateway that one of its openings names."""
        names = [name for name in self.epochs() if wanted(name.namespace)]
        return {name.namespace: gateway for name in names if (gateway := self._held[name].kept.gateway)}

    def newest_opening(self, namespace: NamespaceId) -> bytes:
        """The encoded opening of the newest epoch that is open here or copied; empty when there is none."""
        states = [self._held[name].kept.state for name in self._names(namespace)]
        return next((state.opening for state in reversed(states) if state.opening), b"")

    def newest_succession(self, namespace: NamespaceId) -> Succession | None:
        """What opened the newest epoch that is known here, be it kept or not."""
        states = [self._held[name].kept.state for name in self._names(namespace)]
        known = [succession for state in states for succession in successions_in(state)]
        return max(known, key=lambda succession: succession.decree.rank, default=None)

    async def standing(self, namespace: NamespaceId, epoch: int) -> Standing:
        """How far the epoch goes here. Raises Unavailable(`journal-not-open`)."""
        return await self._look(namespace, epoch, lambda kept: Standing(kept.tip, kept.is_fenced))

    async def tail(self, namespace: NamespaceId, epoch: int) -> Tip:
        """How far the epoch goes here. Raises Unavailable(`journal-not-open`)."""
        return await self._look(namespace, epoch, lambda kept: kept.tip)

    async def opening(self, namespace: NamespaceId, epoch: int) -> bytes:
        """The epoch's encoded opening. Raises Unavailable(`journal-not-open`)."""
        return await self._look(namespace, epoch, lambda kept: kept.proven_opening()[0])

    async def succession(self, namespace: NamespaceId, epoch: int) -> bytes:
        """The encoded proof that this opening was decided; empty in the first epoch. Raises as `opening`."""
        return await self._look(namespace, epoch, lambda kept: kept.proven_opening()[1])

    async def decoded_opening(self, namespace: NamespaceId, epoch: int) -> Opening:
        """The epoch's opening. Raises Unavailable(`journal-not-open`)."""
        return await self._look(namespace, epoch, lambda kept: kept.opening)

    async def read(self, namespace: NamespaceId, epoch: int, first: int, size_bytes_max: int) -> tuple[bytes, ...]:
        """Encoded entries from position `first` on, together at most so large, but at least one if there is one.

        Raises:
            Damaged: `journal-damaged`, with the position. Unavailable: `journal-not-open`.
        """
        return (await self.show(namespace, epoch, first, size_bytes_max)).entries

    async def show(self, namespace: NamespaceId, epoch: int, first: int, size_bytes_max: int) -> Shown:
        """The same, with the opening and its proof."""
        async with self._visitors.visit():
            held = self._find(namespace, epoch)
            async with held.turn:
                await self._load(held)
                opening, succession = held.kept.proven_opening()
            try:
                entries = await self._blocking(held.kept.read, first, size_bytes_max)
            except Damaged:
                # Read again from its files, the copy ends before the damage, so that its writer sends the rest anew.
                held.is_loaded = False
                raise
            return Shown(opening, succession, entries)

    # --- what is done --------------------------------------------------------------------------------------------

    async def prepare(self, opening: bytes) -> None:
        """Keep this encoded opening of an epoch, in case it is decided; durable on return.

        Raises:
            Malformed, Forged: an opening that does not verify. OverLimit: `journal-epochs-many`.
            Refused: `journal-opening-other`, `journal-past` when another one or a later epoch is open here already.
        """
        decoded = decode_opening(opening)
        kept = [self._held[name].kept for name in self._names(decoded.namespace)]
        newest = max((one.rank for one in kept if one.is_shown), default=decoded.rank)
        if decoded.rank < newest:
            raise Refused("journal-past", namespace=decoded.namespace, epoch=decoded.epoch, newest=newest[1])
        await self._change(decoded, lambda kept: kept.prepare(opening))

    async def open(self, opening: bytes, succession: bytes = b"") -> None:
        """Take entries under an opening that was prepared here and, as `succession` proves, decided.

        Raises:
            Malformed, Forged: an opening that does not verify. Refused: `journal-opening-other`.
        """
        await self._change(decode_opening(opening), lambda kept: kept.open(opening, succession))

    async def copy(self, opening: bytes, succession: bytes, first: int, entries: Sequence[Buffer]) -> Tip:
        """Keep an epoch for readers, without being one of its holders. Raises what `open` and `append` raise."""
        return await self._change(
            decode_opening(opening), lambda kept: kept.copy(opening, succession, first, entries)
        )

    async def append(
        self, namespace: NamespaceId, epoch: int, first: int, entries: Sequence[Buffer], under: Ballot | None = None
    ) -> Tip:
        """Keep encoded entries, of which the first is said to stand at position `first`; durable on return.

        What is held already is skipped, so repeating an append is harmless. Answers how far the copy goes now.

        Raises:
            Refused: `journal-ended`, `journal-promised` to another ballot than `under`.
            Unavailable: `journal-gap` when earlier ones are missing; `journal-not-open`.
            Forged: `journal-fork`, `journal-chain`, `signature`. Malformed, OverLimit: entries that do not decode.
        """
        async with self._visitors.visit():
            held = self._find(namespace, epoch)
            return await self._take_turn(held, lambda kept: kept.append(first, entries, under))

    async def decide(
        self, namespace: NamespaceId, epoch: int, rule: Callable[[KeptEpoch], tuple[AcceptorState, R]]
    ) -> R:
        """Do to the epoch's end what the rule says; the state that it returns is durable before this returns.

        Raises:
            Damaged: `journal-damaged`. Unavailable: `journal-not-open`. What the rule raises.
        """
        async with self._visitors.visit():
            held = self._find(namespace, epoch)
            return await self._take_turn(held, lambda kept: kept.decide(rule))

    async def learn(self, succession: Succession) -> None:
        """The epoch of `succession.predecessor` ended, whatever is kept of it here. Raises Forged."""
        ended = succession.predecessor
        async with self._visitors.visit():
            held = self._find(ended.namespace, ended.epoch)
            await self._take_turn(held, lambda kept: kept.learn(succession))

    async def release_below(self, namespace: NamespaceId, below: int) -> None:
        """Delete what is kept of the namespace's epochs before `below`."""
        for name in self._names(namespace):
            async with self._visitors.visit():
                held = self._held.pop(name, None) if name.epoch < below else None
                if held is not None:
                    async with held.turn:
                        held.is_gone = True
                        await self._blocking(held.kept.remove)

    # --- inside --------------------------------------------------------------------------------------------------

    def _find(self, namespace: NamespaceId, epoch: int) -> _Held:
        held = self._held.get(JournalName(namespace, epoch))
        if held is None:
            raise Missing("journal-epoch", namespace=namespace, epoch=epoch)
        return held

    async def _change(self, opening: Opening, work: Callable[[KeptEpoch], R]) -> R:
        """Do `work` on the opening's epoch, which need not be kept yet, and is not if that fails."""
        name = JournalName(opening.namespace, opening.epoch)
        async with self._visitors.visit():
            held = self._held.get(name)
            if held is None:
                self._check_room(name)
                held = self._held.setdefault(name, self._new(name))
            try:
                return await self._take_turn(held, work)
            finally:
                if not held.kept.is_kept and self._held.get(name) is held:
                    del self._held[name]

    def _names(self, namespace: NamespaceId) -> list[JournalName]:
        return sorted(name for name in self._held if name.namespace == namespace)

    def _check_room(self, name: JournalName) -> None:
        if len(self._names(name.namespace)) >= EPOCHS_PER_NAMESPACE_MAX:
            raise OverLimit("journal-epochs-many", namespace=name.namespace, limit=EPOCHS_PER_NAMESPACE_MAX)

    async def _look(self, namespace: NamespaceId, epoch: int, work: Callable[[KeptEpoch], R]) -> R:
        async with self._visitors.visit():
            return await self._take_turn(self._find(namespace, epoch), work)

    async def _load(self, held: _Held) -> None:
        if held.is_gone:
            raise Missing("journal-epoch", namespace=held.kept.name.namespace, epoch=held.kept.name.epoch)
        if not held.is_loaded:
            await self._blocking(held.kept.load)
            held.is_loaded = True

    async def _take_turn(self, held: _Held, work: Callable[[KeptEpoch], R]) -> R:
        """Do `work` on the loaded epoch, in a thread. A caller may lend buffers to it: it is never abandoned."""
        await take_turn(held.turn)
        try:
            await self._load(held)
            return await self._blocking(work, held.kept)
        finally:
            held.turn.release()

    async def _blocking(self, work: Callable[..., R], *arguments: object) -> R:
        """Do `work` in a thread; a disk that does not answer it is failing, which is no reason to end the node."""
        try:
            return await self._host.threads.run_blocking(work, *arguments)
        except OSError as error:
            log.error("journals-failing", reason=str(error))
            raise Unavailable("store-failing", size_bytes=0) from error


def _describe(kept: KeptEpoch) -> HeldEpoch:
    return HeldEpoch(kept.name.epoch, *kept.tip, kept.is_ended, kept.state.is_copy)
