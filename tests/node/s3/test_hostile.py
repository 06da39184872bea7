"""What clients try who want more than they were given: other hosts, rights by detours, keys that are gone."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from node.s3.asking.request import read_request
from node.s3.objects.form_data import name_in
from node.s3.signing import sigv4
from node.s3.signing.sigv4 import Claim, Scope, SigningKeys
from node.s3.texts.times import signed_date
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


NINES = "9" * 5_000


def presigned(method: str, path: str, more: str) -> str:
    """A presigned URL with something more in its query."""
    timestamp = signed_date(int(time.time()))
    scope = Scope(timestamp[:8], "garage")
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=OURKEY%2F{str(scope).replace('/', '%2F')}"
        f"&X-Amz-Date={timestamp}&X-Amz-Expires=60&X-Amz-SignedHeaders=host&{more}"
    )
    headers = [(b"host", b"s3.example.org")]
    told = {"method": method, "raw_path": path.encode(), "query_string": query.encode(), "headers": headers}
    claim = Claim("OURKEY", scope, ("host",), "", timestamp, sigv4.UNSIGNED)
    canonical = next(sigv4.canonical_requests(read_request(told, ""), claim))
    key = SigningKeys().derive("secret of OURKEY", scope)
    return f"{path}?{query}&X-Amz-Signature={sigv4.signature(key, sigv4.string_to_sign(claim, canonical))}"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (f"/box/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=20130524T000000Z&X-Amz-Expires={NINES}"
         "&X-Amz-SignedHeaders=host&X-Amz-Signature=a", {}),
        ("/box/k", {"content-length": NINES}),
    ],
)  # fmt: skip
def test_a_number_of_thousands_of_digits_is_no_number(
    s3: Any, door: DoorTest, target: str, headers: dict[str, str]
) -> None:
    if headers:
        headers = {**Signer("PUT", target, "UNSIGNED-PAYLOAD", {}).headers, **headers}
    assert door.ask("PUT", target, headers=headers, body=b"x").status == 400


@pytest.mark.parametrize("told", ["X-Amz-SignedHeaders=host%3B%E6%97%A5", "X-Amz-Content-Sha256=%E6%97%A5"])
def test_a_url_that_signs_letters_no_header_has_does_not_match(s3: Any, door: DoorTest, told: str) -> None:
    found = door.ask("GET", presigned("GET", "/box/k", "a=b").replace("?", f"?{told}&", 1))
    assert (found.status, "<Code>SignatureDoesNotMatch</Code>" in found.text) == (403, True)


def test_a_decoded_length_and_a_parts_number_are_read_within_bounds(s3: Any, door: DoorTest) -> None:
    told = {"x-amz-decoded-content-length": NINES}
    signed = Signer("PUT", "/box/k", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", told)
    assert door.ask("PUT", "/box/k", headers=signed.headers, body=b"x").status == 411
    upload = s3.create_multipart_upload(Bucket="box", Key="k")["UploadId"]
    target = f"/box/k?uploadId={upload}"
    part = f"<Part><PartNumber>{NINES}</PartNumber><ETag>a</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    found = door.ask("POST", target, headers=Signer("POST", target, "UNSIGNED-PAYLOAD", {}).headers, body=body)
    assert "<Code>MalformedXML</Code>" in found.text


def test_what_stands_in_a_presigned_url_for_headers_is_done(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"bytes")
    assert door.ask("PUT", presigned("PUT", "/box/copy", "x-amz-copy-source=%2Fbox%2Fk")).status == 200
    assert s3.get_object(Bucket="box", Key="copy")["Body"].read() == b"bytes"


def test_a_url_that_is_signed_for_a_body_yet_unknown_takes_any(s3: Any, door: DoorTest) -> None:
    """As the SDK for JavaScript presigns: it counts the checksum of the body that it does not have."""
    of_none = (("crc32", "AAAAAA"), ("crc64nvme", "AAAAAAAAAAA"), ("sha1", "2jmj7l5rSw0yVb%2FvlWAYkK%2FYBwk"))
    for name, text in of_none:
        told = f"x-amz-checksum-{name}={text}{'%3D' * (-len(text.replace('%2F', '/')) % 4)}"
        url = presigned("PUT", "/box/k", f"{told}&x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject")
        assert door.ask("PUT", url, body=b"hello").status == 200
    assert door.ask("PUT", presigned("PUT", "/box/k", "x-amz-sdk-checksum-algorithm=CRC32"), body=b"a").status == 200
    meant = presigned("PUT", "/box/k", "x-amz-checksum-crc32=NhCmhg%3D%3D")
    assert door.ask("PUT", meant, body=b"hello").status == 200
    assert "BadDigest" in door.ask("PUT", meant, body=b"other").text
    in_header = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {"x-amz-checksum-crc32": "AAAAAA=="})
    assert "BadDigest" in door.ask("PUT", "/box/k", headers=in_header.headers, body=b"hello").text


def test_letters_in_a_presigned_url_come_back_as_those_in_a_header(s3: Any, door: DoorTest) -> None:
    told = "x-amz-meta-n=%E6%97%A5&x-amz-tagging=t%3D%C3%A9"
    assert door.ask("PUT", presigned("PUT", "/box/%C3%A9", told), body=b"x").status == 200
    assert s3.get_object_tagging(Bucket="box", Key="é")["TagSet"] == [{"Key": "t", "Value": "é"}]
    assert door.ask("PUT", presigned("PUT", "/box/copy", "x-amz-copy-source=%2Fbox%2F%C3%A9")).status == 200
    found = door.ask("GET", "/box/copy", headers=Signer("GET", "/box/copy", "UNSIGNED-PAYLOAD", {}).headers)
    assert found.headers["x-amz-meta-n"].encode("latin-1").decode() == "日"


@pytest.mark.parametrize("name", ["x-amz-meta-n", "x-amz-meta-n%0d%0aset-cookie", "x-amz-meta-%E6%97%A5"])
def test_what_could_be_no_header_is_not_kept_as_one(s3: Any, door: DoorTest, name: str) -> None:
    value = "a%0d%0aset-cookie:%20b" if name.endswith("-n") else "a"
    found = door.ask("PUT", presigned("PUT", "/box/k", f"{name}={value}"), body=b"x")
    assert (found.status, "<Code>InvalidArgument</Code>" in found.text) == (400, True)


def test_a_signed_header_may_hold_any_bytes(s3: Any, door: DoorTest) -> None:
    told = {"x-amz-meta-n": "à  Å à".encode().decode("latin-1")}
    signed = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", told)
    assert door.ask("PUT", "/box/k", headers=signed.headers, body=b"x").status == 200
    changed = {**signed.headers, "x-amz-meta-n": told["x-amz-meta-n"].replace("\xa0", " ")}
    assert door.ask("PUT", "/box/k", headers=changed, body=b"x").status == 403


def test_a_stranger_cannot_count_the_parts_of_what_is_private(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    for key in ("k", "nothing"):
        for number in ("1", "2"):
            assert door.ask("GET", f"/box/{key}?partNumber={number}").status == 403


def test_a_key_that_is_revoked_while_it_uploads_names_nothing(s3: Any, door: DoorTest) -> None:
    upload = s3.create_multipart_upload(Bucket="box", Key="k")["UploadId"]
    for target in ("/box/k", f"/box/k?partNumber=1&uploadId={upload}"):
        signed = Signer("PUT", target, "UNSIGNED-PAYLOAD", {}, key_id="SHORT", secret="secret of SHORT")
        door.vault.add_key("ours", "SHORT")
        found = door.ask("PUT", target, headers=signed.headers, body=b"x" * 200_000, midway=revoke(door, "SHORT"))
        assert (found.status, "<Code>InvalidAccessKeyId</Code>" in found.text) == (403, True)
    assert "Contents" not in s3.list_objects_v2(Bucket="box")
    assert "Parts" not in s3.list_parts(Bucket="box", Key="k", UploadId=upload)


def revoke(door: DoorTest, key_id: str) -> Any:
    return lambda: door.vault.known.pop(key_id, None)


def anonymous_form(door: DoorTest, fields: str, disposition: str = 'form-data; name="file"') -> int:
    body = f"{fields}--B\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--B--\r\n"
    told = {"content-type": "multipart/form-data; boundary=B"}
    return door.ask("POST", "/box", headers=told, body=body.encode()).status


def test_a_form_tags_only_by_right(s3: Any, door: DoorTest) -> None:
    everybody = {**statement("s3:PutObject", effect="Allow"), "Principal": "*"}
    s3.put_bucket_policy(Bucket="box", Policy=policy(everybody))
    key = '--B\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n'
    tags = "<Tagging><TagSet><Tag><Key>a b&amp;</Key><Value>=1</Value></Tag></TagSet></Tagging>"
    tagging = f'--B\r\nContent-Disposition: form-data; name="tagging"\r\n\r\n{tags}\r\n'
    assert anonymous_form(door, key) == 204
    assert anonymous_form(door, key + tagging) == 403
    s3.put_bucket_policy(
        Bucket="box", Policy=policy({**everybody, "Action": ["s3:PutObject", "s3:PutObjectTagging"]})
    )
    assert anonymous_form(door, key + tagging) == 204
    assert s3.get_object_tagging(Bucket="box", Key="k")["TagSet"] == [{"Key": "a b&", "Value": "=1"}]


def test_letters_in_a_form_come_back_as_those_in_a_header(s3: Any, door: DoorTest) -> None:
    may = statement(["s3:PutObject", "s3:PutObjectTagging"], effect="Allow")
    s3.put_bucket_policy(Bucket="box", Policy=policy({**may, "Principal": "*"}))
    told = (("key", "k"), ("x-amz-meta-n", "日"), ("x-amz-tagging", "t=é"))
    fields = [f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in told]
    assert anonymous_form(door, "".join(fields)) == 204
    assert s3.get_object_tagging(Bucket="box", Key="k")["TagSet"] == [{"Key": "t", "Value": "é"}]
    found = door.ask("GET", "/box/k", headers=Signer("GET", "/box/k", "UNSIGNED-PAYLOAD", {}).headers)
    assert found.headers["x-amz-meta-n"].encode("latin-1").decode() == "日"


def test_the_head_of_a_forms_field_is_short(s3: Any, door: DoorTest) -> None:
    assert anonymous_form(door, "", "form-data;" + "Content-Disposition: form-data;" * 300) == 400
    assert anonymous_form(door, "", f'form-data;{" " * 9_000}name="file"') == 400


def test_a_form_has_a_bounded_number_of_fields_even_empty_ones(s3: Any, door: DoorTest) -> None:
    s3.put_bucket_policy(Bucket="box", Policy=policy({**statement("s3:PutObject", effect="Allow"), "Principal": "*"}))
    key = '--B\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n'
    empty = '--B\r\nContent-Disposition: form-data; name=""\r\n\r\n\r\n'
    assert anonymous_form(door, key + 99 * empty) == 204
    assert anonymous_form(door, key + 100 * empty) == 400


def test_a_name_is_looked_for_in_no_line_twice() -> None:
    lines = b"content-disposition:form-data;" * 20_000 + b'\r\nContent-Disposition: form-data; name="k"'
    began_s = time.process_time()
    assert name_in(b"\r\n" + lines) is None
    assert name_in(lines[lines.index(b"\r\n") :]) == b"k"
    assert time.process_time() - began_s < 1


def test_a_session_is_not_taken_for_its_key(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    signed = Signer("GET", "/box/k", "UNSIGNED-PAYLOAD", {"x-amz-security-token": "for less"})
    assert door.ask("GET", "/box/k", headers=signed.headers).status == 501
    assert door.ask("GET", presigned("GET", "/box/k", "X-Amz-Security-Token=for-less")).status == 501
