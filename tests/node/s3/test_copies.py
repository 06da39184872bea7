"""Copies whose bytes pass through the gateway: from a bucket that another namespace shares, or to be hashed anew."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from node.s3.calls.call import Call
from node.s3.objects import copying
from node.s3.objects.multipart import read_part
from node.vault.shelf.terms import Finish, PutTerms
from tests.node.s3.test_multipart import LAST, PART, complete, upload_two
from tests.node.s3.test_objects import DATA, code_of
from tests.support.s3_door import DoorTest


def share(s3: Any, *actions: str, resource: str = "box/*") -> None:
    """Let `theirs` do so in our bucket."""
    told = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::theirs:root"},
        "Action": list(actions),
        "Resource": f"arn:aws:s3:::{resource}",
    }
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Statement": told}))


@pytest.fixture
def theirs(door: DoorTest) -> Any:
    """Another namespace's key, and a bucket of its own."""
    client = door.boto("THEIRKEY")
    client.create_bucket(Bucket="their-box")
    return client


def refusal(ask: Any) -> str:
    with pytest.raises(ClientError) as error:
        ask()
    return code_of(error)


@pytest.mark.parametrize("source", ["box/a b", "ours:box/a b"])
def test_what_is_shared_is_copied_home_with_all_that_is_said_of_it(s3: Any, theirs: Any, source: str) -> None:
    share(s3, "s3:GetObject", "s3:GetObjectTagging")
    s3.put_object(
        Bucket="box", Key="a b", Body=DATA, Metadata={"n": "1"}, ContentType="text/x", Tagging="t=1",
        ChecksumAlgorithm="SHA256",
    )  # fmt: skip
    made = theirs.copy_object(Bucket="their-box", Key="b", CopySource=source)["CopyObjectResult"]
    found = theirs.get_object(Bucket="their-box", Key="b", ChecksumMode="ENABLED")
    assert found["Body"].read() == DATA
    assert (found["Metadata"], found["ContentType"], found["TagCount"]) == ({"n": "1"}, "text/x", 1)
    ours = s3.head_object(Bucket="box", Key="a b", ChecksumMode="ENABLED")
    assert (found["ETag"], found["ChecksumSHA256"]) == (ours["ETag"], ours["ChecksumSHA256"])
    assert (made["ETag"], made["ChecksumSHA256"]) == (ours["ETag"], ours["ChecksumSHA256"])


def test_ones_own_is_copied_into_what_is_shared(s3: Any, theirs: Any) -> None:
    share(s3, "s3:PutObject")
    theirs.put_object(Bucket="their-box", Key="k", Body=DATA)
    theirs.copy_object(Bucket="box", Key="k", CopySource="their-box/k")
    assert s3.get_object(Bucket="box", Key="k")["Body"].read() == DATA


def test_a_copy_reads_nothing_that_is_not_shared(s3: Any, theirs: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=DATA)
    s3.put_object(Bucket="box", Key="public", Body=DATA, ACL="public-read")
    s3.put_object(Bucket="box", Key="tagged", Body=DATA, ACL="public-read", Tagging="t=1")

    def copy(key: str, **options: Any) -> Any:
        return theirs.copy_object(Bucket="their-box", Key="copy", CopySource=f"ours:box/{key}", **options)

    assert refusal(lambda: copy("k")) == "AccessDenied"
    assert refusal(lambda: copy("nothing")) == "AccessDenied"
    assert refusal(lambda: copy("tagged")) == "AccessDenied"
    copy("public")
    copy("tagged", TaggingDirective="REPLACE", Tagging="")
    assert refusal(lambda: copy("public", ExpectedSourceBucketOwner="theirs")) == "AccessDenied"
    copy("public", ExpectedSourceBucketOwner="ours", ExpectedBucketOwner="theirs")
    share(s3, "s3:GetObject")
    assert refusal(lambda: copy("nothing")) == "NoSuchKey"
    with pytest.raises(ClientError, match="NoSuchBucket"):
        theirs.copy_object(Bucket="their-box", Key="c", CopySource="others:box/k")


def test_conditions_and_versions_hold_between_namespaces(s3: Any, theirs: Any) -> None:
    share(s3, "s3:GetObject", "s3:GetObjectVersion")
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="box", Key="k", Body=b"first")
    s3.put_object(Bucket="box", Key="k", Body=b"second")

    def copy(source: str, **options: Any) -> Any:
        return theirs.copy_object(Bucket="their-box", Key="k", CopySource=source, **options)

    made = copy(f"box/k?versionId={first['VersionId']}", CopySourceIfMatch=first["ETag"], IfNoneMatch="*")
    assert made["CopySourceVersionId"] == first["VersionId"]
    assert theirs.get_object(Bucket="their-box", Key="k")["Body"].read() == b"first"
    assert refusal(lambda: copy("box/k", CopySourceIfMatch=first["ETag"])) == "PreconditionFailed"
    assert refusal(lambda: copy("box/k", IfNoneMatch="*")) == "PreconditionFailed"
    assert theirs.get_object(Bucket="their-box", Key="k")["Body"].read() == b"first"


def test_parts_are_copied_between_namespaces(s3: Any, theirs: Any) -> None:
    share(s3, "s3:GetObject")
    s3.put_object(Bucket="box", Key="k", Body=PART + LAST)
    upload = theirs.create_multipart_upload(Bucket="their-box", Key="k", ChecksumAlgorithm="CRC32C")["UploadId"]
    parts = []
    for number, first, last in ((1, 0, len(PART) - 1), (2, len(PART), len(PART) + len(LAST) - 1)):
        part = theirs.upload_part_copy(
            Bucket="their-box", Key="k", UploadId=upload, PartNumber=number, CopySource="box/k",
            CopySourceRange=f"bytes={first}-{last}",
        )["CopyPartResult"]  # fmt: skip
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32C": part["ChecksumCRC32C"]})
    assert parts[0]["ETag"] == f'"{hashlib.md5(PART).hexdigest()}"'
    done = theirs.complete_multipart_upload(
        Bucket="their-box", Key="k", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert done["ChecksumCRC32C"].endswith("-2")
    assert theirs.get_object(Bucket="their-box", Key="k")["Body"].read() == PART + LAST


def test_a_key_that_is_revoked_meanwhile_copies_nothing(s3: Any, theirs: Any, door: DoorTest) -> None:
    share(s3, "s3:GetObject")
    s3.put_object(Bucket="box", Key="k", Body=DATA)
    shelf = door.vault.shelf("ours")
    poured = shelf.objects.poured

    def revoked(*asked: Any) -> Any:
        door.vault.known.pop("THEIRKEY")
        return poured(*asked)

    shelf.objects.poured = revoked  # type: ignore[method-assign]
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        theirs.copy_object(Bucket="their-box", Key="k", CopySource="box/k")
    assert not door.vault.shelf("theirs").bucket("their-box").keys


def test_a_copy_may_be_hashed_by_another_algorithm(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="a", Body=DATA, ChecksumAlgorithm="CRC32C")
    s3.put_object(Bucket="box", Key="b", Body=DATA, ChecksumAlgorithm="CRC32")
    wanted = s3.head_object(Bucket="box", Key="b", ChecksumMode="ENABLED")["ChecksumCRC32"]
    made = s3.copy_object(Bucket="box", Key="c", CopySource="box/a", ChecksumAlgorithm="CRC32")
    assert made["CopyObjectResult"]["ChecksumCRC32"] == wanted
    onto_itself = s3.copy_object(Bucket="box", Key="a", CopySource="box/a", ChecksumAlgorithm="CRC32")
    assert onto_itself["CopyObjectResult"]["ChecksumCRC32"] == wanted
    assert "ChecksumCRC32C" not in s3.head_object(Bucket="box", Key="a", ChecksumMode="ENABLED")


def test_a_composite_checksum_becomes_one_of_the_whole_where_bytes_are_read(s3: Any, theirs: Any) -> None:
    share(s3, "s3:GetObject")
    complete(s3, *upload_two(s3, ChecksumAlgorithm="SHA256"))
    made = theirs.copy_object(Bucket="their-box", Key="k", CopySource="box/k")["CopyObjectResult"]
    assert made["ETag"] == f'"{hashlib.md5(PART + LAST).hexdigest()}"'
    assert made["ChecksumType"] == "FULL_OBJECT"


def test_a_part_is_a_copy_of_what_was_looked_at_or_of_nothing(
    s3: Any, door: DoorTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs copy what is large part by part, each on the condition that the source is still the same."""
    found = s3.put_object(Bucket="box", Key="source", Body=PART)
    upload = s3.create_multipart_upload(Bucket="box", Key="copy")["UploadId"]

    def replaced_meanwhile(call: Call) -> tuple[bytes, int]:
        door.vault.shelf("ours").objects.keep("box", "source", LAST, PutTerms(), Finish("another"))
        return read_part(call)

    monkeypatch.setattr(copying, "read_part", replaced_meanwhile)
    asked = {"Bucket": "box", "Key": "copy", "UploadId": upload, "PartNumber": 1, "CopySource": "box/source"}
    asked["CopySourceIfMatch"] = found["ETag"]
    assert refusal(lambda: s3.upload_part_copy(**asked)) == "ConditionalRequestConflict"
    assert "Parts" not in s3.list_parts(Bucket="box", Key="copy", UploadId=upload)
