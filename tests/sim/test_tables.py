"""The tables and figures of a run: what they count, and that other programs can read them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from sim.run.figures import write_figures
from sim.run.tables import Table, tables_of, write_tables


def said(at_s: float, node: str, what: str, **details: object) -> dict[str, Any]:
    return {"t": at_s, "event": "said", "node": node, "what": what, **details}


def call(at_s: float, answer: str, took_s: float = 0.1, kind: str = "get") -> dict[str, Any]:
    return {"t": at_s, "event": "call", "gateway": "n1", "call": kind, "key": "k", "answer": answer, "took_s": took_s}


def event(at_s: float, name: str, **details: object) -> dict[str, Any]:
    return {"t": at_s, "event": name, **details}


STARTS = [event(0.0, "node-started", node=f"n{number}") for number in (1, 2, 3)]
STORED = [
    said(1.0, "n2", "share.kept", block="aa", share=0),
    said(1.0, "n3", "share.kept", block="aa", share=1),
    said(1.1, "n1", "share.kept", block="aa", share=2),
    said(1.2, "n1", "block.placed", block="aa", k=2, n=3, missing=0),
    said(1.3, "n1", "object.named", version="01", blocks=["aa"]),
]
END = event(60.0, "healed", after_s=1.0)


def table(name: str, *events: dict[str, Any]) -> Table:
    return next(each for each in tables_of(events) if each.name == name)


def spare_at_the_end(*events: dict[str, Any]) -> list[tuple[object, object]]:
    return [row[1:] for row in table("blocks", *STARTS, *STORED, *events, END).rows if row[0] == 60.0]


def test_that_an_object_is_not_there_is_an_answer() -> None:
    rows = table("calls", call(1.0, "done"), call(2.0, "object-missing"), call(3.0, "holders-too-few")).rows
    assert [row[5] for row in rows] == [True, True, False]


def test_availability_counts_each_interval_and_kind_of_call() -> None:
    calls = [call(0.5, "done", took_s) for took_s in (0.3, 0.1, 0.2)]
    found = table("availability", *calls, call(0.6, "lost"), call(0.7, "done", 9.0, "put"), call(30.5, "lost"), END)
    assert found.rows == [(0.0, "get", 3, 1, 0.2, 0.3), (0.0, "put", 1, 0, 9.0, 9.0), (30.0, "get", 0, 1, None, None)]


def test_faults_keep_their_own_details() -> None:
    (row,) = table("faults", event(3.0, "fault", kind="partition", nodes=["n1", "n2"], direction="out")).rows
    assert row[:3] == (3.0, "partition", "n1 n2")
    assert json.loads(str(row[3])) == {"direction": "out"}


@pytest.mark.parametrize(
    ("happens", "spare"),
    [
        ([], 1),
        ([event(5.0, "node-died", node="n2")], 0),
        ([event(5.0, "node-stopped", node="n2"), event(6.0, "node-started", node="n2")], 1),
        ([event(5.0, "fault", kind="wipe", node="n2"), event(6.0, "node-started", node="n2")], 0),
        ([event(5.0, "fault", kind="roll-back", node="n2")], 0),
        ([event(5.0, "node-died", node="n2"), event(5.0, "node-died", node="n3")], -1),
        ([event(5.0, "fault", kind="wipe", node="n2"), said(6.0, "n3", "share.kept", block="aa", share=0)], 1),
    ],
)
def test_a_block_has_the_shares_that_nodes_which_run_still_keep(happens: list[dict[str, Any]], spare: int) -> None:
    assert spare_at_the_end(*happens) == [(spare, 1)]


def test_a_block_that_nobody_needs_is_not_counted() -> None:
    assert spare_at_the_end(said(5.0, "n2", "share.released", block="aa", share=0)) == []
    assert spare_at_the_end(said(5.0, "n3", "share.kept", block="bb", share=0)) == [(1, 1)]
    packed = [
        said(6.0, "n1", "block.placed", block="bb", k=1, n=2, missing=1),
        said(7.0, "n1", "pack.holds", block="bb"),
    ]
    assert spare_at_the_end(said(5.0, "n3", "share.kept", block="bb", share=0), *packed) == [(0, 1), (1, 1)]


LOG = [
    *STARTS, *STORED, call(2.0, "done"), event(3.0, "fault", kind="kill", node="n2"),
    event(3.0, "node-died", node="n2"), call(4.0, "lost"),
    event(5.0, "violation", law="placement", told="two, in one place"), END,
]  # fmt: skip


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    tables = tables_of(LOG)
    write_tables(tables, tmp_path / "tables")
    assert [each.name for each in tables] == ["calls", "availability", "faults", "nodes", "blocks", "violations"]
    for each in tables:
        assert each.rows
        read = parquet.read_table(tmp_path / "tables" / f"{each.name}.parquet")
        assert list(zip(*read.to_pydict().values(), strict=True)) == list(each.rows)
        with (tmp_path / "tables" / f"{each.name}.csv").open(newline="") as file:
            heading, *rows = csv.reader(file)
        assert heading == read.column_names
        assert rows == [["" if cell is None else str(cell) for cell in row] for row in each.rows]


@pytest.mark.parametrize("log", [LOG, []], ids=["a log", "an empty log"])
def test_figures_are_drawn_without_a_screen_and_twice_the_same(log: list[dict[str, Any]], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for folder in ("one", "two"):
        write_figures(tables_of(log), tmp_path / folder, "a run")
    for name in ("availability", "blocks"):
        svg = (tmp_path / "one" / f"{name}.svg").read_bytes()
        assert b"<svg" in svg
        assert svg == (tmp_path / "two" / f"{name}.svg").read_bytes()
        assert (tmp_path / "one" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
