"""A catalog as it is opened, filled and asked: a namespace's index, and nothing but a cache of its journal.

It holds what the journal's changes add up to, over all epochs, and the tip up to which they were applied, in one
SQLite transaction each time: so at any moment, also in a copy restored from last week, tip and rows agree. Entries
before the tip are skipped, an entry beyond the next is a bug, and a catalog that is missing, damaged, of another
format or not on its journal's history is thrown away and filled again (`start_over`). Until whoever replays says
`set_ready`, every question is answered with `catalog-rebuilding` rather than with half the truth.

The database is used by one thread at a time, so a reader never sees half an entry either.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import PurePath
from typing import Final, TypeVar

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.database import CatalogDatabase
from node.vault.catalog.values import NOWHERE, CatalogTip
from protocol.coding.label import Stamp
from protocol.errors import Damaged, Unavailable
from protocol.ids import NamespaceId, short_text_of, text_of
from protocol.namespace.changes import Change, Checkpoint
from protocol.namespace.journal import FIRST_EPOCH

INDEX_FOLDER: Final = PurePath("index")
_FILE_SUFFIXES: Final = ("", "-wal", "-shm")

T = TypeVar("T")

# One entry to apply: the tip after it, and what it says.
Applied = tuple[CatalogTip, Sequence[Change]]

log = get_logger(__name__)


class OpenCatalog:
    """One namespace's index, but for the questions. Open it, replay what it lacks, call `set_ready`, then ask."""

    def __init__(self, host: Host, namespace: NamespaceId) -> None:
        self._host = host
        self._namespace = namespace
        self._path = catalog_path(namespace)
        self._database: CatalogDatabase | None = None
        self._turn = trio.Lock()
        self._ready = trio.Event()
        self._damage = trio.Event()
        self._final: Callable[[bytes], bool] | None = None

    @property
    def is_damaged(self) -> bool:
        """The database was found damaged: `start_over` and replay."""
        return self._damage.is_set()

    @property
    def tip(self) -> CatalogTip:
        """The last entry applied; `NOWHERE` before the first epoch."""
        return NOWHERE if self._database is None else self._database.tip

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint that was applied."""
        return None if self._database is None else self._database.checkpoint

    @property
    def is_settled(self) -> bool:
        """Nothing but tables and the present epoch is needed: it began with a checkpoint, or is the first."""
        began = FIRST_EPOCH if self._database is None else max(FIRST_EPOCH, self._database.checkpoint_epoch)
        return self.tip.epoch == began

    async def open(self) -> CatalogTip:
        """Open what is there, or an empty catalog instead of it. Returns the tip to replay from."""
        async with self._turn:
            if self._database is None:
                await self._host.threads.run_blocking(self._open_blocking)
        return self.tip

    async def start_over(self) -> None:
        """Throw the catalog away and begin an empty one."""
        self._ready, self._final = trio.Event(), None
        async with self._turn:
            await self._host.threads.run_blocking(self._start_over_blocking)

    def set_ready(self) -> None:
        """All that is acknowledged was applied: questions are answered from now on."""
        self._damage = trio.Event()
        self._final = None
        self._ready.set()

    def answer_what_is_final(self, touched: Set[bytes]) -> None:
        """While tables arrive, answer for the objects that have arrived, but for those with these row keys
        (`touched_by`): entries that are still to be applied say something of them. Until `set_ready`."""
        self._final = lambda key: key not in touched

    async def wait_ready(self) -> None:
        await self._ready.wait()

    async def wait_damaged(self) -> None:
        """Return once the database was found damaged."""
        await self._damage.wait()

    async def enter(self, start: CatalogTip) -> None:
        """Go on in the next epoch, whose opening `start` names: the tip is the decided end of the one before.

        Raises:
            Damaged: `catalog-gap` when an epoch is missing between them; `index-damaged`.
        """
        async with self._turn:
            await self._guarded(self._enter_blocking, start)

    async def apply(self, entries: Sequence[Applied]) -> None:
        """Apply entries of one epoch that follow each other, in one transaction; those before the tip are skipped.

        Raises:
            Damaged: `catalog-gap` when an entry is missing before them; `index-damaged`.
        """
        async with self._turn:
            await self._guarded(self._apply_blocking, entries)

    async def close(self) -> None:
        async with self._turn:
            if self._database is not None:
                await self._host.threads.run_blocking(self._database.close)
            self._database = None

    async def ask(self, question: Callable[[CatalogDatabase], T]) -> T:
        """Ask the database anything, ready or not. For those who fill the catalog and who make checkpoints of it."""
        async with self._turn:
            return await self._guarded(question, self._opened())

    async def change(self, work: Callable[[CatalogDatabase], T]) -> T:
        """Change the database in one transaction, ready or not. For the same."""
        async with self._turn:
            return await self._guarded(_in_transaction, self._opened(), work)

    def require_ready(self) -> CatalogDatabase:
        """The database, while it answers questions. Raises Unavailable(`catalog-rebuilding`)."""
        if self._database is None or not self._ready.is_set():
            raise self._rebuilding()
        return self._database

    async def _ask(self, question: Callable[[CatalogDatabase], T], about: bytes | None = None) -> T:
        """The answer, once ready; before that, only about an object row that is final."""
        async with self._turn:
            return await self._guarded(self._answer, self._asked(about), question)

    def _asked(self, about: bytes | None) -> CatalogDatabase:
        """The database, if it may answer about this row now."""
        is_final = about is not None and self._final is not None and self._final(about)
        if self._database is None or not (self._ready.is_set() or is_final):
            raise self._rebuilding()
        return self._database

    def _answer(self, database: CatalogDatabase, question: Callable[[CatalogDatabase], T]) -> T:
        answer = question(database)
        if answer is None and not self._ready.is_set():
            raise self._rebuilding()
        return answer

    async def _ask_point(self, question: Callable[[CatalogDatabase], T], about: bytes) -> T:
        """The same, for a question about a row or two, on this very thread.

        It looks at about five pages, which are in memory but for the first time: some 30 µs, where a thread and back
        take five times as much, and every get asks. What may be more than that goes to a thread (`_ask`). Who finds
        the database taken waits for his turn, and then asks here too: from a thread he would keep it for so long that
        the next one found it taken as well, and so on for as long as gets come.
        """
        if not self._turn.locked():
            return self._answer_here(question, about)
        async with self._turn:
            return self._answer_here(question, about)

    def _answer_here(self, question: Callable[[CatalogDatabase], T], about: bytes) -> T:
        try:
            return self._answer(self._asked(about), question)
        except Damaged as error:
            self._note_damage(error)
            raise

    def _rebuilding(self) -> Unavailable:
        return Unavailable("catalog-rebuilding", namespace=self._namespace)

    async def _guarded(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await self._host.threads.run_blocking(work, *arguments)
        except Damaged as error:
            self._note_damage(error)
            raise

    def _note_damage(self, error: Damaged) -> None:
        log.warning("catalog.damaged", namespace=short_text_of(self._namespace), error=str(error))
        self._ready, self._final = trio.Event(), None
        self._damage.set()

    def _enter_blocking(self, start: CatalogTip) -> None:
        database = self._opened()
        if start.epoch <= database.tip.epoch:
            return
        if start.epoch != database.tip.epoch + 1 or start.length:
            raise self._gap(start)
        with _transaction(database):
            database.set_tip(start)

    def _apply_blocking(self, entries: Sequence[Applied]) -> None:
        database = self._opened()
        tip = database.tip
        following = [(after, changes) for after, changes in entries if after[:2] > tip[:2]]
        if not following:
            return
        with _transaction(database):
            for after, changes in following:
                if after[:2] != (tip.epoch, tip.length + 1):
                    raise self._gap(after)
                database.apply(Stamp(tip.epoch, tip.length), changes)
                tip = after
            database.set_tip(tip)

    def _gap(self, found: CatalogTip) -> Damaged:
        tip = self.tip
        where = f"{found.epoch}/{found.length}"
        return Damaged("catalog-gap", namespace=self._namespace, length=f"{tip.epoch}/{tip.length}", found=where)

    def _opened(self) -> CatalogDatabase:
        if self._database is None:
            raise self._rebuilding()
        return self._database

    def _open_blocking(self) -> None:
        try:
            database = CatalogDatabase(self._host.open_index(self._path))
            is_ours = database.read(self._namespace)
        except Damaged as error:
            log.warning("catalog.damaged", namespace=short_text_of(self._namespace), error=str(error))
            self._start_over_blocking()
            return
        self._database = database
        if not is_ours:
            self._start_over_blocking()

    def _start_over_blocking(self) -> None:
        if self._database is not None:
            with contextlib.suppress(Exception):
                self._database.close()
        self._database = None
        for suffix in _FILE_SUFFIXES:
            path = self._path.with_name(self._path.name + suffix)
            if self._host.disk.exists(path):
                self._host.disk.remove(path)
        database = CatalogDatabase(self._host.open_index(self._path))
        database.create(self._namespace)
        self._database = database


@contextlib.contextmanager
def _transaction(database: CatalogDatabase) -> Iterator[None]:
    """All of it, or nothing."""
    try:
        yield
        database.commit()
    except BaseException:
        with contextlib.suppress(Exception):
            database.roll_back()
        raise


def _in_transaction(database: CatalogDatabase, work: Callable[[CatalogDatabase], T]) -> T:
    with _transaction(database):
        return work(database)


def catalog_path(namespace: NamespaceId) -> PurePath:
    """Below the node's folder."""
    return INDEX_FOLDER / f"catalog-{text_of(namespace)}.sqlite"
