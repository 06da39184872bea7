"""Buckets by boto3: their names, versions, locks, rules and documents; what is not served is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from node.s3.buckets.lifecycle import read_rules
from node.vault.shelf.terms import LifecycleRule, Tag
from tests.node.s3.test_objects import code_of
from tests.support.s3_door import DoorTest
from tests.support.s3_signer import Signer

LATER = datetime(2040, 1, 1, tzinfo=UTC)


def refusal(ask: Any) -> str:
    with pytest.raises(ClientError) as error:
        ask()
    return code_of(error)


def test_a_bucket_is_made_looked_at_and_deleted(s3: Any) -> None:
    assert s3.head_bucket(Bucket="box")["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="box").get("LocationConstraint") is None
    assert refusal(lambda: s3.create_bucket(Bucket="box")) == "BucketAlreadyOwnedByYou"
    s3.put_object(Bucket="box", Key="k", Body=b"")
    assert refusal(lambda: s3.delete_bucket(Bucket="box")) == "BucketNotEmpty"
    s3.delete_object(Bucket="box", Key="k")
    s3.delete_bucket(Bucket="box")
    assert refusal(lambda: s3.head_bucket(Bucket="box")) == "404"


def test_anybody_may_learn_the_region(s3: Any, door: DoorTest) -> None:
    """The SDKs for Go ask so, without a key, and look at the header alone."""
    found = door.ask("HEAD", "/box")
    assert (found.status, found.headers["x-amz-bucket-region"]) == (403, "us-east-1")


@pytest.mark.parametrize("name", ["Box", "b_x", "192.168.1.1", "a..b", "xn--box"])
def test_names_of_buckets_follow_amazons_rules(s3: Any, name: str) -> None:
    assert refusal(lambda: s3.create_bucket(Bucket=name)) == "InvalidBucketName"


def test_a_bucket_elsewhere_is_refused(s3: Any) -> None:
    made = {"LocationConstraint": "eu-west-3"}
    assert refusal(lambda: s3.create_bucket(Bucket="paris", CreateBucketConfiguration=made)) == (
        "IllegalLocationConstraintException"
    )


def test_versions_of_a_key_are_read_and_deleted_one_by_one(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"0")
    assert "Status" not in s3.get_bucket_versioning(Bucket="box")
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    one = s3.put_object(Bucket="box", Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket="box", Key="k")["VersionId"]
    assert refusal(lambda: s3.get_object(Bucket="box", Key="k")) == "NoSuchKey"
    assert refusal(lambda: s3.get_object(Bucket="box", Key="k", VersionId=marker)) == "MethodNotAllowed"
    assert s3.get_object(Bucket="box", Key="k", VersionId=one)["Body"].read() == b"1"
    assert s3.get_object(Bucket="box", Key="k", VersionId="null")["Body"].read() == b"0"
    s3.delete_object(Bucket="box", Key="k", VersionId=marker)
    assert s3.get_object(Bucket="box", Key="k")["VersionId"] == one
    assert refusal(lambda: s3.get_object(Bucket="box", Key="k", VersionId="x")) == "InvalidArgument"
    assert refusal(lambda: s3.get_object(Bucket="box", Key="k", VersionId="0" * 31 + "1")) == "NoSuchVersion"


def test_what_is_locked_is_not_deleted(s3: Any) -> None:
    s3.create_bucket(Bucket="safe", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket="safe", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    assert s3.get_object_lock_configuration(Bucket="safe")["ObjectLockConfiguration"]["Rule"] == rule
    kept = s3.put_object(Bucket="safe", Key="k", Body=b"")["VersionId"]
    assert s3.head_object(Bucket="safe", Key="k")["ObjectLockMode"] == "GOVERNANCE"
    assert refusal(lambda: s3.delete_object(Bucket="safe", Key="k", VersionId=kept)) == "AccessDenied"
    s3.delete_object(Bucket="safe", Key="k", VersionId=kept, BypassGovernanceRetention=True)
    held = s3.put_object(
        Bucket="safe", Key="k", Body=b"", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=LATER
    )["VersionId"]
    assert s3.get_object_retention(Bucket="safe", Key="k")["Retention"]["RetainUntilDate"] == LATER
    for _time in range(2):
        assert (
            refusal(lambda: s3.delete_object(Bucket="safe", Key="k", VersionId=held, BypassGovernanceRetention=True))
            == "AccessDenied"
        )
    s3.put_object_legal_hold(Bucket="safe", Key="k", LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(Bucket="safe", Key="k")["LegalHold"] == {"Status": "ON"}


def test_locks_need_a_bucket_that_was_made_for_them(s3: Any) -> None:
    assert refusal(lambda: s3.get_object_lock_configuration(Bucket="box")) == "ObjectLockConfigurationNotFoundError"
    put = {"Bucket": "box", "Key": "k", "Body": b""}
    assert refusal(lambda: s3.put_object(**put, ObjectLockLegalHoldStatus="ON")) == "InvalidRequest"


def test_lifecycle_rules_are_kept_and_told_to_the_vault(s3: Any, door: DoorTest) -> None:
    rules = [
        {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}]}},
            "Expiration": {"Days": 30},
        },
        {
            "ID": "parts",
            "Status": "Enabled",
            "Filter": {},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
        {"ID": "off", "Status": "Disabled", "Filter": {}, "Expiration": {"Days": 1}},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket="box", LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket="box")["Rules"] == rules
    assert door.vault.shelf("ours").bucket("box").rules == (
        LifecycleRule(prefix="logs/", tags=(Tag("a", "b"),), expire_days=30),
        LifecycleRule(abort_days=7),
    )
    s3.delete_bucket_lifecycle(Bucket="box")
    assert refusal(lambda: s3.get_bucket_lifecycle_configuration(Bucket="box")) == "NoSuchLifecycleConfiguration"


def test_what_expires_is_told_with_its_date(s3: Any) -> None:
    rules = [
        {"ID": "all", "Status": "Enabled", "Filter": {}, "Expiration": {"Date": datetime(2100, 1, 1, tzinfo=UTC)}},
        {"ID": "logs é", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}},
        {"ID": "uploads", "Status": "Enabled", "Filter": {"Prefix": "logs/"},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
    ]  # fmt: skip
    assert "Expiration" not in s3.put_object(Bucket="box", Key="logs/before", Body=b"")
    s3.put_bucket_lifecycle_configuration(Bucket="box", LifecycleConfiguration={"Rules": rules})
    put = s3.put_object(Bucket="box", Key="logs/k", Body=b"")
    midnight = midnight_after(s3.head_object(Bucket="box", Key="logs/k")["LastModified"], days=30)
    wanted = f'expiry-date="{midnight:%a, %d %b %Y} 00:00:00 GMT", rule-id="logs%20%C3%A9"'
    assert put["Expiration"] == wanted
    assert s3.get_object(Bucket="box", Key="logs/k")["Expiration"] == wanted
    copied = s3.copy_object(Bucket="box", Key="else", CopySource="box/logs/k")["Expiration"]
    assert copied == 'expiry-date="Fri, 01 Jan 2100 00:00:00 GMT", rule-id="all"'
    before = midnight_after(datetime.now(UTC), days=2)
    upload = s3.create_multipart_upload(Bucket="box", Key="logs/u")
    assert before <= upload["AbortDate"] <= midnight_after(datetime.now(UTC), days=2)
    assert upload["AbortRuleId"] == "uploads"
    assert s3.list_parts(Bucket="box", Key="logs/u", UploadId=upload["UploadId"])["AbortRuleId"] == "uploads"
    assert "AbortDate" not in s3.create_multipart_upload(Bucket="box", Key="else")


def midnight_after(since: datetime, *, days: int) -> datetime:
    """The first midnight that is not before so many days have gone by."""
    return datetime.fromtimestamp(-(-(since.timestamp() + days * 86_400) // 86_400) * 86_400, UTC)


def test_a_lifecycle_that_moves_objects_elsewhere_is_refused(s3: Any) -> None:
    moving = {"Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
    assert (
        refusal(
            lambda: s3.put_bucket_lifecycle_configuration(Bucket="box", LifecycleConfiguration={"Rules": [moving]})
        )
        == "NotImplemented"
    )


def test_a_lifecycle_of_versions() -> None:
    told = (
        b"<LifecycleConfiguration><Rule><Status>Enabled</Status><Prefix>a</Prefix><NoncurrentVersionExpiration>"
        b"<NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>"
        b"</NoncurrentVersionExpiration><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
        b"</Expiration></Rule></LifecycleConfiguration>"
    )
    assert read_rules(told) == (LifecycleRule(prefix="a", noncurrent_days=3, newer_kept=2, expire_markers=True),)


def test_tags_of_a_bucket(s3: Any) -> None:
    assert refusal(lambda: s3.get_bucket_tagging(Bucket="box")) == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket="box", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_tagging(Bucket="box")["TagSet"] == [{"Key": "a", "Value": "b"}]
    s3.delete_bucket_tagging(Bucket="box")
    assert refusal(lambda: s3.get_bucket_tagging(Bucket="box")) == "NoSuchTagSet"


def test_a_bucket_may_be_made_with_tags(s3: Any, door: DoorTest) -> None:
    tags = "<Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags>"
    body = f"<CreateBucketConfiguration>{tags}</CreateBucketConfiguration>".encode()
    signed = Signer("PUT", "/tagged", "UNSIGNED-PAYLOAD", {"x-amz-acl": "public-read"})
    assert door.ask("PUT", "/tagged", headers=signed.headers, body=body).status == 200
    assert s3.get_bucket_tagging(Bucket="tagged")["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert door.ask("GET", "/tagged").status == 200
    twice = body.replace(b"</Tags>", b"<Tag><Key>a</Key></Tag></Tags>")
    assert (
        "InvalidTag"
        in door.ask("PUT", "/twice", headers=Signer("PUT", "/twice", "UNSIGNED-PAYLOAD", {}).headers, body=twice).text
    )


def test_encryption_is_told_truthfully(s3: Any) -> None:
    found = s3.get_bucket_encryption(Bucket="box")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert found["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    s3.put_bucket_encryption(
        Bucket="box",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    put = {"Bucket": "box", "Key": "k", "Body": b""}
    s3.put_object(**put, ServerSideEncryption="AES256")
    assert refusal(lambda: s3.put_object(**put, ServerSideEncryption="aws:kms")) == "NotImplemented"


@pytest.mark.parametrize(
    "asked",
    [
        {"StorageClass": "GLACIER"},
        {"GrantRead": "id=somebody"},
        {"ACL": "public-read-write"},
        {"ACL": "authenticated-read"},
        {"WriteOffsetBytes": 3},
        {"SSEKMSKeyId": "key"},
    ],
)
def test_what_would_be_ignored_is_refused(s3: Any, asked: dict[str, Any]) -> None:
    assert refusal(lambda: s3.put_object(Bucket="box", Key="k", Body=b"", **asked)) == "NotImplemented"


@pytest.mark.parametrize(
    "query",
    [
        "PUT /box?accelerate", "PUT /box?replication", "GET /box?analytics&id=1", "DELETE /box?inventory&id=1",
        "GET /box/k?torrent", "POST /box/k?restore", "POST /box/k?select&select-type=2",
        "GET /box?session",
    ],
)  # fmt: skip
def test_operations_that_are_not_served_are_known_by_name(s3: Any, door: DoorTest, query: str) -> None:
    found = door.ask(*query.split())
    assert found.status == 501
    assert "<Code>NotImplemented</Code>" in found.text


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("get_bucket_request_payment", {"Payer": "BucketOwner"}),
        ("get_bucket_logging", {}),
        ("get_bucket_notification_configuration", {}),
        ("get_bucket_accelerate_configuration", {}),
    ],
)
def test_what_there_is_none_of_is_told_as_amazon_does(s3: Any, name: str, found: dict[str, Any]) -> None:
    told = getattr(s3, name)(Bucket="box")
    assert {key: text for key, text in told.items() if key != "ResponseMetadata"} == found


BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
TOPIC = {"TopicArn": "arn:aws:sns:::t", "Events": ["s3:ObjectCreated:*"]}


def test_what_there_is_none_of_may_be_set_to_what_it_is_and_taken_away(s3: Any) -> None:
    s3.put_public_access_block(Bucket="box", PublicAccessBlockConfiguration=dict.fromkeys(BLOCKS, False))
    s3.delete_public_access_block(Bucket="box")
    s3.put_bucket_notification_configuration(Bucket="box", NotificationConfiguration={})
    s3.put_bucket_logging(Bucket="box", BucketLoggingStatus={})
    s3.put_bucket_request_payment(Bucket="box", RequestPaymentConfiguration={"Payer": "BucketOwner"})
    s3.delete_bucket_replication(Bucket="box")
    s3.delete_bucket_encryption(Bucket="box")
    assert s3.get_bucket_encryption(Bucket="box")["ServerSideEncryptionConfiguration"]["Rules"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("put_public_access_block", {"PublicAccessBlockConfiguration": {BLOCKS[2]: True}}),
        ("put_bucket_notification_configuration", {"NotificationConfiguration": {"TopicConfigurations": [TOPIC]}}),
        ("put_bucket_notification_configuration", {"NotificationConfiguration": {"EventBridgeConfiguration": {}}}),
        (
            "put_bucket_logging",
            {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "b", "TargetPrefix": ""}}},
        ),
        ("put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
    ],
)
def test_what_there_is_none_of_is_not_made(s3: Any, name: str, asked: dict[str, Any]) -> None:
    assert refusal(lambda: getattr(s3, name)(Bucket="box", **asked)) == "NotImplemented"
