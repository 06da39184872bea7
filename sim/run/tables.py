"""The tables of a run, made from its log: calls, availability, faults, nodes, blocks and broken promises.

Every number comes from the log, so whoever doubts a table can count again. Times are virtual seconds since the
federation was settled in. The redundancy of blocks is what the nodes' own words add up to: shares that were kept,
not released since, on disks that were not lost, at nodes that run. Bits that rot and shares that a liar forgets are
not in anybody's words.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sim.oracle.clients import ABSENCES
from sim.run.explain import Event

Cell = float | int | str | bool | None
INTERVALS: Final = 60


@dataclass(frozen=True, slots=True)
class Column:
    """`kind` is float, int, str or bool."""

    name: str
    kind: type


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in order of time."""

    name: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Equal parts of the run, for what is counted over time."""

    length_s: float

    def place(self, at_s: float) -> int:
        return int(at_s / self.length_s)

    def begin_s(self, place: int) -> float:
        return round(place * self.length_s, 6)


def tables_of(events: Sequence[Event]) -> tuple[Table, ...]:
    """All tables of a run."""
    last_s = max((event["t"] for event in events), default=0.0)
    intervals = Intervals(max(last_s / INTERVALS, 0.1))
    calls = _calls(events)
    return (
        calls,
        _availability(calls, intervals),
        _faults(events),
        _nodes(events),
        _blocks(events, intervals),
        _broken(events),
    )


def _calls(events: Iterable[Event]) -> Table:
    """Each call of a client, when it ended. That an object is not there is an answer."""
    rows = [
        (
            event["t"],
            event["gateway"],
            event["call"],
            event["key"],
            event["answer"],
            _is_answer(event),
            event["took_s"],
        )
        for event in events
        if event["event"] == "call"
    ]
    columns = (
        Column("at_s", float), Column("gateway", str), Column("call", str), Column("key", str),
        Column("answer", str), Column("answered", bool), Column("took_s", float),
    )  # fmt: skip
    return Table("calls", columns, rows)


def _is_answer(event: Event) -> bool:
    return event["answer"] == "done" or event["answer"] in ABSENCES


def _availability(calls: Table, intervals: Intervals) -> Table:
    """For each interval and kind of call: how many were answered, how many not, and how long answers took."""
    took_s: dict[tuple[int, str], list[float]] = {}
    refused: Counter[tuple[int, str]] = Counter()
    for at_s, _gateway, call, _key, _answer, answered, lasted_s in calls.rows:
        place = intervals.place(float(at_s or 0)), str(call)
        if answered:
            took_s.setdefault(place, []).append(float(lasted_s or 0))
        else:
            refused[place] += 1
    rows = [
        (
            intervals.begin_s(place),
            call,
            len(times),
            refused[place, call],
            _quantile(times, 0.5),
            _quantile(times, 0.95),
        )
        for place, call in sorted({*took_s, *refused})
        for times in [sorted(took_s.get((place, call), []))]
    ]
    columns = (
        Column("at_s", float), Column("call", str), Column("answered", int), Column("refused", int),
        Column("median_s", float), Column("p95_s", float),
    )  # fmt: skip
    return Table("availability", columns, rows)


def _quantile(ordered: Sequence[float], part: float) -> float | None:
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else None


def _faults(events: Iterable[Event]) -> Table:
    """Each fault that struck; `details` is JSON."""
    rows = [
        (event["t"], event["kind"], " ".join(struck(event)), json.dumps(_details(event)))
        for event in events
        if event["event"] == "fault"
    ]
    columns = (Column("at_s", float), Column("kind", str), Column("nodes", str), Column("details", str))
    return Table("faults", columns, rows)


def struck(fault: Event) -> list[str]:
    """The nodes that a fault names."""
    return [fault["node"]] if "node" in fault else list(fault.get("nodes", ()))


def _details(event: Event) -> dict[str, object]:
    return {name: value for name, value in event.items() if name not in ("t", "event", "kind", "node", "nodes")}


_STATES: Final = {
    "node-started": "runs", "node-died": "dead", "node-stopped": "stopped", "node-start-failed": "failed to start",
}  # fmt: skip


def _nodes(events: Iterable[Event]) -> Table:
    """When a node's state changed, and to what."""
    rows = [(event["t"], event["node"], _STATES[event["event"]]) for event in events if event["event"] in _STATES]
    return Table("nodes", (Column("at_s", float), Column("node", str), Column("state", str)), rows)


def _broken(events: Iterable[Event]) -> Table:
    """Each promise that was broken."""
    rows = [(event["t"], event["law"], event["told"]) for event in events if event["event"] == "violation"]
    return Table("violations", (Column("at_s", float), Column("law", str), Column("told", str)), rows)


def _blocks(events: Iterable[Event], intervals: Intervals) -> Table:
    """At the end of each interval, how many blocks had so many shares more than they need, on nodes that run."""
    rows: list[tuple[Cell, ...]] = []
    shelves, now = _Shelves(), 0
    for event in events:
        while intervals.place(event["t"]) > now:
            now += 1
            rows += [(intervals.begin_s(now), spare, count) for spare, count in sorted(shelves.spare().items())]
        shelves.hear(event)
    return Table("blocks", (Column("at_s", float), Column("spare_shares", int), Column("blocks", int)), rows)


@dataclass(slots=True)
class _Shelves:
    """Who keeps which shares, by the words of those who keep them."""

    needed: dict[str, int] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    kept: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    since_start: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)

    def spare(self) -> Counter[int]:
        """The blocks that an object needs, by the shares beyond k that can be read now."""
        return Counter(
            sum(1 for keepers in self.kept.get(block, {}).values() if keepers & self.running) - self.needed[block]
            for block in self.named
            if block in self.needed
        )

    def hear(self, event: Event) -> None:
        match event["event"]:
            case "said":
                self._hear_words(event, event.get("what", ""))
            case "node-started":
                self.running.add(event["node"])
                self.since_start[event["node"]] = []
            case "node-died" | "node-stopped" | "node-start-failed":
                self.running.discard(event["node"])
            case "fault" if event["kind"] in ("wipe", "destroy"):
                self._lose(event["node"])
            case "fault" if event["kind"] == "roll-back":
                for block, share in self.since_start.pop(event["node"], []):
                    self.kept.get(block, {}).get(share, set()).discard(event["node"])

    def _hear_words(self, event: Event, what: str) -> None:
        match what:
            case "share.kept":
                shares = self.kept.setdefault(event["block"], {})
                shares.setdefault(event["share"], set()).add(event["node"])
                self.since_start.setdefault(event["node"], []).append((event["block"], event["share"]))
            case "share.released":  # its owner needs the block no more
                self.named.discard(event["block"])
                self.kept.pop(event["block"], None)
            case "block.placed":
                self.needed[event["block"]] = event["k"]
            case "object.named":
                self.named.update(event["blocks"])
            case "pack.holds":
                self.named.add(event["block"])

    def _lose(self, node: str) -> None:
        for shares in self.kept.values():
            for keepers in shares.values():
                keepers.discard(node)


def write_tables(tables: Iterable[Table], folder: Path) -> None:
    """Each as CSV and as Parquet."""
    import pyarrow  # a library of the simulator's own: only when it is needed
    import pyarrow.parquet

    types = {float: pyarrow.float64(), int: pyarrow.int64(), str: pyarrow.string(), bool: pyarrow.bool_()}
    folder.mkdir()
    for table in tables:
        names = [column.name for column in table.columns]
        with (folder / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(table.rows)
        schema = pyarrow.schema([(column.name, types[column.kind]) for column in table.columns])
        arrays = [
            pyarrow.array(values, types[column.kind])
            for column, values in zip(table.columns, _across(table), strict=True)
        ]
        pyarrow.parquet.write_table(
            pyarrow.Table.from_arrays(arrays, schema=schema), folder / f"{table.name}.parquet"
        )


def _across(table: Table) -> Iterator[list[Cell]]:
    """Column by column."""
    for place in range(len(table.columns)):
        yield [row[place] for row in table.rows]
