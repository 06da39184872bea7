"""Multipart uploads by boto3: parts in any order, ETags and checksums as Amazon makes them, lists that match."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from node.s3.asking.settings import S3Settings
from tests.node.s3.test_objects import code_of
from tests.support.s3_door import DoorTest

PART = bytes(range(256)) * (5 * 2**12)
LAST = b"the end"
MD5S = [hashlib.md5(PART), hashlib.md5(LAST)]
ETAG = f'"{hashlib.md5(MD5S[0].digest() + MD5S[1].digest()).hexdigest()}-2"'


def upload_two(s3: Any, **options: Any) -> tuple[str, list[dict[str, Any]]]:
    upload = s3.create_multipart_upload(Bucket="box", Key="k", **options)["UploadId"]
    algorithm = {"ChecksumAlgorithm": options["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in options else {}
    listed = []
    for number, data in ((2, LAST), (1, PART)):
        part = s3.upload_part(Bucket="box", Key="k", UploadId=upload, PartNumber=number, Body=data, **algorithm)
        known = {name: text for name, text in part.items() if name.startswith("Checksum")}
        listed.append({"PartNumber": number, "ETag": part["ETag"], **known})
    return upload, listed[::-1]


def complete(s3: Any, upload: str, parts: list[dict[str, Any]], **options: Any) -> Any:
    return s3.complete_multipart_upload(
        Bucket="box", Key="k", UploadId=upload, MultipartUpload={"Parts": parts}, **options
    )


def test_parts_become_one_object_with_amazons_etag(s3: Any) -> None:
    upload, parts = upload_two(s3, Metadata={"n": "1"}, ContentType="text/x")
    listed = s3.list_parts(Bucket="box", Key="k", UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, len(PART)), (2, len(LAST))]
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket="box")["Uploads"]] == ["k"]
    assert complete(s3, upload, parts)["ETag"] == ETAG
    found = s3.get_object(Bucket="box", Key="k")
    assert found["Body"].read() == PART + LAST
    assert (found["ETag"], found["Metadata"], found["ContentType"]) == (ETAG, {"n": "1"}, "text/x")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="box")


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA256", "COMPOSITE"),
    ],
)
def test_checksums_of_parts_make_that_of_the_whole(s3: Any, algorithm: str, kind: str) -> None:
    upload, parts = upload_two(s3, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    name = f"Checksum{algorithm}"
    text = complete(s3, upload, parts)[name]
    if kind == "FULL_OBJECT":
        s3.put_object(Bucket="box", Key="whole", Body=PART + LAST, ChecksumAlgorithm=algorithm)
        whole = s3.head_object(Bucket="box", Key="whole", ChecksumMode="ENABLED")[name]
        assert text == whole
    else:
        assert text.endswith("-2")
        s3.copy_object(Bucket="box", Key="copy", CopySource="box/k")
        assert s3.head_object(Bucket="box", Key="copy", ChecksumMode="ENABLED")[name] == text
    found = s3.head_object(Bucket="box", Key="k", ChecksumMode="ENABLED")
    assert (found[name], found["ChecksumType"]) == (text, kind)
    told = s3.get_object_attributes(Bucket="box", Key="k", ObjectAttributes=["Checksum", "ObjectParts"])
    assert told["ObjectParts"]["TotalPartsCount"] == 2
    assert told["ObjectParts"]["Parts"][1][name] == parts[1][name]


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC64NVME", "FULL_OBJECT")]
)
def test_who_completes_may_say_the_checksum_of_the_whole(s3: Any, algorithm: str, kind: str) -> None:
    name, begun = f"Checksum{algorithm}", {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    text = complete(s3, *upload_two(s3, **begun))[name]
    for same in (text, text.partition("-")[0]):  # minio's Go client leaves the number of parts out
        assert complete(s3, *upload_two(s3, **begun), **{name: same}, ChecksumType=kind)[name] == text
    upload, parts = upload_two(s3, **begun)
    for wrong in (parts[0][name], f"{text.partition('-')[0]}-3"):
        with pytest.raises(ClientError) as error:
            complete(s3, upload, parts, **{name: wrong})
        assert code_of(error) == "BadDigest"
    other = {"COMPOSITE": "FULL_OBJECT", "FULL_OBJECT": "COMPOSITE"}[kind]
    for unlike in ({"ChecksumType": other}, {"ChecksumSHA1": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}):
        with pytest.raises(ClientError) as error:
            complete(s3, upload, parts, **unlike)
        assert code_of(error) == "InvalidRequest"
    complete(s3, upload, parts, **{name: text})


def test_one_part_can_be_read_by_its_number(s3: Any) -> None:
    complete(s3, *upload_two(s3))
    found = s3.get_object(Bucket="box", Key="k", PartNumber=2)
    assert (found["Body"].read(), found["PartsCount"]) == (LAST, 2)
    assert found["ContentRange"] == f"bytes {len(PART)}-{len(PART) + len(LAST) - 1}/{len(PART) + len(LAST)}"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="box", Key="k", PartNumber=3)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda parts: parts[::-1], "InvalidPartOrder"),
        (lambda parts: [*parts, {"PartNumber": 3, "ETag": parts[0]["ETag"]}], "InvalidPart"),
        (lambda parts: [{**parts[0], "ETag": parts[1]["ETag"]}], "InvalidPart"),
        (lambda parts: [{**parts[0], "ChecksumCRC32": "AAAAAA=="}], "InvalidPart"),
        (lambda _parts: [], "MalformedXML"),
    ],
)
def test_a_list_that_does_not_match_is_refused_and_the_upload_goes_on(s3: Any, change: Any, code: str) -> None:
    upload, parts = upload_two(s3, ChecksumAlgorithm="CRC32")
    with pytest.raises(ClientError) as error:
        complete(s3, upload, change(parts))
    assert code_of(error) == code
    complete(s3, upload, parts)


def test_all_parts_but_the_last_have_a_least_size(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="box", Key="k")["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(
            Bucket="box", Key="k", UploadId=upload, PartNumber=number, Body=b"x")["ETag"]}
        for number in (1, 2)
    ]  # fmt: skip
    with pytest.raises(ClientError) as error:
        complete(s3, upload, parts)
    assert code_of(error) == "EntityTooSmall"


def test_parts_may_be_copied_with_their_ranges(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="source", Body=PART + LAST)
    upload = s3.create_multipart_upload(Bucket="box", Key="k")["UploadId"]
    ranges = (f"bytes=0-{len(PART) - 1}", f"bytes={len(PART)}-{len(PART) + 2}")
    parts = []
    for number, asked in enumerate(ranges, 1):
        part = s3.upload_part_copy(
            Bucket="box", Key="k", UploadId=upload, PartNumber=number, CopySource="box/source", CopySourceRange=asked
        )
        parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
    with pytest.raises(ClientError) as error:
        s3.upload_part_copy(
            Bucket="box", Key="k", UploadId=upload, PartNumber=1, CopySource="box/source", CopySourceRange="bytes=0-"
        )
    assert code_of(error) == "InvalidArgument"
    complete(s3, upload, parts)
    assert s3.get_object(Bucket="box", Key="k")["Body"].read() == PART + LAST[:3]


def test_an_upload_that_is_aborted_is_gone(s3: Any) -> None:
    upload, parts = upload_two(s3)
    s3.abort_multipart_upload(Bucket="box", Key="k", UploadId=upload)
    for again in (lambda: complete(s3, upload, parts), lambda: s3.list_parts(Bucket="box", Key="k", UploadId=upload)):
        with pytest.raises(ClientError) as error:
            again()
        assert code_of(error) == "NoSuchUpload"


def test_completing_again_says_what_was_done(s3: Any) -> None:
    upload, parts = upload_two(s3)
    first = complete(s3, upload, parts)
    assert complete(s3, upload, parts)["ETag"] == first["ETag"] == ETAG
    with pytest.raises(ClientError) as error:
        complete(s3, upload, parts[:1])
    assert code_of(error) == "NoSuchUpload"
    s3.put_object(Bucket="box", Key="k", Body=b"another")
    with pytest.raises(ClientError) as error:
        complete(s3, upload, parts)
    assert code_of(error) == "NoSuchUpload"


def test_completing_tells_the_objects_url(s3: Any, door: DoorTest) -> None:
    found = complete(s3, *upload_two(s3))
    assert found["Location"] == "http://s3.example.org/box/k"
    upload = s3.create_multipart_upload(Bucket="box", Key="a/é +")["UploadId"]
    part = s3.upload_part(Bucket="box", Key="a/é +", UploadId=upload, PartNumber=1, Body=b"")["ETag"]
    by_host = door.boto(addressing_style="virtual").complete_multipart_upload(
        Bucket="box", Key="a/é +", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    assert by_host["Location"] == "http://box.s3.example.org/a/%C3%A9%20%2B"


def test_the_url_is_one_of_https_where_programs_are_told_to_come_by_that() -> None:
    behind_a_proxy = DoorTest(settings=S3Settings(is_https=True))
    s3 = behind_a_proxy.boto()
    s3.create_bucket(Bucket="box")
    assert complete(s3, *upload_two(s3))["Location"] == "https://s3.example.org/box/k"


@pytest.mark.parametrize("number", [0, 10_001])
def test_a_part_has_a_number_from_1_to_10000(s3: Any, number: int) -> None:
    upload = s3.create_multipart_upload(Bucket="box", Key="k")["UploadId"]
    with pytest.raises(ClientError) as error:
        s3.upload_part(Bucket="box", Key="k", UploadId=upload, PartNumber=number, Body=b"")
    assert code_of(error) == "InvalidArgument"


def test_completing_may_have_a_condition(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"")
    with pytest.raises(ClientError) as error:
        complete(s3, *upload_two(s3), IfNoneMatch="*")
    assert code_of(error) == "PreconditionFailed"
