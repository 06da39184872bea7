"""A SQLite database in memory that a crash takes back to an older copy of itself, as the real one's WAL may be."""

from __future__ import annotations

import random
import sqlite3

from node.host.index import SqliteIndex
from protocol.errors import Damaged

COPIES_MAX = 4


class MemoryDatabase:
    """What outlives the connection: the newest contents after a clean close, older copies after a crash.

    Copies are taken at the 1st, 2nd, 4th, 8th … commit: often enough to be met, seldom enough to cost nothing.
    """

    def __init__(self) -> None:
        self._copies: list[bytes] = [b""]
        self._commits = 0
        self._connection: _Connection | None = None

    def open(self, name: str) -> SqliteIndex:
        """The database as it was left. Raises Damaged(`index-damaged`)."""
        if self._connection is not None:
            self._connection.leave()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, factory=_Connection)
        self._connection.database = self
        try:
            if self._copies[-1]:
                self._connection.deserialize(self._copies[-1])
            self._connection.execute("PRAGMA schema_version")
        except sqlite3.DatabaseError as error:
            raise Damaged("index-damaged", index=name, reason=str(error)) from error
        return SqliteIndex(self._connection, name)

    def lose_power(self, numbers: random.Random) -> None:
        """Fall back to some copy, the oldest of which is the empty database."""
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
        del self._copies[numbers.randint(1, len(self._copies)) :]

    def copied(self) -> MemoryDatabase:
        """Another database with what this one kept last."""
        copy = MemoryDatabase()
        if self._connection is not None and self._connection.database is self:
            self.keep(self._connection)
        copy._copies = [b"", self._copies[-1]]
        return copy

    def damage(self) -> None:
        """Whoever opens it next finds that this is no database."""
        self._copies.append(b"this was a database once" * 64)

    def committed(self, connection: _Connection) -> None:
        self._commits += 1
        if self._commits & (self._commits - 1) == 0:
            self.keep(connection)

    def keep(self, connection: _Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        self._copies.append(connection.serialize() if pages else b"")  # SQLite has no copy of nothing
        del self._copies[1:-COPIES_MAX]


class _Connection(sqlite3.Connection):
    """A connection that tells its database of commits and of its end."""

    database: MemoryDatabase | None = None

    def commit(self) -> None:
        super().commit()
        if self.database is not None:
            self.database.committed(self)

    def close(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Close cleanly: what was committed stays, what was not is undone."""
        database, self.database = self.database, None
        if database is not None:
            self.rollback()
            database.keep(self)
            super().close()

    def abandon(self) -> None:
        """Close as a power cut does."""
        self.database = None
        super().close()
