"""Bucket policies and form policies: what is obeyed, and what is refused because it would not be."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace

import pytest

from node.s3.rights.policies import Asker, parse_policy
from node.s3.rights.policy_conditions import Circumstances
from node.s3.signing.post_policies import parse_post_policy
from node.s3.texts.faults import S3Error

READER = Asker((), "", "s3:GetObject", "box/a/b.png", Circumstances())
THEIRS = Asker(("theirs",), "KEY1", "s3:PutObject", "box/in/x", Circumstances(is_secure=True))


def statement(**changes: object) -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::box/*",
        **changes,
    }


def verdict(asker: Asker, *statements: dict[str, object]) -> bool | None:
    told = {"Version": "2012-10-17", "Statement": list(statements)}
    return parse_policy(json.dumps(told).encode(), "box").verdict(asker)


def test_a_public_bucket_may_be_read_by_everybody_and_nothing_else() -> None:
    assert verdict(READER, statement()) is True
    assert verdict(THEIRS, statement()) is None


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("arn:aws:iam::theirs:root", True),
        ("arn:aws:iam::theirs:user/KEY1", True),
        ("arn:aws:iam::theirs:user/KEY2", None),
        ("arn:aws:iam::others:root", None),
        ("*", True),
    ],
)
def test_a_bucket_is_shared_with_a_namespace_or_one_of_its_keys(principal: str, allowed: bool | None) -> None:
    shared = statement(Principal={"AWS": [principal]}, Action=["s3:PutObject"], Resource="arn:aws:s3:::box/in/*")
    assert verdict(THEIRS, shared) is allowed


def test_deny_wins() -> None:
    denied = statement(Effect="Deny", Action="s3:*", Resource="arn:aws:s3:::box/a/*")
    assert verdict(READER, statement(), denied) is False


def test_a_statement_may_ask_for_a_safe_connection() -> None:
    insecure = statement(
        Effect="Deny",
        Action="s3:*",
        Condition={"Bool": {"aws:SecureTransport": "false"}},
        Resource="arn:aws:s3:::box/*",
    )
    assert verdict(READER, statement(), insecure) is False
    assert verdict(THEIRS, statement(Action="*"), insecure) is True


@pytest.mark.parametrize(
    ("operator", "networks", "address", "allowed"),
    [
        ("IpAddress", "192.0.2.0/24", "192.0.2.77", True),
        ("IpAddress", ["198.51.100.7", "2001:db8::/32"], "2001:db8::1", True),
        ("IpAddress", ["198.51.100.7"], "198.51.100.7", True),
        ("IpAddress", "192.0.2.0/24", "::ffff:192.0.2.77", True),
        ("IpAddress", "192.0.2.0/24", "192.0.3.1", None),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", None),
        ("IpAddress", "0.0.0.0/0", None, None),
        ("IpAddress", "0.0.0.0/0", "a socket", None),
        ("NotIpAddress", "192.0.2.0/24", "192.0.2.77", None),
        ("NotIpAddress", "192.0.2.0/24", "192.0.3.1", True),
        ("NotIpAddress", "192.0.2.0/24", None, True),
    ],
)
def test_a_statement_may_ask_where_the_request_comes_from(
    operator: str, networks: object, address: str | None, allowed: bool | None
) -> None:
    told = statement(Condition={operator: {"aws:SourceIp": networks}})
    assert verdict(replace(READER, circumstances=Circumstances(address=address)), told) is allowed


@pytest.mark.parametrize(
    ("condition", "prefix", "allowed"),
    [
        ({"StringEquals": {"s3:prefix": ["", "home/"]}}, "home/", True),
        ({"StringEquals": {"s3:prefix": ["", "home/"]}}, "", True),
        ({"StringEquals": {"s3:prefix": ["", "home/"]}}, "home/x", None),
        ({"StringEquals": {"s3:prefix": ["", "home/"]}}, None, None),
        ({"StringLike": {"s3:prefix": "home/*"}}, "home/x", True),
        ({"StringNotLike": {"s3:prefix": "home/*"}}, "home/x", None),
        ({"StringNotEquals": {"s3:prefix": "home/"}}, None, True),
        ({"StringLike": {"s3:prefix": "home/*"}, "StringEquals": {"s3:delimiter": "/"}}, "home/x", None),
    ],
)
def test_a_statement_may_ask_what_is_listed(
    condition: dict[str, object], prefix: str | None, allowed: bool | None
) -> None:
    asker = replace(READER, action="s3:ListBucket", resource="box", circumstances=Circumstances(prefix=prefix))
    told = statement(Action="s3:ListBucket", Resource="arn:aws:s3:::box", Condition=condition)
    assert verdict(asker, told) is allowed


@pytest.mark.parametrize(
    ("networks", "is_public"), [("192.0.2.0/24", False), (["192.0.2.0/24", "0.0.0.0/0"], True), ("2000::/3", True)]
)
def test_what_only_a_few_addresses_may_read_is_not_public(networks: object, is_public: bool) -> None:
    told = {"Statement": statement(Condition={"IpAddress": {"aws:SourceIp": networks}})}
    assert parse_policy(json.dumps(told).encode(), "box").is_public is is_public


@pytest.mark.parametrize(
    ("action", "resource", "fits"),
    [
        ("s3:Get*", "box/*", True),
        ("S3:GETOBJECT", "box/a/?.png", True),
        ("s3:GetObject", "box/a", None),
        ("s3:GetObject", "box/*.png", True),
        ("s3:GetObject", "box", None),
        ("s3:GetObjectAcl", "box/*", None),
    ],
)
def test_stars_stand_for_letters(action: str, resource: str, fits: bool | None) -> None:
    assert (
        verdict(READER, statement(Action=action.replace("S3:", "s3:"), Resource=f"arn:aws:s3:::{resource}")) is fits
    )


@pytest.mark.parametrize("pattern", ["*a" * 2_000, f"*{'a' * 500}b*", f"*{'a' * 250}?{'a' * 249}b*"])
def test_a_policy_costs_little_whatever_is_written_in_it(pattern: str) -> None:
    asker, resources = replace(READER, resource="box/" + "a" * 1_000), [f"arn:aws:s3:::box/{pattern}"] * 40
    policy = parse_policy(json.dumps({"Statement": statement(Resource=resources)}).encode(), "box")
    began_s = time.process_time()
    assert policy.verdict(asker) is None
    assert time.process_time() - began_s < 0.25


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (statement(NotPrincipal="*"), "NotImplemented"),
        (statement(NotAction="s3:GetObject"), "NotImplemented"),
        (statement(Condition={"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}), "NotImplemented"),
        (statement(Condition={"StringEqualsIfExists": {"s3:prefix": ""}}), "NotImplemented"),
        (statement(Condition={"StringEquals": {"aws:Referer": "x"}}), "NotImplemented"),
        (statement(Condition={"NotBool": {"aws:SecureTransport": "true"}}), "NotImplemented"),
        (statement(Condition={"Bool": ["aws:SecureTransport"]}), "MalformedPolicy"),
        (statement(Condition={"Bool": {"aws:SecureTransport": "perhaps"}}), "MalformedPolicy"),
        (statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}), "MalformedPolicy"),
        (statement(Condition={"StringLike": {"s3:prefix": [1]}}), "MalformedPolicy"),
        (statement(Condition=1), "MalformedPolicy"),
        (statement(Principal={"Service": "x"}), "NotImplemented"),
        (statement(Principal={"AWS": "123456789012"}), "MalformedPolicy"),
        (statement(Effect="Maybe"), "MalformedPolicy"),
        (statement(Action="ec2:*"), "MalformedPolicy"),
        (statement(Resource="arn:aws:s3:::other/*"), "MalformedPolicy"),
        (statement(Resource=[]), "MalformedPolicy"),
        (statement(Mistake=1), "MalformedPolicy"),
    ],
)
def test_what_would_not_be_obeyed_is_not_accepted(told: dict[str, object], code: str) -> None:
    with pytest.raises(S3Error, match=code):
        verdict(READER, told)


_TWICE = json.dumps({"Statement": statement()}).replace('"Effect"', '"Effect": "Deny", "Effect"').encode()


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{", b"[" * 100_000, b'{"Statement": []}', b'{"Statement": 1}', b"\xff", _TWICE]
)
def test_what_is_no_policy_is_malformed(document: bytes) -> None:
    with pytest.raises(S3Error, match="MalformedPolicy"):
        parse_policy(document, "box")


FORM = {"bucket": "box", "key": "user/a.png", "content-type": "image/png", "policy": "…", "x-amz-signature": "…"}
CONDITIONS = [{"bucket": "box"}, ["starts-with", "$key", "user/"], ["eq", "$Content-Type", "image/png"]]


def form_policy(*conditions: object, expiration: str = "2030-01-01T00:00:00.000Z") -> str:
    told = {"expiration": expiration, "conditions": list(conditions)}
    return base64.b64encode(json.dumps(told).encode()).decode()


def test_a_form_that_fits_its_policy() -> None:
    policy = parse_post_policy(form_policy(*CONDITIONS, ["content-length-range", 1, 10]))
    policy.check(FORM, 1_800_000_000)
    policy.check_size(10)
    for size_bytes, code in ((0, "EntityTooSmall"), (11, "EntityTooLarge")):
        with pytest.raises(S3Error, match=code):
            policy.check_size(size_bytes)


@pytest.mark.parametrize(
    "changes", [{"key": "other/a.png"}, {"content-type": "text/html"}, {"bucket": "other"}, {"acl": "public-read"}]
)
def test_a_form_that_does_not_fit_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(S3Error, match="AccessDenied"):
        parse_post_policy(form_policy(*CONDITIONS)).check({**FORM, **changes}, 1_800_000_000)


def test_a_form_policy_expires() -> None:
    with pytest.raises(S3Error, match="AccessDenied"):
        parse_post_policy(form_policy(*CONDITIONS)).check(FORM, 1_900_000_000)


@pytest.mark.parametrize(
    "text", ["", "e30=", "!", form_policy(["near", "$key", "x"]), form_policy(["content-length-range", -1, "x"])]
)
def test_what_is_no_form_policy_is_refused(text: str) -> None:
    with pytest.raises(S3Error, match="InvalidPolicyDocument"):
        parse_post_policy(text)
