"""Buckets whose owners want no ACL to count."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.node.s3.test_objects import code_of
from tests.node.s3.test_sharing import s3_grants
from tests.support.s3_door import DoorTest


def test_where_acls_are_off_none_lets_anybody_in(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"x", ACL="public-read")
    off = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket="box", OwnershipControls=off)
    assert s3.get_bucket_ownership_controls(Bucket="box")["OwnershipControls"] == off
    assert door.ask("GET", "/box/k").status == 403
    assert len(s3.get_object_acl(Bucket="box", Key="k")["Grants"]) == 1
    upload = {"Bucket": "box", "Key": "new", "ACL": "public-read"}
    for act in (
        lambda: s3.put_object(**upload, Body=b"x"),
        lambda: s3.copy_object(**upload, CopySource="box/k"),
        lambda: s3.create_multipart_upload(**upload),
        lambda: s3.put_object_acl(Bucket="box", Key="k", ACL="public-read"),
        lambda: s3.put_object_acl(Bucket="box", Key="k", AccessControlPolicy=s3_grants("READ")),
        lambda: s3.put_bucket_acl(Bucket="box", ACL="public-read"),
    ):
        with pytest.raises(ClientError) as error:
            act()
        assert code_of(error) == "AccessControlListNotSupported"
    for harmless in ("private", "bucket-owner-full-control"):
        s3.put_object(Bucket="box", Key="k2", Body=b"x", ACL=harmless)
    s3.delete_bucket_ownership_controls(Bucket="box")
    assert door.ask("GET", "/box/k").status == 200


def test_a_bucket_is_made_with_acls_off_or_public_but_not_both(s3: Any, door: DoorTest) -> None:
    s3.create_bucket(Bucket="closed", ObjectOwnership="BucketOwnerEnforced")
    told = s3.get_bucket_ownership_controls(Bucket="closed")["OwnershipControls"]["Rules"]
    assert told == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    s3.put_bucket_acl(Bucket="box", ACL="public-read")
    for act in (
        lambda: s3.create_bucket(Bucket="both", ObjectOwnership="BucketOwnerEnforced", ACL="public-read"),
        lambda: s3.put_bucket_ownership_controls(Bucket="box", OwnershipControls={"Rules": told}),
    ):
        with pytest.raises(ClientError) as error:
            act()
        assert code_of(error) == "InvalidBucketAclWithObjectOwnership"
    for word in ("BucketOwnerPreferred", "ObjectWriter"):
        s3.put_bucket_ownership_controls(Bucket="closed", OwnershipControls={"Rules": [{"ObjectOwnership": word}]})
        told = s3.get_bucket_ownership_controls(Bucket="closed")["OwnershipControls"]["Rules"]
        assert told == [{"ObjectOwnership": "BucketOwnerPreferred"}]
