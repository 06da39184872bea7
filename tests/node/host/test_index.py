"""What every index promises; the same tests over the real one and the one in memory."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

from node.host.index import PAGES_BYTES_MAX
from node.host.ports import Host
from node.host.real import real_host
from protocol.errors import Damaged
from sim.host.world import World

PATH = PurePath("index/store.sqlite")


@pytest.fixture(params=["real", "memory"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return real_host(tmp_path) if request.param == "real" else World(1).host("n1")


def test_what_was_committed_is_there_when_reopened(host: Host) -> None:
    index = host.open_index(PATH)
    index.execute("CREATE TABLE share (id BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID")
    index.execute_many("INSERT INTO share VALUES (?, ?)", [(b"a", 1), (b"b", 2)])
    index.commit()
    index.execute("INSERT INTO share VALUES (?, ?)", (b"c", 3))
    index.close()
    again = host.open_index(PATH)
    assert again.execute("SELECT id, size FROM share ORDER BY id") == [(b"a", 1), (b"b", 2)]
    again.close()


def test_a_removed_index_opens_empty(host: Host) -> None:
    index = host.open_index(PATH)
    index.execute("CREATE TABLE share (id BLOB)")
    index.commit()
    index.close()
    assert host.disk.exists(PATH)
    host.disk.remove(PATH)
    assert not host.disk.exists(PATH)
    index = host.open_index(PATH)
    assert index.execute("SELECT name FROM sqlite_master") == []
    index.close()


def test_a_mistaken_statement_is_a_bug_and_not_damage(host: Host) -> None:
    index = host.open_index(PATH)
    with pytest.raises(sqlite3.OperationalError):
        index.execute("SELECT nothing FROM nowhere")
    index.close()


def test_a_file_that_is_no_database_is_named_and_can_be_replaced(tmp_path: Path) -> None:
    host = real_host(tmp_path)
    host.disk.replace(PATH, b"this was a database once" * 1000)
    with pytest.raises(Damaged) as caught:
        host.open_index(PATH)
    assert caught.value.identifier == "index-damaged"
    host.disk.remove(PATH)
    host.open_index(PATH).close()


def test_a_database_rotten_inside_is_named_when_the_rot_is_met(tmp_path: Path) -> None:
    host = real_host(tmp_path)
    index = host.open_index(PATH)
    index.execute("CREATE TABLE share (id INTEGER PRIMARY KEY, filler BLOB)")
    index.execute_many("INSERT INTO share VALUES (?, ?)", [(number, bytes(500)) for number in range(500)])
    index.commit()
    index.close()
    file = tmp_path / PATH
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises(Damaged) as caught:
        host.open_index(PATH).execute("SELECT sum(length(filler)) FROM share")
    assert caught.value.identifier == "index-damaged"


def test_an_index_damaged_in_memory_is_named_too() -> None:
    world = World(1)
    host = world.host("n1")
    host.open_index(PATH).close()
    world.platter("n1").databases[PATH].damage()
    with pytest.raises(Damaged):
        host.open_index(PATH)
    host.disk.remove(PATH)
    host.open_index(PATH).close()


def test_a_power_cut_takes_the_index_back_to_some_commit() -> None:
    seen = set()
    for seed in range(30):
        world = World(seed)
        index = world.host("n1").open_index(PATH)
        index.execute("CREATE TABLE number (n INTEGER)")
        for number in range(8):
            index.execute("INSERT INTO number VALUES (?)", (number,))
            index.commit()
        index.execute("INSERT INTO number VALUES (99)")
        world.platter("n1").crash(random.Random(seed))
        tables = world.host("n1").open_index(PATH)
        rows = tables.execute("SELECT n FROM number") if tables.execute("SELECT 1 FROM sqlite_master") else []
        assert rows == [(number,) for number in range(len(rows))]
        seen.add(len(rows))
        tables.close()
    assert {0, 1, 8} <= seen


# Four databases of 40 MiB, each allowed to keep all of it; then what the process has more than before.
MANY = """
import pathlib, sys
from node.host.index import open_sqlite

def resident_bytes():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

folder, indexes = pathlib.Path(sys.argv[1]), []
for number in range(4):
    index = open_sqlite(folder / f"{number}.sqlite")
    index.execute("PRAGMA cache_size = -65536")
    index.execute("CREATE TABLE row (key INTEGER PRIMARY KEY, value BLOB)")
    for first in range(0, 20_000, 1_000):
        index.execute_many("INSERT INTO row VALUES (?, ?)", [(first + one, bytes(2_000)) for one in range(1_000)])
        index.commit()
    index.close()
before = resident_bytes()
for number in range(4):
    indexes.append(open_sqlite(folder / f"{number}.sqlite"))
    indexes[-1].execute("PRAGMA cache_size = -65536")
    assert indexes[-1].execute("SELECT sum(length(value)) FROM row") == [(40_000_000,)]
print(resident_bytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read as Linux shows it")
def test_the_pages_of_all_databases_stay_within_one_bound(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(tmp_path)], check=True, capture_output=True, text=True, timeout=120
    )
    assert int(done.stdout) < PAGES_BYTES_MAX * 1.25
