"""SSE-C by boto3: bytes that nobody reads without the client's key, and that are what they were with it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.node.s3.test_multipart import LAST, PART
from tests.node.s3.test_objects import DATA, code_of
from tests.support.s3_door import DoorTest

KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
OTHER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"o" * 32}


def refusal(ask: Any) -> str:
    with pytest.raises(ClientError) as error:
        ask()
    return code_of(error)


def test_what_is_kept_is_hidden_and_comes_back_with_the_key(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=DATA, **KEY)
    held = door.vault.shelf("ours").bucket("box").keys["k"][0].data
    assert len(held) == len(DATA)
    assert DATA[:64] not in held
    assert s3.get_object(Bucket="box", Key="k", **KEY)["Body"].read() == DATA
    for first, last in ((0, 0), (15, 16), (1_000, 99_999)):
        found = s3.get_object(Bucket="box", Key="k", Range=f"bytes={first}-{last}", **KEY)
        assert found["Body"].read() == DATA[first : last + 1]
    assert s3.head_object(Bucket="box", Key="k", **KEY)["SSECustomerAlgorithm"] == "AES256"


def test_without_the_key_nothing_is_told(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=DATA, **KEY)
    assert refusal(lambda: s3.get_object(Bucket="box", Key="k")) == "InvalidRequest"
    assert refusal(lambda: s3.get_object(Bucket="box", Key="k", **OTHER)) == "AccessDenied"
    assert refusal(lambda: s3.head_object(Bucket="box", Key="k")) == "400"
    s3.put_object(Bucket="box", Key="plain", Body=DATA)
    assert refusal(lambda: s3.get_object(Bucket="box", Key="plain", **KEY)) == "InvalidRequest"


def test_two_objects_under_one_key_look_nothing_alike(s3: Any, door: DoorTest) -> None:
    for key in ("a", "b"):
        s3.put_object(Bucket="box", Key=key, Body=DATA, **KEY)
    kept = door.vault.shelf("ours").bucket("box").keys
    assert kept["a"][0].data[:1_000] != kept["b"][0].data[:1_000]


def test_parts_with_gaps_between_their_numbers_are_read_from_anywhere(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="box", Key="k", **KEY)["UploadId"]
    parts = []
    for number, data in ((3, PART), (7, LAST)):
        part = s3.upload_part(Bucket="box", Key="k", UploadId=upload, PartNumber=number, Body=data, **KEY)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    wrong = {"Bucket": "box", "Key": "k", "UploadId": upload, "PartNumber": 8, "Body": b""}
    assert refusal(lambda: s3.upload_part(**wrong)) == "InvalidRequest"
    assert refusal(lambda: s3.upload_part(**wrong, **OTHER)) == "AccessDenied"
    s3.complete_multipart_upload(Bucket="box", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="box", Key="k", **KEY)["Body"].read() == PART + LAST
    found = s3.get_object(Bucket="box", Key="k", Range=f"bytes={len(PART) - 3}-{len(PART) + 2}", **KEY)
    assert found["Body"].read() == PART[-3:] + LAST[:3]


def test_a_part_that_is_uploaded_again_is_hidden_by_another_keystream(s3: Any, door: DoorTest) -> None:
    """Else whoever has both, and the gateway's secrets, could lay one over the other."""
    upload = s3.create_multipart_upload(Bucket="box", Key="k", **KEY)["UploadId"]
    part = {"Bucket": "box", "Key": "k", "UploadId": upload, "PartNumber": 3, **KEY}
    held = []
    for _attempt in range(2):
        etag = s3.upload_part(Body=DATA, **part)["ETag"]
        held.append(door.vault.shelf("ours").bucket("box").uploads[bytes.fromhex(upload)].parts[3][1])
    assert held[0][:1_000] != held[1][:1_000]
    done = {"Parts": [{"PartNumber": 3, "ETag": etag}]}
    s3.complete_multipart_upload(Bucket="box", Key="k", UploadId=upload, MultipartUpload=done)
    assert s3.get_object(Bucket="box", Key="k", **KEY)["Body"].read() == DATA


def test_a_part_without_a_salt_is_not_shown_as_noise(s3: Any, door: DoorTest) -> None:
    upload = s3.create_multipart_upload(Bucket="box", Key="k", **KEY)["UploadId"]
    part = s3.upload_part(Bucket="box", Key="k", UploadId=upload, PartNumber=1, Body=b"x", **KEY)
    done = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="box", Key="k", UploadId=upload, MultipartUpload=done)
    kept = door.vault.shelf("ours").bucket("box").keys["k"][0]
    kept.parts = tuple(replace(part, checksums=()) for part in kept.parts)
    assert refusal(lambda: s3.get_object(Bucket="box", Key="k", **KEY)) == "InvalidRequest"


FROM_KEY = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": b"k" * 32}


@pytest.mark.parametrize("key", [KEY, OTHER, {}])
def test_a_copy_is_under_the_key_that_its_request_brings(s3: Any, key: dict[str, Any]) -> None:
    s3.put_object(Bucket="box", Key="k", Body=DATA, **KEY)
    copy = {"Bucket": "box", "Key": "copy", "CopySource": "box/k", **key}
    assert refusal(lambda: s3.copy_object(**copy)) == "InvalidRequest"
    made = s3.copy_object(**copy, **FROM_KEY)
    assert made.get("SSECustomerAlgorithm") == key.get("SSECustomerAlgorithm")
    assert s3.get_object(Bucket="box", Key="copy", **key)["Body"].read() == DATA
    assert made["CopyObjectResult"]["ETag"] == s3.head_object(Bucket="box", Key="k", **KEY)["ETag"]


def test_a_copy_may_go_over_its_source_under_another_key(s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=DATA, **KEY)
    s3.copy_object(Bucket="box", Key="k", CopySource="box/k", **FROM_KEY, **OTHER)
    assert s3.get_object(Bucket="box", Key="k", **OTHER)["Body"].read() == DATA


def test_an_object_of_parts_is_copied_out_of_its_keystreams(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="box", Key="k", **KEY)["UploadId"]
    s3.put_object(Bucket="box", Key="plain", Body=PART)
    to = {"Bucket": "box", "Key": "k", "UploadId": upload, **KEY}
    copied = s3.upload_part_copy(PartNumber=1, CopySource="box/plain", **to)["CopyPartResult"]["ETag"]
    put = s3.upload_part(PartNumber=2, Body=LAST, **to)["ETag"]
    parts = [{"PartNumber": 1, "ETag": copied}, {"PartNumber": 2, "ETag": put}]
    s3.complete_multipart_upload(Bucket="box", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="box", Key="k", **KEY)["Body"].read() == PART + LAST
    s3.copy_object(Bucket="box", Key="copy", CopySource="box/k", **FROM_KEY, **KEY)
    assert s3.get_object(Bucket="box", Key="copy", **KEY)["Body"].read() == PART + LAST
    plain = s3.create_multipart_upload(Bucket="box", Key="p")["UploadId"]
    asked = f"bytes={len(PART) - 2}-{len(PART) + 1}"
    to = {"Bucket": "box", "Key": "p", "UploadId": plain, "PartNumber": 1, "CopySource": "box/k"}
    part = s3.upload_part_copy(CopySourceRange=asked, **to, **FROM_KEY)["CopyPartResult"]
    done = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="box", Key="p", UploadId=plain, MultipartUpload=done)
    assert s3.get_object(Bucket="box", Key="p")["Body"].read() == PART[-2:] + LAST[:2]


def test_a_form_may_bring_a_key(s3: Any, door: DoorTest) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::box/*"}
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Statement": everybody}))
    name, md5 = "x-amz-server-side-encryption-customer-", base64.b64encode(hashlib.md5(b"k" * 32).digest()).decode()
    key = base64.b64encode(b"k" * 32).decode()
    fields = {"key": "k", f"{name}algorithm": "AES256", f"{name}key": key, f"{name}key-MD5": md5, "file": "secret"}
    body = "".join(f'--B\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{t}\r\n' for n, t in fields.items())
    told = {"content-type": "multipart/form-data; boundary=B"}
    assert door.ask("POST", "/box", headers=told, body=f"{body}--B--\r\n".encode()).status == 204
    assert door.vault.shelf("ours").bucket("box").keys["k"][0].data != b"secret"
    assert s3.get_object(Bucket="box", Key="k", **KEY)["Body"].read() == b"secret"
