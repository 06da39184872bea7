"""Two gateways of one organisation, in real processes: programs knock at one, and each bucket is one of theirs.

n1 and n4 are one organisation's. The only door is n1's; the namespace `second` is n4's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import trio
from botocore.config import Config
from botocore.exceptions import ClientError

from node.cli.devnet_book import load_book
from tests.support.devnet import succeed
from tests.support.processes import GATEWAY, Town, some_bytes, town
from tests.support.s3_client import Account

SECOND = "n4"
LARGE_BYTES = 11_000_000  # two parts of boto3's


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("two") / "devnet", "--orgs", "3", "--s3", "127.0.0.1:0") as started:
        yield started


def program(account: Account) -> Any:
    """What boto3 makes of an account."""
    return boto3.client(
        "s3",
        endpoint_url=account.endpoint,
        region_name=account.region,
        aws_access_key_id=account.access_key,
        aws_secret_access_key=account.secret_key,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )


def refusal(ask: Any) -> str:
    """The code that a request is refused with."""
    with pytest.raises(ClientError) as error:
        ask()
    return str(error.value.response["Error"]["Code"])


async def test_a_bucket_is_shared_with_keys_of_another_gateway(made: Town, tmp_path: Path) -> None:
    succeed("--dir", made.dir(SECOND), "namespace", "create", "second")
    (line,) = succeed("--dir", made.dir(SECOND), "namespace", "list").result["lines"]
    key = succeed("--dir", made.dir(SECOND), "s3", "key", "create", "--namespace", "second").result
    s3 = load_book(made.folder).s3
    assert s3 is not None
    ours = Account(s3.endpoint, s3.region, s3.access_key, s3.secret_key)
    owner, other = program(ours), program(Account(ours.endpoint, ours.region, key["access_key"], key["secret_key"]))
    data, path = some_bytes(1, LARGE_BYTES), tmp_path / "large"
    path.write_bytes(data)

    def work() -> None:
        owner.create_bucket(Bucket="shared")
        other.create_bucket(Bucket="own")  # any gateway answers for any namespace of the organisation
        other.upload_file(str(path), "own", "large")
        assert other.get_object(Bucket="own", Key="large")["Body"].read() == data
        assert refusal(lambda: other.put_object(Bucket="shared", Key="k", Body=b"x")) == "AccessDenied"
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{line['id']}:root"},
            "Action": ["s3:PutObject", "s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::shared", "arn:aws:s3:::shared/*"],
        }
        owner.put_bucket_policy(
            Bucket="shared", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
        other.upload_file(str(path), "shared", "large")
        assert [one["Key"] for one in other.list_objects_v2(Bucket="shared")["Contents"]] == ["large"]
        assert other.get_object(Bucket="shared", Key="large", Range="bytes=9-99")["Body"].read() == data[9:100]
        assert refusal(lambda: other.delete_object(Bucket="shared", Key="large")) == "AccessDenied"
        assert refusal(lambda: other.head_bucket(Bucket="nobodys")) == "404"
        assert owner.get_object(Bucket="shared", Key="large")["Body"].read() == data

    await trio.to_thread.run_sync(work)
    assert key["secret_key"] not in (made.dir(GATEWAY) / "node.log").read_text()
    await made.kill(SECOND)
    await trio.to_thread.run_sync(lambda: said_not_now(other))
    await made.start(SECOND)


def said_not_now(client: Any) -> None:
    """The gateway of its key is away: a program must try again, and not give up."""
    assert refusal(lambda: client.get_object(Bucket="shared", Key="large")) == "SlowDown"
