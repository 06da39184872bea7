"""A devnet of real processes: its contract, its life, and objects through losses."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from node.cli.devnet_book import has_ended
from node.cli.exits import CODES
from tests.support.devnet import Devnet, devnet, maillon, succeed
from tests.support.s3_client import Account, Answer, account_of, connect

pytestmark = pytest.mark.processes

BYTES = random.Random(7).randbytes(9_000_000)


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with devnet(tmp_path_factory.mktemp("six") / "devnet", "--nodes", "6", "--s3", "127.0.0.1:0") as running:
        yield running


def test_up_prints_one_document_that_is_the_contract(six: Devnet) -> None:
    described = six.described
    assert set(described) == {"nodes", "namespace", "s3"}
    assert set(described["s3"]) == {"endpoint", "region", "access_key", "secret_key"}
    assert described["s3"]["endpoint"].startswith("http://127.0.0.1:")
    assert set(described["namespace"]) == {"name", "gateway", "recovery"}
    assert len(described["nodes"]) == 6
    for node in described["nodes"]:
        assert set(node) == {"name", "id", "organisation", "zone", "pid", "dir", "address", "words"}
        assert not has_ended(node["pid"])
        assert Path(node["dir"]).is_dir()
    assert len({node["organisation"] for node in described["nodes"]}) == 6
    assert len({node["zone"] for node in described["nodes"]}) == 6
    words = [word for line in described["namespace"]["recovery"].splitlines() for word in line.split()]
    assert len(words) >= 33


def test_every_node_sees_six_members_in_six_admitted_organisations(six: Devnet) -> None:
    for node in six.described["nodes"]:
        status = succeed("--dir", node["dir"], "status").result
        assert status["members_live"] == 6
        assert status["organisations"] == 6
        assert status["code"] == "3-of-6"
        assert status["engine"] in ("isal", "zfec")
        assert status["warnings"] == []
    members = succeed("--dir", six.gateway, "federation", "members").result
    assert all(organisation["admitted"] for organisation in members["organisations"])
    assert succeed("devnet", "status", "--dir", six.folder).result["healthy"]


def test_an_object_goes_in_and_comes_out(six: Devnet, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(BYTES)
    stored = succeed("--dir", six.gateway, "put", source, "box/large").result
    assert stored["size_bytes"] == len(BYTES)
    succeed("--dir", six.gateway, "get", "box/large", target)
    assert target.read_bytes() == BYTES
    found = succeed("--dir", six.gateway, "stat", "box/large").result
    assert found["blocks"] == 3
    assert found["stored_bytes"] < 2.1 * len(BYTES)


def test_standard_input_and_output(six: Devnet) -> None:
    for size in (0, 1, 70_000, 1_500_000):
        succeed("--dir", six.gateway, "put", "-", f"box/pipe-{size}", stdin=BYTES[:size])
        ran = maillon("--dir", six.gateway, "get", f"box/pipe-{size}", "-")
        assert ran.code == 0, ran.err
        assert ran.out == BYTES[:size]


def test_a_folder_goes_in_and_comes_out(six: Devnet, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    contents = {f"deep/er/file-{number}": BYTES[number : number * 999] for number in range(40)}
    contents["empty"], contents["ünïcode näme"] = b"", b"x"
    for name, data in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    (source / "link").symlink_to("empty")
    ran = succeed("--dir", six.gateway, "put", source, "tree/in", "--recursive")
    assert ran.result["files"] == len(contents)
    assert [path.rpartition("/")[2] for path in ran.result["skipped"]] == ["link"]
    assert succeed("--dir", six.gateway, "ls", "tree").result["count"] == len(contents)
    succeed("--dir", six.gateway, "get", "tree/in", target, "--recursive")
    found = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert found == contents
    removed = succeed("--dir", six.gateway, "rm", "tree/in/deep", "--recursive").result
    assert removed["objects"] == 40
    assert succeed("--dir", six.gateway, "ls", "tree").result["count"] == 2


def ask(account: Account, method: str, path: str, body: bytes = b"") -> Answer:
    """One request of a program."""

    async def main() -> Answer:
        connection = await connect(account)
        try:
            return await connection.ask(method, path, body=body)
        finally:
            await connection.aclose()

    return trio.run(main)


def test_programs_come_in_by_the_s3_door(six: Devnet, tmp_path: Path) -> None:
    account = account_of(six.described)
    assert ask(account, "PUT", "/programs").status == 200
    assert ask(account, "PUT", "/programs/a b", BYTES[:5_000_000]).status == 200
    succeed("--dir", six.gateway, "get", "programs/a b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BYTES[:5_000_000]
    succeed("--dir", six.gateway, "put", "-", "programs/by hand", stdin=BYTES[:70_000])
    answer = ask(account, "GET", "/programs/by hand")
    assert (answer.status, answer.body) == (200, BYTES[:70_000])
    stranger = dataclasses.replace(account, secret_key="x" * 40)
    assert ask(stranger, "GET", "/programs/by hand").status == 403
    assert b"<Code>NotImplemented</Code>" in ask(account, "BREW", "/programs").body
    assert account.secret_key not in (six.gateway / "node.log").read_text()


def test_a_key_works_until_it_is_revoked(six: Devnet) -> None:
    named = ("--access-key", "READER00", "--secret-key", "a secret that a program has already")
    made = succeed("--dir", six.gateway, "s3", "key", "create", "--read-only", *named).result
    assert made == {**six.described["s3"], "access_key": "READER00", "secret_key": named[-1]}
    account = Account(**made)
    assert ask(account, "GET", "/").status == 200
    assert ask(account, "PUT", "/readers").status == 403
    lines = succeed("--dir", six.gateway, "s3", "key", "list").result["lines"]
    found = {line["access_key"]: line for line in lines}
    assert found["READER00"]["read_only"]
    assert not found[six.described["s3"]["access_key"]]["read_only"]
    assert all("secret" not in name for line in lines for name in line)
    succeed("--dir", six.gateway, "s3", "key", "revoke", "READER00")
    assert ask(account, "GET", "/").status == 403
    again = maillon("--dir", six.gateway, "s3", "key", "revoke", "READER00", "--json")
    assert again.code == CODES["missing"]


def test_explain_names_six_nodes_in_six_organisations(six: Devnet) -> None:
    succeed("--dir", six.gateway, "put", "-", "box/explained", stdin=BYTES[:300_000])
    where = succeed("--dir", six.gateway, "explain", "box/explained").result
    (block,) = where["blocks"]
    assert len({share["organisation"] for share in block["shares"]}) == 6
    assert all(share["present"] and not share["objection"] for share in block["shares"])
    told = maillon("--dir", six.gateway, "explain", "box/explained")
    assert told.code == 0
    assert "at most" in told.out.decode()


def test_what_is_not_there_is_missing(six: Devnet, tmp_path: Path) -> None:
    for arguments in (("stat", "box/nothing"), ("get", "box/nothing", str(tmp_path / "x")), ("rm", "box/nothing")):
        ran = maillon("--dir", six.gateway, *arguments, "--json")
        assert ran.code == CODES["missing"]
        assert ran.problem == "object-missing"
    assert not (tmp_path / "x").exists()


def test_a_node_that_is_not_the_gateway_names_it_or_has_no_namespace(six: Devnet) -> None:
    ran = maillon("--dir", six.node(six.others[0]), "put", "-", "box/elsewhere", "--json", stdin=b"x")
    assert ran.code in (CODES["refused"], CODES["missing"])
    assert ran.problem in ("not-the-gateway", "namespace-none")


def test_a_second_start_of_a_running_node_is_refused(six: Devnet) -> None:
    ran = maillon("--dir", six.gateway, "node", "run")
    assert ran.code == CODES["refused"]
    assert "already running" in ran.err


def test_up_in_the_same_folder_is_refused_and_harms_nothing(six: Devnet) -> None:
    ran = maillon("devnet", "up", "--dir", six.folder, "--json")
    assert ran.code == CODES["refused"]
    assert ran.problem == "devnet-exists"
    assert all(not has_ended(node["pid"]) for node in six.described["nodes"])


def wait_healthy(net: Devnet) -> None:
    deadline = time.monotonic() + 60
    while not succeed("devnet", "status", "--dir", net.folder).result["healthy"]:
        assert time.monotonic() < deadline, net.logs()
        time.sleep(0.3)


def test_two_wiped_nodes_lose_nothing_and_come_back(six: Devnet, tmp_path: Path) -> None:
    succeed("--dir", six.gateway, "put", "-", "box/survivor", stdin=BYTES)
    lost = six.others[-2:]
    for name in lost:
        six.kill(name, wipe=True)
        assert not (six.node(name) / "volumes").exists()
    ran = maillon("--dir", six.gateway, "get", "box/survivor", tmp_path / "back")
    assert ran.code == 0, ran.err + six.logs()
    assert (tmp_path / "back").read_bytes() == BYTES
    for name in lost:
        six.start(name)
    wait_healthy(six)


def test_nodes_share_organisations_round_robin(tmp_path: Path) -> None:
    shape = ("--nodes", "6", "--orgs", "3", "--zones", "2", "--code", "2/6", "--s3", "127.0.0.1:0")
    with devnet(tmp_path / "shared", *shape) as running:
        names = [node["organisation"] for node in running.described["nodes"]]
        assert names == ["org1", "org2", "org3"] * 2
        assert [node["zone"] for node in running.described["nodes"]] == ["zone1", "zone2"] * 3
        status = succeed("--dir", running.gateway, "status").result
        assert status["organisations"] == 3
        assert status["code"] == "2-of-6"
        succeed("--dir", running.gateway, "put", "-", "box/x", stdin=BYTES[:200_000])
        (block,) = succeed("--dir", running.gateway, "explain", "box/x").result["blocks"]
        holders = [share["organisation"] for share in block["shares"]]
        assert all(holders.count(name) == 2 for name in set(holders))
        check_any_gateway_answers(running)
        check_a_namespace_moves_under_its_programs(running, tmp_path)
        check_down_stops_every_process_and_wipe_removes_the_folders(running)


def check_any_gateway_answers(shared: Devnet) -> None:
    """n4 is of n1's organisation and has no door of its own: programs reach its namespace through n1."""
    other = shared.node("n4")
    succeed("--dir", other, "namespace", "create", "other")
    made = succeed("--dir", other, "s3", "key", "create").result
    assert made["endpoint"] == ""
    account = Account(**{**made, "endpoint": shared.described["s3"]["endpoint"]})
    assert ask(account, "PUT", "/elsewhere").status == 200
    assert ask(account, "PUT", "/elsewhere/large", BYTES[:3_000_000]).status == 200
    assert ask(account, "GET", "/elsewhere/large").body == BYTES[:3_000_000]
    assert ask(account, "GET", "/elsewhere/none").status == 404
    assert ask(account_of(shared.described), "GET", "/elsewhere/large").status in (403, 404)
    assert succeed("--dir", other, "ls", "elsewhere").result["count"] == 1


def check_a_namespace_moves_under_its_programs(shared: Devnet, tmp_path: Path) -> None:
    """From n1 to n4, while a program goes on asking n1: it has to try again for a while, and finds everything."""
    account, sheet = account_of(shared.described), tmp_path / "sheet"
    assert ask(account, "PUT", "/moved").status == 200
    assert ask(account, "PUT", "/moved/before", BYTES[:5_000]).status == 200
    sheet.write_text(shared.described["namespace"]["recovery"])
    succeed("--dir", shared.node("n4"), "namespace", "follow", sheet)
    succeed("--dir", shared.node("n1"), "namespace", "move", "demo", "--to", "n4")
    deadline = time.monotonic() + 20
    while (answer := ask(account, "PUT", "/moved/after", BYTES[:5_000])).status != 200:
        assert answer.status == 503, answer.body
        assert time.monotonic() < deadline, answer.body
        time.sleep(0.2)
    for name in ("before", "after"):
        assert ask(account, "GET", f"/moved/{name}").body == BYTES[:5_000]
    assert (
        succeed("--dir", shared.node("n4"), "stat", "moved/after", "--namespace", "demo").result["size_bytes"]
        == 5_000
    )


def check_down_stops_every_process_and_wipe_removes_the_folders(shared: Devnet) -> None:
    pids = [node["pid"] for node in shared.described["nodes"]]
    assert not any(has_ended(pid) for pid in pids)
    succeed("devnet", "down", "--dir", shared.folder)
    assert all(has_ended(pid) for pid in pids)
    assert json.loads((shared.folder / "devnet.json").read_text())["nodes"]
    succeed("devnet", "down", "--dir", shared.folder, "--wipe")
    assert list(shared.folder.iterdir()) == []
