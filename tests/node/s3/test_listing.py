"""Listings by boto3: every key once and in order, in pages of any size, with folders where a delimiter is."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.node.s3.test_objects import code_of
from tests.support.s3_door import DoorTest

KEYS = ["a", "a/1", "a/2", "b/1/x", "b/2", "c", "é", "ä b"]


@pytest.fixture
def filled(s3: Any) -> Any:
    for key in KEYS:
        s3.put_object(Bucket="box", Key=key, Body=key.encode())
    return s3


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_pages_of_any_size_have_every_key_once(filled: Any, operation: str, size: int) -> None:
    pages = filled.get_paginator(operation).paginate(Bucket="box", PaginationConfig={"PageSize": size})
    found = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    assert found == sorted(KEYS, key=str.encode)


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_delimiter_makes_folders(filled: Any, operation: str, size: int) -> None:
    pages = list(
        filled.get_paginator(operation).paginate(Bucket="box", Delimiter="/", PaginationConfig={"PageSize": size})
    )
    found = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    folders = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]
    assert (found, folders) == (["a", "c", "ä b", "é"], ["a/", "b/"])


def test_a_prefix_and_where_to_begin(filled: Any) -> None:
    page = filled.list_objects_v2(Bucket="box", Prefix="b/", Delimiter="/", StartAfter="b/1/x", FetchOwner=True)
    assert [entry["Key"] for entry in page["Contents"]] == ["b/2"]
    assert page["Contents"][0]["Owner"]["ID"] == "ours"
    assert (page["KeyCount"], page["IsTruncated"], page["StartAfter"]) == (1, False, "b/1/x")


def test_no_keys_at_all_may_be_asked_for(filled: Any) -> None:
    page = filled.list_objects_v2(Bucket="box", MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)
    upload = {
        "Bucket": "box",
        "Key": "k",
        "UploadId": filled.create_multipart_upload(Bucket="box", Key="k")["UploadId"],
    }
    filled.upload_part(**upload, PartNumber=1, Body=b"")
    versions = filled.list_object_versions(Bucket="box", MaxKeys=0)
    uploads = filled.list_multipart_uploads(Bucket="box", MaxUploads=0)
    assert (versions["IsTruncated"], "Versions" in versions) == (False, False)
    assert (uploads["IsTruncated"], "Uploads" in uploads) == (False, False)
    parts = filled.list_parts(**upload, MaxParts=0)
    assert (parts["IsTruncated"], "Parts" in parts) == (False, False)


@pytest.mark.parametrize(
    "query",
    [
        "list-type=2&max-keys=x",
        "list-type=2&continuation-token=%ff",
        "list-type=2&continuation-token=!!",
        "list-type=3",
        "encoding-type=x",
    ],
)
def test_a_listing_that_cannot_be_is_refused(filled: Any, door: DoorTest, query: str) -> None:
    filled.put_bucket_acl(Bucket="box", ACL="public-read")
    found = door.ask("GET", f"/box?{query}")
    assert found.status == 400
    assert "<Code>Invalid" in found.text


def test_buckets_are_listed_and_a_key_for_one_sees_that_one(filled: Any, door: DoorTest) -> None:
    filled.create_bucket(Bucket="another")
    door.vault.add_key("ours", "ONLYBOX", bucket="box")
    assert [one["Name"] for one in filled.list_buckets()["Buckets"]] == ["another", "box"]
    only = door.boto("ONLYBOX")
    assert [one["Name"] for one in only.list_buckets()["Buckets"]] == ["box"]
    with pytest.raises(ClientError) as error:
        only.list_objects_v2(Bucket="another")
    assert code_of(error) == "AccessDenied"


def test_versions_are_listed_newest_first(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="box", Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket="box", Key="k", Body=b"2")["VersionId"]
    marker = s3.delete_object(Bucket="box", Key="k")
    assert marker["DeleteMarker"]
    found = s3.list_object_versions(Bucket="box")
    assert [(one["VersionId"], one["IsLatest"]) for one in found["Versions"]] == [(second, False), (first, False)]
    assert [(one["VersionId"], one["IsLatest"]) for one in found["DeleteMarkers"]] == [(marker["VersionId"], True)]
