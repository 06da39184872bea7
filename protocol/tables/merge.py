"""Merging sorted rows of several sources, a window of each at a time.

Sources are given newest first; of rows with one key the newest stays. Each source is fed with runs of its rows, and
`step` merges as far as every source is known: so a merge of tables of any size holds one page of each in memory, and
whoever drives it may wait for the next page as long as it takes.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from protocol.tables.page import TableRow

_Aged = tuple[bytes, int, bytes | None]


class Merger:
    """One merge. Feed what `hungry` names, then `step`, until that returns None."""

    def __init__(self, sources: int, *, is_oldest: bool) -> None:
        self._rows: list[Sequence[TableRow]] = [()] * sources
        self._at = [0] * sources
        self._ended = [False] * sources
        self._is_oldest = is_oldest

    def hungry(self) -> list[int]:
        """The sources whose next rows must be known before the next step."""
        return [
            number
            for number, rows in enumerate(self._rows)
            if self._at[number] == len(rows) and not self._ended[number]
        ]

    def feed(self, source: int, rows: Sequence[TableRow]) -> None:
        """The source's next rows; none: it has no more."""
        self._rows[source], self._at[source] = rows, 0
        self._ended[source] = not rows

    def step(self) -> list[TableRow] | None:
        """The next rows of the result, perhaps none of them; None at its end."""
        bounds = [rows[-1][0] for rows in self._rows if rows]
        if not bounds:
            return None
        return list(self._newest([self._take(number, min(bounds)) for number in range(len(self._rows))]))

    def _take(self, source: int, upto: bytes) -> list[_Aged]:
        rows, start = self._rows[source], self._at[source]
        end = bisect_right(rows, upto, lo=start, key=lambda row: row[0])
        self._at[source] = end
        taken = [(key, source, value) for key, value in rows[start:end]]
        if end == len(rows):
            self._rows[source], self._at[source] = (), 0
        return taken

    def _newest(self, taken: Sequence[Sequence[_Aged]]) -> Iterator[TableRow]:
        last: bytes | None = None
        for key, _age, value in heapq.merge(*taken):
            if key == last:
                continue
            last = key
            if value is not None or not self._is_oldest:
                yield key, value
