"""What clients try who want more than they were given: other hosts, rights by detours, keys that are gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.node.s3.test_objects import code_of
from tests.support.s3_door import DoorTest
from tests.support.s3_signer import Signer

SITE = {"RedirectAllRequestsTo": {"HostName": "evil.example"}}
UNTIL = datetime.now(UTC) + timedelta(days=9)


def statement(action: str | list[str], resource: str = "box/*", effect: str = "Deny") -> dict[str, object]:
    return {
        "Effect": effect,
        "Principal": "*" if effect == "Deny" else {"AWS": "arn:aws:iam::theirs:root"},
        "Action": action,
        "Resource": f"arn:aws:s3:::{resource}",
    }


def policy(*statements: dict[str, object]) -> str:
    return json.dumps({"Statement": statements})


def denied(act: Any) -> None:
    with pytest.raises(ClientError) as error:
        act()
    assert code_of(error) == "AccessDenied"


def test_a_bucket_that_is_called_like_the_gateway_takes_no_request_from_it(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    theirs = door.boto("THEIRKEY")
    for name in ("s3.example.org", "gateway.example.net"):
        theirs.create_bucket(Bucket=name)
        theirs.put_bucket_website(Bucket=name, WebsiteConfiguration=SITE)
    assert s3.get_object(Bucket="box", Key="k")["Body"].read() == b"x"
    assert door.ask("GET", "/box/k").status == 403
    signed = Signer("GET", "/box/k", "UNSIGNED-PAYLOAD", {"host": "gateway.example.net"})
    found = door.ask("GET", "/box/k", headers=signed.headers, host="gateway.example.net")
    assert (found.status, found.body) == (200, b"x")
    assert door.ask("PUT", "/box/k", body=b"y", host="gateway.example.net").status == 403


def test_the_oldest_bucket_of_a_name_is_the_site_of_that_name(door: DoorTest) -> None:
    theirs, ours = door.boto("THEIRKEY"), door.boto()
    theirs.create_bucket(Bucket="www.association.fr")
    ours.create_bucket(Bucket="first")
    ours.create_bucket(Bucket="www.association.fr")
    for client, host in ((theirs, "theirs.example"), (ours, "ours.example")):
        elsewhere = {"RedirectAllRequestsTo": {"HostName": host, "Protocol": "https"}}
        client.put_bucket_website(Bucket="www.association.fr", WebsiteConfiguration=elsewhere)
    assert door.ask("GET", "/", host="www.association.fr").headers["location"] == "https://theirs.example/"


def test_a_copy_reads_nothing_that_its_key_may_not_read(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="secret/k", Body=b"x")
    s3.create_bucket(Bucket="other")
    s3.put_bucket_policy(Bucket="box", Policy=policy(statement("s3:GetObject", "box/secret/*")))
    denied(lambda: s3.get_object(Bucket="box", Key="secret/k"))
    denied(lambda: s3.copy_object(Bucket="other", Key="k", CopySource="box/secret/k"))
    upload = s3.create_multipart_upload(Bucket="other", Key="k")["UploadId"]
    denied(
        lambda: s3.upload_part_copy(Bucket="other", Key="k", UploadId=upload, PartNumber=1, CopySource="box/secret/k")
    )


def test_what_a_policy_denies_its_owner_does_not_come_back_as_a_header(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="box", Policy=policy(statement(["s3:PutObjectAcl", "s3:PutObjectTagging"])))
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    denied(lambda: s3.put_object(Bucket="box", Key="k", Body=b"x", ACL="public-read"))
    denied(lambda: s3.put_object(Bucket="box", Key="k", Body=b"x", Tagging="a=b"))


@pytest.mark.parametrize("is_guest", [False, True])
def test_governance_is_bypassed_only_by_whom_the_policy_lets(door: DoorTest, is_guest: bool) -> None:
    ours = door.boto()
    ours.create_bucket(Bucket="box", ObjectLockEnabledForBucket=True)
    version = ours.put_object(
        Bucket="box", Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=UNTIL
    )["VersionId"]
    delete = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    told = statement([*delete], "box/*", "Allow") if is_guest else statement("s3:BypassGovernanceRetention")
    more = [statement("s3:BypassGovernanceRetention", "box", "Allow")] if is_guest else []
    ours.put_bucket_policy(Bucket="box", Policy=policy(told, *more))
    client = door.boto("THEIRKEY") if is_guest else ours
    one = {"Key": "k", "VersionId": version}
    denied(lambda: client.delete_object(Bucket="box", BypassGovernanceRetention=True, **one))
    done = client.delete_objects(Bucket="box", Delete={"Objects": [one]}, BypassGovernanceRetention=True)
    assert [error["Code"] for error in done["Errors"]] == ["AccessDenied"]
    ours.put_bucket_policy(
        Bucket="box", Policy=policy(statement([*delete, "s3:BypassGovernanceRetention"], effect="Allow"))
    )
    done = client.delete_objects(Bucket="box", Delete={"Objects": [one]}, BypassGovernanceRetention=True)
    assert len(done["Deleted"]) == 1


def test_a_key_of_one_bucket_opens_no_bucket_of_that_name_elsewhere(s3: Any, door: DoorTest) -> None:
    theirs = door.boto("THEIRKEY")
    theirs.create_bucket(Bucket="box")
    theirs.put_object(Bucket="box", Key="k", Body=b"x", ACL="public-read")
    theirs.put_bucket_policy(
        Bucket="box", Policy=json.dumps({"Statement": [{**statement("s3:*", effect="Deny"), "Effect": "Allow"}]})
    )
    door.vault.add_key("ours", "BOXKEY", bucket="box")
    for key_id, status in (("OURKEY", 200), ("BOXKEY", 403)):
        signed = Signer("GET", "/theirs:box/k", "UNSIGNED-PAYLOAD", {}, key_id=key_id)
        assert door.ask("GET", "/theirs:box/k", headers=signed.headers).status == status
