"""Bad days of real processes: what was acknowledged is there, the rest is whole or absent, every no has a reason."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.exits import CODES
from tests.support.devnet import Devnet, devnet, maillon, succeed

pytestmark = pytest.mark.processes

BYTES = random.Random(11).randbytes(6_000_000)
SMALL = BYTES[:5_000]


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """2-of-4 with a margin of one: three holders must answer for a write, two for a read."""
    with devnet(tmp_path_factory.mktemp("four") / "devnet", "--nodes", "4") as running:
        yield running


def restart(net: Devnet, name: str, faults: str = "") -> None:
    """The node's process again, with these faults planted in it."""
    net.kill(name)
    succeed("devnet", "start", name, "--dir", net.folder, env={"MAILLON_FAULTS": faults})


def healthy(net: Devnet) -> None:
    """Wait until every node sees every other and the namespace can be written."""
    deadline = time.monotonic() + 90
    while True:
        seen = succeed("devnet", "status", "--dir", net.folder).result
        status = succeed("--dir", net.gateway, "status").result
        if seen["healthy"] and all(namespace["writable"] for namespace in status["namespaces"]):
            return
        assert time.monotonic() < deadline, net.logs()
        time.sleep(0.3)


@pytest.mark.parametrize(
    ("point", "data"),
    [
        ("vault.before-spread=kill9", BYTES),
        ("vault.after-spread=kill9@2", BYTES),
        ("vault.before-journal=kill9", BYTES),
        ("journal.before-own-copy=kill9", SMALL),
        ("journal.after-own-copy=kill9", SMALL),
        ("vault.after-journal=kill9", SMALL),
        ("store.before-sync=kill9@2", BYTES),
        ("store.after-sync=kill9@2", BYTES),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_gateway_killed_during_a_put_keeps_what_it_acknowledged(four: Devnet, point: str, data: bytes) -> None:
    name = four.described["namespace"]["gateway"]
    key = "box/" + point.replace("=", "-")
    succeed("--dir", four.gateway, "put", "-", key + "-before", stdin=data)
    restart(four, name, point)
    healthy(four)
    ran = maillon("--dir", four.gateway, "put", "-", key, stdin=data)
    assert ran.code != 0, "the fault was not reached"
    restart(four, name)
    healthy(four)
    before = maillon("--dir", four.gateway, "get", key + "-before", "-")
    assert before.out == data, before.err
    after = maillon("--dir", four.gateway, "get", key, "-")
    assert (after.code, after.out) in ((0, data), (CODES["missing"], b"")), after.err


@pytest.mark.parametrize(
    "point", ["store.before-sync=kill9", "serve.before-put-answer=kill9", "store.after-sync=kill9"]
)
def test_a_holder_killed_during_a_put_does_not_stop_it(four: Devnet, point: str) -> None:
    victim = four.others[0]
    restart(four, victim, point)
    healthy(four)
    key = "box/holder-" + point.replace("=", "-")
    ran = maillon("--dir", four.gateway, "put", "-", key, stdin=BYTES)
    assert ran.code == 0, ran.err + four.logs()
    restart(four, victim)
    healthy(four)
    assert maillon("--dir", four.gateway, "get", key, "-").out == BYTES


@pytest.mark.parametrize("fault", ["disk.sync=EIO@2+", "disk.write=ENOSPC@4+"])
def test_a_holder_whose_disk_refuses_does_not_lose_a_put(four: Devnet, fault: str) -> None:
    victim = four.others[0]
    restart(four, victim, fault)
    healthy(four)
    key = "box/disk-" + fault.replace("=", "-")
    ran = maillon("--dir", four.gateway, "put", "-", key, stdin=BYTES)
    assert ran.code == 0, ran.err + four.logs()
    assert maillon("--dir", four.gateway, "get", key, "-").out == BYTES
    restart(four, victim)
    healthy(four)


def test_too_few_live_nodes_are_counted_and_named_and_reads_go_on(four: Devnet) -> None:
    succeed("--dir", four.gateway, "put", "-", "box/readable", stdin=BYTES)
    gone = four.others[:2]
    for name in gone:
        four.kill(name)
    ran = maillon("--dir", four.gateway, "put", "-", "box/too-few", "--json", stdin=BYTES)
    assert ran.code in (CODES["unavailable"], CODES["refused"])
    told = ran.documents[-1]["error"]["message"]
    assert all(name in told for name in gone), told
    read = maillon("--dir", four.gateway, "get", "box/readable", "-")
    assert read.out == BYTES, read.err
    for name in gone:
        four.start(name)
    healthy(four)
    succeed("--dir", four.gateway, "put", "-", "box/again", stdin=SMALL)


def test_a_spoilt_volume_and_a_lost_index_cost_nothing(four: Devnet) -> None:
    succeed("--dir", four.gateway, "put", "-", "box/spoilt", stdin=BYTES)
    victim = four.others[0]
    four.kill(victim)
    volumes = [path for path in (four.node(victim) / "volumes").rglob("*") if path.is_file()]
    largest = max(volumes, key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        for offset in range(100_000, largest.stat().st_size, 250_000):
            file.seek(offset)
            file.write(b"\xff\x00\xff")
    for path in (four.node(victim) / "index").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    four.start(victim)
    healthy(four)
    for _again in range(3):
        assert maillon("--dir", four.gateway, "get", "box/spoilt", "-").out == BYTES


def test_the_gateways_own_index_is_only_a_cache(four: Devnet) -> None:
    succeed("--dir", four.gateway, "put", "-", "box/cached", stdin=SMALL)
    name = four.described["namespace"]["gateway"]
    four.kill(name)
    for path in (four.gateway / "index").rglob("*"):
        if path.is_file():
            path.unlink()
    four.start(name)
    healthy(four)
    assert maillon("--dir", four.gateway, "get", "box/cached", "-").out == SMALL


def newcomer(folder: Path, name: str) -> Path:
    succeed("--dir", folder / name, "init", "--organisation", name, "--name", name, "--listen", "127.0.0.1:0")
    return folder / name


def test_an_invitation_is_used_once_and_only_as_it_was_made(four: Devnet, tmp_path: Path) -> None:
    token = succeed("--dir", four.gateway, "federation", "invite").result["token"]
    cut = maillon("--dir", newcomer(tmp_path, "a"), "federation", "join", token[:-4], "--json")
    assert (cut.code, cut.problem) == (CODES["malformed"], "invitation-text")
    succeed("--dir", tmp_path / "a", "federation", "join", token)
    again = maillon("--dir", newcomer(tmp_path, "b"), "federation", "join", token, "--json")
    assert (again.code, again.problem) == (CODES["refused"], "invitation-used")


def test_an_invitation_for_another_federation_is_refused(four: Devnet, tmp_path: Path) -> None:
    with devnet(tmp_path / "other", "--nodes", "2") as other:
        token = succeed("--dir", other.gateway, "federation", "invite").result["token"]
        joined = newcomer(tmp_path, "c")
        ran = succeed("--dir", joined, "federation", "join", token)
        theirs = succeed("--dir", other.gateway, "status").result["federation"]
        ours = succeed("--dir", four.gateway, "status").result["federation"]
        assert ran.result["federation"] == theirs != ours
        twice = succeed("--dir", four.gateway, "federation", "invite").result["token"]
        second = maillon("--dir", joined, "federation", "join", twice, "--json")
        assert (second.code, second.problem) == (CODES["refused"], "already-in-a-federation")


def test_an_expelled_node_is_shut_out(four: Devnet) -> None:
    succeed("--dir", four.gateway, "put", "-", "box/before-it", stdin=BYTES)
    victim = four.others[-1]
    voters = [four.gateway, *(four.node(name) for name in four.others[:2])]
    for voter in voters:
        line = succeed("--dir", voter, "federation", "expel", victim).result
        if line["state"] == "decided":
            break
    deadline = time.monotonic() + 30
    while True:
        members = succeed("--dir", four.gateway, "federation", "members").result
        if victim not in [node["name"] for node in members["nodes"]]:
            break
        assert time.monotonic() < deadline, four.logs()
        time.sleep(0.2)
    assert maillon("--dir", four.gateway, "get", "box/before-it", "-").out == BYTES
    four.kill(victim)
    four.start(victim)
    assert succeed("--dir", four.gateway, "status").result["members_live"] == 3
