"""The gateway burns with its disk; an empty folder and the words on paper bring everything back, and write again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from node.admin.calls import Nothing
from node.admin.namespace_calls import NAMESPACES
from node.cli.reach import node_at
from node.first_error import first_error
from node.host.faults import VARIABLE
from protocol.errors import MaillonError
from tests.support.devnet import Devnet, devnet, maillon, succeed
from tests.support.processes import eventually, some_bytes

pytestmark = pytest.mark.processes

SIZES = (0, 1, 4_096, 65_536, 65_537, 600_000, 9_000_000)


@pytest.fixture(scope="module")
def burned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Devnet, Path]]:
    """Four nodes, files in the namespace of n1, and then no n1 any more; the files."""
    folder = tmp_path_factory.mktemp("recovery")
    files = folder / "files"
    files.mkdir()
    for number, size_bytes in enumerate(SIZES):
        (files / f"file-{number}").write_bytes(some_bytes(number, size_bytes))
    with devnet(folder / "devnet", "--nodes", "4") as made:
        succeed("--dir", made.gateway, "put", "--recursive", files, "box/files")
        made.kill("n1", wipe=True)
        shutil.rmtree(made.gateway)
        yield made, files


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """The node in `folder`, until the block ends."""
    with (folder / "node.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "node", "--dir", str(folder), "node", "run"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGTERM)
        child.wait(timeout=30)


def read_all(machine: Path, out: Path, files: Path) -> None:
    """Every file, compared byte for byte."""
    succeed("--dir", machine, "get", "--recursive", "box/files", out)
    for number in range(len(SIZES)):
        name = f"file-{number}"
        assert (out / name).read_bytes() == (files / name).read_bytes()


async def until_open(machine: Path) -> None:
    """The node answers, and its namespace is open."""

    async def is_open() -> bool:
        try:
            with first_error():
                async with node_at(machine) as client:
                    page = await client.call(NAMESPACES, Nothing())
        except MaillonError:
            return False
        return all(line.why_not in ("", "namespace-read-only") for line in page.lines)

    await eventually(is_open, "the namespace opens")


def test_from_the_words_alone_every_file_comes_back_and_the_namespace_is_written_again(
    burned: tuple[Devnet, Path], tmp_path: Path
) -> None:
    made, files = burned
    assert made.described["s3"] is None, "nobody asked for a door"
    machine, sheet = tmp_path / "machine", made.described["namespace"]["recovery"].encode()
    command = ("--dir", machine, "namespace", "recover", "-", "--listen", "127.0.0.1:0", "--json")
    for point in ("after-folder", "after-records", "after-secrets"):
        killed = maillon(*command, stdin=sheet, env={VARIABLE: f"recovery.{point}=kill9"})
        assert killed.code == -signal.SIGKILL, killed.err
    # It has all that it needs: the sheet is not asked for again.
    recovered = succeed("--dir", machine, "namespace", "recover")
    assert recovered.result["objects"] == len(SIZES)
    with running(machine):
        trio.run(until_open, machine)
        read_all(machine, tmp_path / "guest", files)
        refused = maillon("--dir", machine, "put", "-", "box/more", "--json", stdin=b"more")
        assert refused.problem == "namespace-read-only"
    words = next(node["words"] for node in made.described["nodes"] if node["name"] == "n1").encode()
    rejoined = succeed("--dir", machine, "federation", "rejoin", stdin=words)
    assert rejoined.result["organisation"] == "org1"
    with running(machine):
        trio.run(until_open, machine)
        succeed("--dir", machine, "put", "-", "box/more", stdin=b"more")
        read_all(machine, tmp_path / "member", files)
        assert succeed("--dir", machine, "get", "box/more", "-").out.startswith(b"more")
        drill = succeed("--dir", machine, "namespace", "sheet", "-", "--verify", stdin=sheet).result
        assert drill["is_recorded"]
        assert drill["found"]["objects"] == drill["found"]["read_objects"] == len(SIZES) + 1
