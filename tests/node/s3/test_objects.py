"""Objects by boto3: what is put comes back with all that was said of it, and no wrong byte gets a name."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.s3_door import DoorTest

DATA = bytes(range(256)) * 500
ODD_KEYS = [
    "a/../b",
    "//",
    "a//b/",
    ".",
    "..",
    "ключ",
    "名前",
    "e\u0301",
    "a b+c%2F&=?#",
    "\x01\x1f\x7f",
    "a\nb",
    "<&>'\"",
    "🦊" * 200,
]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = error.value.response["Error"]["Code"]
    return code


def test_an_object_comes_back_with_its_headers_metadata_and_etag(s3: Any) -> None:
    put = s3.put_object(
        Bucket="box",
        Key="folder/file",
        Body=DATA,
        ContentType="image/png",
        CacheControl="no-store",
        ContentDisposition='attachment; filename="a.png"',
        ContentEncoding="gzip",
        Metadata={"owner": "Zo=C3=A9", "n": "1"},
    )
    found = s3.get_object(Bucket="box", Key="folder/file")
    assert found["Body"].read() == DATA
    assert found["ETag"] == put["ETag"] == f'"{hashlib.md5(DATA).hexdigest()}"'
    assert found["ContentType"] == "image/png"
    assert found["CacheControl"] == "no-store"
    assert found["ContentDisposition"] == 'attachment; filename="a.png"'
    assert found["ContentEncoding"] == "gzip"
    assert found["Metadata"] == {"owner": "Zo=C3=A9", "n": "1"}
    assert found["ServerSideEncryption"] == "AES256"
    head = s3.head_object(Bucket="box", Key="folder/file")
    assert head["ContentLength"] == len(DATA)
    assert head["LastModified"] == found["LastModified"]


@pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
def test_every_odd_key_is_a_key(s3: Any, key: str) -> None:
    s3.put_object(Bucket="box", Key=key, Body=b"x")
    assert s3.get_object(Bucket="box", Key=key)["Body"].read() == b"x"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="box")["Contents"]] == [key]
    s3.delete_object(Bucket="box", Key=key)
    assert s3.list_objects_v2(Bucket="box")["KeyCount"] == 0


def test_a_key_of_1025_bytes_is_too_long(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k" * 1024, Body=b"")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="box", Key="é" * 512 + "k", Body=b"")
    assert code_of(error) == "KeyTooLongError"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_verified_kept_and_returned(s3: Any, algorithm: str) -> None:
    put = s3.put_object(Bucket="box", Key="k", Body=DATA, ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    found = s3.get_object(Bucket="box", Key="k", ChecksumMode="ENABLED")
    assert found["Body"].read() == DATA  # boto3 checks it again while reading
    assert found[name] == put[name]
    assert found["ChecksumType"] == "FULL_OBJECT"
    assert name not in s3.head_object(Bucket="box", Key="k")


def test_a_wrong_checksum_leaves_nothing_behind(s3: Any) -> None:
    wrong = base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode()
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="box", Key="k", Body=DATA, ChecksumCRC32=wrong)
    assert code_of(error) == "BadDigest"
    assert s3.list_objects_v2(Bucket="box")["KeyCount"] == 0


def test_a_wrong_md5_leaves_nothing_behind(s3: Any) -> None:
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="box", Key="k", Body=DATA, ContentMD5=wrong)
    assert code_of(error) == "BadDigest"
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="box", Key="k", Body=DATA, ContentMD5="no base64")
    assert code_of(error) == "InvalidDigest"
    assert s3.list_objects_v2(Bucket="box")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, 128_000),
        ("bytes=-5", 127_995, 128_000),
        ("bytes=127999-200000", 127_999, 128_000),
    ],
)
def test_a_range_is_what_is_asked_for(s3: Any, asked: str, first: int, end: int) -> None:
    s3.put_object(Bucket="box", Key="k", Body=DATA)
    found = s3.get_object(Bucket="box", Key="k", Range=asked)
    assert found["Body"].read() == DATA[first:end]
    assert found["ContentRange"] == f"bytes {first}-{end - 1}/{len(DATA)}"
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_beyond_the_end_is_not_satisfiable(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"abc")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="box", Key="k", Range="bytes=3-")
    assert code_of(error) == "InvalidRange"


def test_conditions_of_readers(s3: Any) -> None:
    etag = s3.put_object(Bucket="box", Key="k", Body=b"abc")["ETag"]
    modified = s3.head_object(Bucket="box", Key="k")["LastModified"]
    assert s3.get_object(Bucket="box", Key="k", IfMatch=etag)["ETag"] == etag
    for asked in ({"IfNoneMatch": etag}, {"IfModifiedSince": modified}):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket="box", Key="k", **asked)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="box", Key="k", IfMatch='"other"')
    assert code_of(error) == "PreconditionFailed"


def test_a_cache_that_asks_again_hears_for_how_long_it_may_keep_what_it_has(s3: Any, door: DoorTest) -> None:
    put = {"Bucket": "box", "Key": "k", "Body": b"abc", "ACL": "public-read"}
    etag = s3.put_object(**put, CacheControl="max-age=60", Expires="Sat, 01 Jan 2050 00:00:00 GMT")["ETag"]
    for method in ("GET", "HEAD"):
        found = door.ask(method, "/box/k", headers={"if-none-match": etag})
        assert (found.status, found.body, found.headers["etag"]) == (304, b"", etag)
        assert found.headers["cache-control"] == "max-age=60"
        assert found.headers["expires"] == "Sat, 01 Jan 2050 00:00:00 GMT"


def test_conditions_of_writers(s3: Any) -> None:
    etag = s3.put_object(Bucket="box", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="box", Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(error) == "PreconditionFailed"
    s3.put_object(Bucket="box", Key="k", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="box", Key="k", Body=b"4", IfMatch=etag)
    assert code_of(error) == "PreconditionFailed"
    assert s3.get_object(Bucket="box", Key="k")["Body"].read() == b"3"


def test_what_is_missing_is_named(s3: Any) -> None:
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="box", Key="nothing")
    assert code_of(error) == "NoSuchKey"
    assert error.value.response["Error"]["Key"] == "nothing"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="nowhere", Key="k")
    assert code_of(error) == "NoSuchBucket"


def test_the_query_replaces_headers_of_the_answer_for_whoever_signs(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"abc", ACL="public-read")
    found = s3.get_object(Bucket="box", Key="k", ResponseContentType="text/x", ResponseCacheControl="no-cache")
    assert (found["ContentType"], found["CacheControl"]) == ("text/x", "no-cache")
    assert "InvalidRequest" in door.ask("GET", "/box/k?response-content-type=text/x").text


def test_many_are_deleted_at_once_and_quietly(s3: Any) -> None:
    for number in range(3):
        s3.put_object(Bucket="box", Key=f"k{number}", Body=b"")
    named = [{"Key": f"k{number}"} for number in range(4)]
    assert len(s3.delete_objects(Bucket="box", Delete={"Objects": named[:1]})["Deleted"]) == 1
    assert "Deleted" not in s3.delete_objects(Bucket="box", Delete={"Objects": named, "Quiet": True})
    assert s3.list_objects_v2(Bucket="box")["KeyCount"] == 0


def test_a_copy_has_what_its_source_has_but_not_its_acl(s3: Any) -> None:
    s3.put_object(
        Bucket="box",
        Key="a b",
        Body=DATA,
        Metadata={"n": "1"},
        ContentType="text/x",
        Tagging="t=1",
        ACL="public-read",
    )
    copied = s3.copy_object(Bucket="box", Key="b", CopySource={"Bucket": "box", "Key": "a b"})
    found = s3.get_object(Bucket="box", Key="b")
    assert found["Body"].read() == DATA
    assert found["ETag"] == copied["CopyObjectResult"]["ETag"]
    assert (found["Metadata"], found["ContentType"], found["TagCount"]) == ({"n": "1"}, "text/x", 1)
    assert len(s3.get_object_acl(Bucket="box", Key="b")["Grants"]) == 1


def test_a_copy_may_replace_what_is_said_of_it(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="a", Body=DATA, Metadata={"n": "1"}, Tagging="t=1")
    s3.copy_object(
        Bucket="box", Key="a", CopySource="box/a", Metadata={"n": "2"}, MetadataDirective="REPLACE",
        Tagging="u=2", TaggingDirective="REPLACE",
    )  # fmt: skip
    assert s3.head_object(Bucket="box", Key="a")["Metadata"] == {"n": "2"}
    assert s3.get_object_tagging(Bucket="box", Key="a")["TagSet"] == [{"Key": "u", "Value": "2"}]
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket="box", Key="a", CopySource="box/a")
    assert code_of(error) == "InvalidRequest"


@pytest.mark.parametrize("named", [{"StorageClass": "STANDARD"}, {"ServerSideEncryption": "AES256"}])
def test_a_copy_to_itself_may_name_what_the_object_has(s3: Any, named: dict[str, str]) -> None:
    s3.put_object(Bucket="box", Key="a", Body=DATA, Metadata={"n": "1"})
    s3.copy_object(Bucket="box", Key="a", CopySource="box/a", **named)
    found = s3.get_object(Bucket="box", Key="a")
    assert (found["Body"].read(), found["Metadata"]) == (DATA, {"n": "1"})


def test_a_copy_is_made_only_of_what_was_meant(s3: Any) -> None:
    etag = s3.put_object(Bucket="box", Key="a", Body=DATA)["ETag"]
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket="box", Key="b", CopySource="box/a", CopySourceIfNoneMatch=etag)
    assert code_of(error) == "PreconditionFailed"
    s3.copy_object(Bucket="box", Key="b", CopySource="box/a", CopySourceIfMatch=etag)


def test_tags_are_kept_counted_and_taken_away(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"", Tagging="a=1&b=%C3%A9")
    assert s3.head_object(Bucket="box", Key="k")["TagCount"] == 2
    s3.put_object_tagging(Bucket="box", Key="k", Tagging={"TagSet": [{"Key": "c", "Value": "<&>"}]})
    assert s3.get_object_tagging(Bucket="box", Key="k")["TagSet"] == [{"Key": "c", "Value": "<&>"}]
    blank = [{"Key": "c", "Value": " é "}, {"Key": "d", "Value": ""}]
    s3.put_object_tagging(Bucket="box", Key="k", Tagging={"TagSet": blank})
    assert s3.get_object_tagging(Bucket="box", Key="k")["TagSet"] == blank
    s3.delete_object_tagging(Bucket="box", Key="k")
    assert s3.get_object_tagging(Bucket="box", Key="k")["TagSet"] == []
    with pytest.raises(ClientError) as error:
        s3.put_object_tagging(
            Bucket="box", Key="k", Tagging={"TagSet": [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]}
        )
    assert code_of(error) == "InvalidTag"


def test_attributes_without_a_byte(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=DATA, ChecksumAlgorithm="SHA256")
    found = s3.get_object_attributes(
        Bucket="box", Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    )
    assert found["ObjectSize"] == len(DATA)
    assert found["Checksum"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert "ObjectParts" not in found


def test_a_presigned_url_needs_no_key_and_lasts_as_long_as_it_says(s3: Any, door: DoorTest) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "box", "Key": "k"}, ExpiresIn=60)
    target = url.removeprefix("http://s3.example.org")
    assert door.ask("PUT", target, body=b"by url").status == 200
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "box", "Key": "k"}, ExpiresIn=60)
    found = door.ask("GET", url.removeprefix("http://s3.example.org"))
    assert (found.status, found.body) == (200, b"by url")
    assert door.ask("GET", url.removeprefix("http://s3.example.org") + "&x=1").status == 403


def test_a_bucket_may_be_named_by_the_host(door: DoorTest) -> None:
    client = door.boto(addressing_style="virtual")
    client.create_bucket(Bucket="box")
    client.put_object(Bucket="box", Key="a/b", Body=b"x")
    assert client.get_object(Bucket="box", Key="a/b")["Body"].read() == b"x"
