"""The programs that people run do their real flows over S3 against a federation, while one of its nodes is killed.

One devnet serves all. Each test kills another holder half-way through its flow, and starts it again at its end;
the clients are told nothing of it, and must not notice.
"""

from __future__ import annotations

import filecmp
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from node.cli.devnet_book import load_book
from tests.support.processes import Town, some_bytes, town
from tests.support.s3_programs import Programs, locked, restic

LARGE_BYTES = 11_000_000  # three parts of rclone's and s3cmd's, two of the SDKs'
SMALL = {"a": 0, "b c": 1, "sub/été": 70_000, "sub/sub/d": 300_000}


@pytest.fixture(scope="module")
def s3_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("s3") / "devnet", "--code", "3/6", "--s3", "127.0.0.1:0") as made:
        yield made


@pytest.fixture
def programs(s3_town: Town, tmp_path: Path) -> Programs:
    found = load_book(s3_town.folder).s3
    assert found is not None
    return Programs(found, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Some files, one of them large."""
    for number, (name, size_bytes) in enumerate({**SMALL, "large": LARGE_BYTES}.items()):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(some_bytes(number, size_bytes))
    return tmp_path / "tree"


@asynccontextmanager
async def without(made: Town, name: str) -> AsyncIterator[None]:
    """The node is killed; afterwards it runs again, and the others know it."""
    await made.kill(name)
    yield
    await made.start(name)
    await made.see_live(name, by=("n1",))


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same."""
    found = filecmp.dircmp(one, other)
    differs = found.left_only or found.right_only or found.funny_files
    same_files = filecmp.cmpfiles(one, other, found.common_files, shallow=False)[0] == found.common_files
    return not differs and same_files and all(same(one / name, other / name) for name in found.common_dirs)


async def test_the_aws_cli(s3_town: Town, programs: Programs, tree: Path, tmp_path: Path) -> None:
    aws = locked("aws")
    await programs.run(aws, "s3", "mb", "s3://awscli")
    await programs.run(aws, "s3", "sync", tree, "s3://awscli/tree")
    async with without(s3_town, "n2"):
        await programs.run(aws, "s3", "cp", tree / "large", "s3://awscli/again")
        await programs.run(aws, "s3", "sync", "s3://awscli/tree", tmp_path / "back")
        assert same(tree, tmp_path / "back")
    await programs.run(aws, "s3", "rb", "--force", "s3://awscli")


async def test_rclone(s3_town: Town, programs: Programs, tree: Path, tmp_path: Path) -> None:
    rclone = locked("rclone")
    parts = ("--s3-upload-cutoff", "5Mi", "--s3-chunk-size", "5Mi")
    await programs.run(rclone, "sync", tree, "m:rclone/tree", *parts)
    async with without(s3_town, "n3"):
        await programs.run(rclone, "check", "--download", tree, "m:rclone/tree")
        (tree / "sub" / "new").write_bytes(b"new")
        (tree / "a").unlink()
        await programs.run(rclone, "sync", tree, "m:rclone/tree", *parts)
    await programs.run(rclone, "check", tree, "m:rclone/tree")
    await programs.run(rclone, "sync", "m:rclone/tree", tmp_path / "back")
    assert same(tree, tmp_path / "back")
    await programs.run(rclone, "purge", "m:rclone")


async def test_restic(s3_town: Town, programs: Programs, tree: Path, tmp_path: Path) -> None:
    program = restic()
    await programs.run(program, "init")
    await programs.run(program, "backup", tree)
    (tree / "large").write_bytes(some_bytes(9, LARGE_BYTES // 2))
    async with without(s3_town, "n4"):
        await programs.run(program, "backup", tree)
        await programs.run(program, "check", "--read-data")
    await programs.run(program, "forget", "--keep-last", "1", "--prune")
    await programs.run(program, "restore", "latest", "--target", tmp_path / "back")
    assert same(tree, tmp_path / "back" / tree.relative_to("/"))


async def test_s3cmd(s3_town: Town, programs: Programs, tree: Path, tmp_path: Path) -> None:
    s3cmd, config = locked("s3cmd"), ("-c", programs.s3cmd_config(), "--no-progress")
    await programs.run(s3cmd, *config, "mb", "s3://s3cmd")
    await programs.run(s3cmd, *config, "sync", "--multipart-chunk-size-mb=5", f"{tree}/", "s3://s3cmd/tree/")
    async with without(s3_town, "n5"):
        await programs.run(s3cmd, *config, "sync", "s3://s3cmd/tree/", f"{tmp_path}/back/")
        assert same(tree, tmp_path / "back")
        await programs.run(s3cmd, *config, "setacl", "--acl-public", "s3://s3cmd/tree/large")
        assert "*anon*: READ" in await programs.run(s3cmd, *config, "info", "s3://s3cmd/tree/large")
    await programs.run(s3cmd, *config, "rb", "--recursive", "--force", "s3://s3cmd")


async def test_minios_python_client(s3_town: Town, programs: Programs) -> None:
    minio = pytest.importorskip("minio", reason="minio is not installed beside this Python: `make install` does that")
    address = programs.s3.endpoint.removeprefix("http://")
    client = minio.Minio(address, programs.s3.access_key, programs.s3.secret_key, secure=False)
    data = some_bytes(1, LARGE_BYTES)

    def put(key: str, *, parts: bool = False) -> None:
        client.put_object(
            "minio", key, io.BytesIO(data), -1 if parts else len(data), part_size=5 * 2**20 if parts else 0
        )

    def read(key: str) -> bytes:
        with client.get_object("minio", key) as found:
            whole: bytes = found.read()
        return whole

    in_thread = trio.to_thread.run_sync
    await in_thread(client.make_bucket, "minio")
    await in_thread(lambda: put("parts", parts=True))
    async with without(s3_town, "n6"):
        await in_thread(put, "whole")
        assert await in_thread(read, "parts") == data
    assert await in_thread(read, "whole") == data
    assert [one.object_name for one in await in_thread(lambda: list(client.list_objects("minio")))] == [
        "parts",
        "whole",
    ]


async def test_boto3(s3_town: Town, programs: Programs, tree: Path, tmp_path: Path) -> None:
    await trio.to_thread.run_sync(_first_half, _boto(programs), tree)
    async with without(s3_town, "n2"):
        await trio.to_thread.run_sync(_second_half, _boto(programs), tree, tmp_path)


def _boto(programs: Programs) -> Any:
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed beside this Python: `make install` does that")
    return boto3.client(
        "s3",
        endpoint_url=programs.s3.endpoint,
        region_name=programs.s3.region,
        aws_access_key_id=programs.s3.access_key,
        aws_secret_access_key=programs.s3.secret_key,
    )


def _first_half(s3: Any, tree: Path) -> None:
    s3.create_bucket(Bucket="boto")
    s3.put_bucket_versioning(Bucket="boto", VersioningConfiguration={"Status": "Enabled"})
    s3.upload_file(str(tree / "large"), "boto", "large")
    s3.put_object(Bucket="boto", Key="k", Body=b"one", ChecksumAlgorithm="CRC64NVME", Metadata={"n": "1"})
    s3.put_object(Bucket="boto", Key="k", Body=b"two", IfMatch=s3.head_object(Bucket="boto", Key="k")["ETag"])


def _second_half(s3: Any, tree: Path, tmp_path: Path) -> None:
    s3.download_file("boto", "large", str(tmp_path / "large"))
    assert filecmp.cmp(tree / "large", tmp_path / "large", shallow=False)
    data = (tree / "large").read_bytes()
    assert (
        s3.get_object(Bucket="boto", Key="large", Range="bytes=8000000-9000000")["Body"].read()
        == data[8000000:9000001]
    )
    s3.copy({"Bucket": "boto", "Key": "large"}, "boto", "copy")
    s3.delete_object(Bucket="boto", Key="large")
    assert s3.get_object(Bucket="boto", Key="copy")["Body"].read() == data
    versions = s3.list_object_versions(Bucket="boto", Prefix="k")["Versions"]
    read = [s3.get_object(Bucket="boto", Key="k", VersionId=one["VersionId"])["Body"].read() for one in versions]
    assert read == [b"two", b"one"]
