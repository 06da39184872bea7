"""Who may come in, who must stay out, and how a member that moved is found again, with real processes."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.exits import CODES
from tests.support.devnet import Devnet, devnet, maillon, succeed

pytestmark = pytest.mark.processes

BYTES = random.Random(11).randbytes(2_000_000)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with devnet(tmp_path_factory.mktemp("four") / "devnet", "--nodes", "4") as running:
        yield running


def wait_healthy(net: Devnet) -> None:
    deadline = time.monotonic() + 90
    while not succeed("devnet", "status", "--dir", net.folder).result["healthy"]:
        assert time.monotonic() < deadline, net.logs()
        time.sleep(0.3)


def test_a_node_that_comes_back_at_another_address_is_found(four: Devnet) -> None:
    name = four.others[0]
    four.kill(name)
    config = four.node(name) / "maillon.toml"
    old = next(node["address"] for node in four.described["nodes"] if node["name"] == name)
    with socket.create_server(("127.0.0.1", 0)) as free:
        new = f"127.0.0.1:{free.getsockname()[1]}"
    config.write_text(config.read_text().replace(old, new))
    four.start(name)
    wait_healthy(four)
    members = succeed("--dir", four.gateway, "federation", "members").result
    assert [node["addresses"] for node in members["nodes"] if node["name"] == name] == [[new]]


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
