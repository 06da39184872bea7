"""Who else may look in: the public, keys of other namespaces, web pages, visitors of a site, and browser forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from node.s3.asking.request import read_request
from node.s3.asking.targets import asked_bucket
from tests.node.s3.test_objects import code_of
from tests.support.s3_door import DoorTest, Response

PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::box/public/*"}
    ],
}


def test_nothing_is_public_by_itself(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    for target in ("/", "/box", "/box/k", "/box/nothing", "/box?acl", "/box?policy"):
        assert door.ask("GET", target).status == 403, target
    assert door.ask("PUT", "/box/k", body=b"y").status == 403
    assert door.ask("DELETE", "/box/k").status == 403
    assert door.ask("GET", "/nowhere/k").status == 404


def test_an_objects_acl_makes_it_readable_and_private_again(s3: Any, door: DoorTest) -> None:
    put = s3.put_object(Bucket="box", Key="k", Body=b"x", ACL="public-read", Metadata={"n": "1"})
    assert door.ask("GET", "/box/k").body == b"x"
    assert door.ask("HEAD", "/box/k").status == 200
    assert door.ask("GET", "/box").status == 403
    s3.put_object_acl(Bucket="box", Key="k", ACL="private")
    assert door.ask("GET", "/box/k").status == 403
    found = s3.head_object(Bucket="box", Key="k")
    assert (found["ETag"], found["Metadata"]) == (put["ETag"], {"n": "1"})
    s3.put_object_acl(Bucket="box", Key="k", AccessControlPolicy=s3_grants("READ"))
    assert door.ask("GET", "/box/k").status == 200
    with pytest.raises(ClientError) as error:
        s3.put_object_acl(Bucket="box", Key="k", AccessControlPolicy=s3_grants("WRITE"))
    assert code_of(error) == "NotImplemented"


def test_each_version_has_an_acl_of_its_own_that_changes_without_a_new_one(s3: Any, door: DoorTest) -> None:
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put_object(Bucket="box", Key="k", Body=body)["VersionId"] for body in (b"1", b"2"))
    s3.put_object_acl(Bucket="box", Key="k", VersionId=first, ACL="public-read")
    assert door.ask("GET", f"/box/k?versionId={first}").body == b"1"
    assert door.ask("GET", "/box/k").status == 403
    s3.put_object_acl(Bucket="box", Key="k", ACL="public-read")
    assert door.ask("GET", "/box/k").body == b"2"
    listed = s3.list_object_versions(Bucket="box")["Versions"]
    assert [one["VersionId"] for one in listed] == [second, first]


def s3_grants(permission: str) -> dict[str, Any]:
    everybody = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    return {
        "Owner": {"ID": "ours"},
        "Grants": [
            {"Grantee": {"Type": "CanonicalUser", "ID": "ours"}, "Permission": "FULL_CONTROL"},
            {"Grantee": everybody, "Permission": permission},
        ],
    }


def test_a_buckets_acl_lets_everybody_list_it(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    s3.put_bucket_acl(Bucket="box", ACL="public-read")
    assert "<Key>k</Key>" in door.ask("GET", "/box?list-type=2").text
    assert door.ask("GET", "/box/k").status == 403
    assert len(s3.get_bucket_acl(Bucket="box")["Grants"]) == 2
    s3.put_bucket_acl(Bucket="box", ACL="private")
    assert door.ask("GET", "/box").status == 403


def test_a_policy_opens_a_part_of_a_bucket(s3: Any, door: DoorTest) -> None:
    s3.put_object(Bucket="box", Key="public/k", Body=b"x")
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps(PUBLIC))
    assert json.loads(s3.get_bucket_policy(Bucket="box")["Policy"]) == PUBLIC
    assert s3.get_bucket_policy_status(Bucket="box")["PolicyStatus"]["IsPublic"]
    assert door.ask("GET", "/box/public/k").body == b"x"
    assert door.ask("GET", "/box/k").status == 403
    s3.delete_bucket_policy(Bucket="box")
    assert door.ask("GET", "/box/public/k").status == 403


def test_a_policy_opens_a_folder_to_those_who_list_it_from_one_network(s3: Any, door: DoorTest) -> None:
    told = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:ListBucket", "s3:GetObject"],
        "Resource": ["arn:aws:s3:::box", "arn:aws:s3:::box/*"],
        "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "StringLike": {"s3:prefix": "a/*"}},
    }
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Statement": told}))
    s3.put_object(Bucket="box", Key="a/k", Body=b"x")
    assert door.ask("GET", "/box?prefix=a%2F", client="192.0.2.9").status == 200
    assert door.ask("GET", "/box?list-type=2&prefix=a%2Fk", client="192.0.2.9").status == 200
    assert door.ask("GET", "/box?prefix=a%2F", client="192.0.3.9").status == 403
    assert door.ask("GET", "/box?prefix=a%2F").status == 403
    assert door.ask("GET", "/box", client="192.0.2.9").status == 403
    assert door.ask("GET", "/box/a/k?prefix=a%2F", client="192.0.2.9").status == 403
    assert s3.get_bucket_policy_status(Bucket="box")["PolicyStatus"]["IsPublic"] is False


def test_a_policy_that_denies_its_owner_can_be_taken_away(s3: Any) -> None:
    denying = {
        **PUBLIC["Statement"][0],
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::box", "arn:aws:s3:::box/*"],
    }  # type: ignore[dict-item]
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Statement": [denying]}))
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket="box")
    assert code_of(error) == "AccessDenied"
    s3.delete_bucket_policy(Bucket="box")
    s3.list_objects_v2(Bucket="box")


def test_a_bucket_is_shared_with_another_namespaces_key(s3: Any, door: DoorTest) -> None:
    theirs = door.boto("THEIRKEY")
    with pytest.raises(ClientError) as error:
        theirs.put_object(Bucket="box", Key="in/k", Body=b"")
    assert code_of(error) == "AccessDenied"
    shared = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::theirs:root"},
        "Action": ["s3:PutObject", "s3:DeleteObject"],
        "Resource": "arn:aws:s3:::box/in/*",
    }
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Statement": shared}))
    theirs.put_object(Bucket="box", Key="in/k", Body=b"theirs")
    assert s3.get_object(Bucket="box", Key="in/k")["Body"].read() == b"theirs"
    for refused in (
        lambda: theirs.put_object(Bucket="box", Key="out", Body=b""),
        lambda: theirs.put_object(Bucket="box", Key="in/k", Body=b"", ACL="public-read"),
        lambda: theirs.get_object(Bucket="box", Key="in/k"),
    ):
        with pytest.raises(ClientError) as error:
            refused()
        assert code_of(error) == "AccessDenied"


def test_each_key_of_a_deletion_needs_the_right(s3: Any, door: DoorTest) -> None:
    shared = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::theirs:root"},
        "Action": ["s3:DeleteObject"],
        "Resource": "arn:aws:s3:::box/in/*",
    }
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Statement": shared}))
    for key in ("in/k", "k"):
        s3.put_object(Bucket="box", Key=key, Body=b"")
    done = door.boto("THEIRKEY").delete_objects(Bucket="box", Delete={"Objects": [{"Key": "in/k"}, {"Key": "k"}]})
    assert [one["Key"] for one in done["Deleted"]] == ["in/k"]
    assert [(one["Key"], one["Code"]) for one in done["Errors"]] == [("k", "AccessDenied")]


def test_two_namespaces_may_have_buckets_of_one_name(s3: Any, door: DoorTest) -> None:
    theirs = door.boto("THEIRKEY")
    theirs.create_bucket(Bucket="box")
    theirs.put_object(Bucket="box", Key="k", Body=b"theirs", ACL="public-read")
    s3.put_object(Bucket="box", Key="k", Body=b"ours")
    assert s3.get_object(Bucket="box", Key="k")["Body"].read() == b"ours"
    assert theirs.get_object(Bucket="box", Key="k")["Body"].read() == b"theirs"
    assert door.ask("GET", "/theirs:box/k").body == b"theirs"
    assert door.ask("GET", "/ours:box/k").status == 403


def test_a_key_for_reading_only_reads(s3: Any, door: DoorTest) -> None:
    door.vault.add_key("ours", "READER", read_only=True)
    s3.put_object(Bucket="box", Key="k", Body=b"x")
    reader = door.boto("READER")
    assert reader.get_object(Bucket="box", Key="k")["Body"].read() == b"x"
    for refused in (
        lambda: reader.put_object(Bucket="box", Key="k", Body=b""),
        lambda: reader.delete_object(Bucket="box", Key="k"),
        lambda: reader.create_multipart_upload(Bucket="box", Key="k"),
        lambda: reader.delete_objects(Bucket="box", Delete={"Objects": [{"Key": "k"}]}),
        lambda: reader.create_bucket(Bucket="other"),
    ):
        with pytest.raises(ClientError) as error:
            refused()
        assert code_of(error) == "AccessDenied"


CORS = {
    "CORSRules": [
        {
            "AllowedOrigins": ["https://*.example.org"],
            "AllowedMethods": ["GET", "PUT"],
            "AllowedHeaders": ["x-amz-*", "content-type"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 60,
        }
    ]
}


def preflight(door: DoorTest, origin: str, method: str, headers: str = "") -> Response:
    asked = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}
    return door.ask("OPTIONS", "/box/k", headers=asked)


def test_web_pages_of_chosen_origins_may_use_a_bucket(s3: Any, door: DoorTest) -> None:
    assert preflight(door, "https://a.example.org", "PUT").status == 403
    s3.put_bucket_cors(Bucket="box", CORSConfiguration=CORS)
    assert s3.get_bucket_cors(Bucket="box")["CORSRules"] == CORS["CORSRules"]
    found = preflight(door, "https://a.example.org", "PUT", "X-Amz-Date, Content-Type")
    assert found.status == 200
    assert found.headers["access-control-allow-origin"] == "https://a.example.org"
    assert found.headers["access-control-allow-headers"] == "x-amz-date, content-type"
    assert found.headers["access-control-max-age"] == "60"
    for origin, method, headers in (
        ("https://example.org", "PUT", ""),
        ("https://a.example.org", "DELETE", ""),
        ("https://a.example.org", "PUT", "authorization"),
    ):
        assert preflight(door, origin, method, headers).status == 403
    s3.put_object(Bucket="box", Key="k", Body=b"x", ACL="public-read")
    found = door.ask("GET", "/box/k", headers={"origin": "https://b.example.org"})
    assert found.headers["access-control-expose-headers"] == "ETag"
    assert "access-control-allow-origin" not in door.ask("GET", "/box/k", headers={"origin": "https://x.org"}).headers


SITE = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}


@pytest.fixture
def site(s3: Any) -> Any:
    s3.put_bucket_website(Bucket="box", WebsiteConfiguration=SITE)
    s3.put_bucket_policy(
        Bucket="box",
        Policy=json.dumps({"Statement": [{**PUBLIC["Statement"][0], "Resource": "arn:aws:s3:::box/*"}]}),  # type: ignore[dict-item]
    )
    for key in ("index.html", "a/index.html", "error.html"):
        s3.put_object(Bucket="box", Key=key, Body=key.encode(), ContentType="text/html")
    s3.put_object(Bucket="box", Key="old", Body=b"", WebsiteRedirectLocation="/a/")
    return s3


def visit(door: DoorTest, path: str, method: str = "GET") -> Response:
    return door.ask(method, path, host="box.web.example.org:8080")


def test_a_site_shows_its_index_its_pages_and_its_error_page(site: Any, door: DoorTest) -> None:
    assert site.get_bucket_website(Bucket="box")["IndexDocument"] == SITE["IndexDocument"]
    assert visit(door, "/").body == b"index.html"
    assert visit(door, "/a/").headers["content-type"] == "text/html"
    assert (visit(door, "/a").status, visit(door, "/a").headers["location"]) == (302, "/a/")
    assert (visit(door, "/old").status, visit(door, "/old").headers["location"]) == (301, "/a/")
    missing = visit(door, "/nothing")
    assert (missing.status, missing.body) == (404, b"error.html")
    assert visit(door, "/", "PUT").status == 405
    assert visit(door, "/", "HEAD").status == 200
    etag = visit(door, "/").headers["etag"]
    assert door.ask("GET", "/", headers={"if-none-match": etag}, host="box.web.example.org").status == 304
    site.delete_object(Bucket="box", Key="error.html")
    assert "<h1>404 Not Found</h1>" in visit(door, "/nothing").text


@pytest.mark.parametrize(
    ("host", "path", "bucket"),
    [
        ("www.web.example.org", "/box/k", "www"),
        ("s3.example.org:9000", "/box/k", "box"),
        ("box.s3.example.org", "/k", "box"),
        ("s3.example.org", "/theirs:box/k", "box"),
        ("s3.example.org", "/", ""),
    ],
)
def test_what_is_asked_without_a_key_is_passed_on_to_who_has_the_bucket(
    door: DoorTest, host: str, path: str, bucket: str
) -> None:
    scope = {"method": "GET", "raw_path": path.encode(), "headers": [(b"host", host.encode())]}
    assert asked_bucket(read_request(scope, ""), door.settings) == bucket


def test_a_site_shows_only_what_is_public(site: Any, door: DoorTest) -> None:
    site.delete_bucket_policy(Bucket="box")
    assert visit(door, "/").status == 403
    site.put_object(Bucket="box", Key="index.html", Body=b"x", ACL="public-read")
    assert visit(door, "/").body == b"x"
    site.delete_bucket_website(Bucket="box")
    assert visit(door, "/").status == 404


def test_a_site_may_be_under_a_name_of_its_own_or_elsewhere(door: DoorTest) -> None:
    s3 = door.boto()
    s3.create_bucket(Bucket="www.association.fr")
    elsewhere = {"RedirectAllRequestsTo": {"HostName": "association.fr", "Protocol": "https"}}
    s3.put_bucket_website(Bucket="www.association.fr", WebsiteConfiguration=elsewhere)
    found = door.ask("GET", "/page", host="www.association.fr")
    assert (found.status, found.headers["location"]) == (301, "https://association.fr/page")
    with pytest.raises(ClientError) as error:
        s3.put_bucket_website(
            Bucket="www.association.fr",
            WebsiteConfiguration={**SITE, "RoutingRules": [{"Redirect": {"HostName": "x"}}]},
        )
    assert code_of(error) == "NotImplemented"


def form(door: DoorTest, s3: Any, *, size: int = 10, file: bytes = b"bytes", **changes: str) -> Response:
    """What a browser sends for a form that was made by boto3."""
    made = s3.generate_presigned_post(
        "box", "up/${filename}", Fields={"acl": "private", "success_action_status": "201"},
        Conditions=[{"acl": "private"}, {"success_action_status": "201"}, ["content-length-range", 1, size]],
    )  # fmt: skip
    fields = {**made["fields"], **changes}
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()
    ]
    head = '--B\r\nContent-Disposition: form-data; name="file"; filename="a b.txt"\r\nContent-Type: text/x\r\n\r\n'
    body = "".join(parts).encode() + head.encode() + file + b"\r\n--B--\r\n"
    return door.ask("POST", "/box", headers={"content-type": "multipart/form-data; boundary=B"}, body=body)


def test_a_browsers_form_uploads_what_its_policy_allows(s3: Any, door: DoorTest) -> None:
    found = form(door, s3)
    assert found.status == 201
    assert "<Key>up/a b.txt</Key>" in found.text
    assert found.headers["location"] == "http://s3.example.org/box/up/a%20b.txt"
    assert f"<Location>{found.headers['location']}</Location>" in found.text
    assert s3.get_object(Bucket="box", Key="up/a b.txt")["Body"].read() == b"bytes"


def test_a_file_in_a_form_may_hold_what_looks_like_its_end(s3: Any, door: DoorTest) -> None:
    data = (b"\r\n--A" * 20_000) + b"\r\n-" + bytes(range(256)) * 300 + b"\r\n--"
    assert form(door, s3, size=10**6, file=data).status == 201
    assert s3.get_object(Bucket="box", Key="up/a b.txt")["Body"].read() == data


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": "elsewhere"}, "AccessDenied"),
        ({"acl": "public-read"}, "AccessDenied"),
        ({"x-amz-meta-a": "1"}, "AccessDenied"),
        ({"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
        ({"policy": "e30="}, "SignatureDoesNotMatch"),
        ({"file": "x" * 11}, "EntityTooLarge"),
        ({"padding": "x" * 30_000}, "MaxPostPreDataLengthExceeded"),
    ],
)
def test_a_form_that_does_not_fit_uploads_nothing(
    s3: Any, door: DoorTest, changes: dict[str, str], code: str
) -> None:
    file = changes.pop("file", "bytes").encode()
    assert f"<Code>{code}</Code>" in form(door, s3, file=file, **changes).text
    assert s3.list_objects_v2(Bucket="box")["KeyCount"] == 0


@pytest.mark.parametrize(
    "body", [b"", b"--B", b"--B\r\n\r\n", b"--B--\r\n", b"x" * 100_000, b"--B\r\n" + b"a: b\r\n" * 5_000]
)
def test_what_is_no_form_is_refused(s3: Any, door: DoorTest, body: bytes) -> None:
    found = door.ask("POST", "/box", headers={"content-type": "multipart/form-data; boundary=B"}, body=body)
    assert found.status == 400
