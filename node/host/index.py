"""SQLite as a cache that may be thrown away.

WAL with `synchronous=NORMAL` never syncs on commit: after a power cut the index may be older than the volumes, never
torn. Whoever owns it compares positions and replays the rest, and rebuilds it when it is damaged: then every call
raises Damaged(`index-damaged`), the owner closes it, removes the file through its disk, and opens it afresh.

One connection is shared by the worker threads, one call at a time: SQLite would serialise them anyway. All databases
of the process share one bound for the pages that they keep in memory, so that a gateway of many namespaces needs no
more of it than one of a few large ones.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from node.host.ports import Parameters
from protocol.errors import Damaged, Unavailable
from protocol.limits import MIB

R = TypeVar("R")

# For all databases of the process. Who has come near it uses its own pages again, instead of taking more.
PAGES_BYTES_MAX: Final = 64 * MIB

# A mistake in a statement is a bug and stays what it is; these say something about the file.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_PRIMARY_CODE = 0xFF


class SqliteIndex:
    """One open database; see `ports.Index`. `name` is how errors call it."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._turn = threading.Lock()

    def execute(self, statement: str, parameters: Parameters = ()) -> list[tuple[object, ...]]:
        return self._guarded(lambda: self._connection.execute(statement, parameters).fetchall())

    def execute_many(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        self._guarded(lambda: self._connection.executemany(statement, rows))

    def commit(self) -> None:
        self._guarded(self._connection.commit)

    def close(self) -> None:
        with self._turn:
            self._connection.close()

    def _guarded(self, work: Callable[[], R]) -> R:
        with self._turn:
            try:
                return work()
            except sqlite3.DatabaseError as error:
                raise _named(error, self._name) from error


def open_sqlite(path: Path) -> SqliteIndex:
    """Open or create the database. Raises Damaged(`index-damaged`), and leaves the file for the owner to remove."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(path, check_same_thread=False, cached_statements=256)
    except sqlite3.DatabaseError as error:
        raise _named(error, path.name) from error
    index = SqliteIndex(connection, path.name)
    try:
        index.execute("PRAGMA journal_mode = WAL")
        index.execute("PRAGMA synchronous = NORMAL")
        index.execute("PRAGMA temp_store = MEMORY")
        index.execute(f"PRAGMA soft_heap_limit = {PAGES_BYTES_MAX}")
        index.execute("PRAGMA schema_version")
    except BaseException:
        index.close()
        raise
    return index


def _named(error: sqlite3.DatabaseError, name: str) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in _DAMAGE:
        return Damaged("index-damaged", index=name, reason=str(error))
    if code == sqlite3.SQLITE_FULL:
        return Unavailable("index-full", index=name)
    return error
