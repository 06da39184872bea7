"""Signature Version 4, by Amazon's own examples of headers, presigned URLs and streams."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from node.s3.asking.request import Request, read_request
from node.s3.signing import claims, sigv4
from node.s3.signing.chunk_signatures import PieceSignatures
from node.s3.signing.sigv4 import Claim, SigningKeys
from node.s3.texts.faults import S3Error

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AT_S = 1_369_353_600  # 2013-05-24T00:00:00Z
HOST = "examplebucket.s3.amazonaws.com"
EMPTY = sigv4.EMPTY_SHA256
WELCOME = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()


def request(method: str, target: str, **headers: str) -> Request:
    path, _mark, query = target.partition("?")
    scope = {
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    return read_request(scope, "1")


def signed(method: str, target: str, names: str, signature: str, **headers: str) -> Request:
    credential = f"{KEY_ID}/20130524/us-east-1/s3/aws4_request"
    headers.setdefault("host", HOST)
    headers.setdefault("x_amz_date", "20130524T000000Z")
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"
    return request(method, target, **headers)


EXAMPLES = {
    "GET Object": signed(
        "GET",
        "/test.txt",
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        range="bytes=0-9",
        x_amz_content_sha256=EMPTY,
    ),
    "PUT Object": signed(
        "PUT",
        "/test$file.text",
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_storage_class="REDUCED_REDUNDANCY",
        x_amz_content_sha256=WELCOME,
    ),
    "GET Bucket Lifecycle": signed(
        "GET",
        "/?lifecycle",
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        x_amz_content_sha256=EMPTY,
    ),
    "List Objects": signed(
        "GET",
        "/?max-keys=2&prefix=J",
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        x_amz_content_sha256=EMPTY,
    ),
}
PRESIGNED = request(
    "GET",
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
    "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    host=HOST,
)


def claimed(of: Request, now_s: int = AT_S) -> Claim:
    found = claims.claim_of(of, now_s)
    assert found is not None
    assert found.key_id == KEY_ID
    return found


def check(of: Request, now_s: int = AT_S, secret: str = SECRET) -> None:
    claim = claimed(of, now_s)
    claims.verify(of, claim, SigningKeys().derive(secret, claim.scope))


@pytest.mark.parametrize("name", EXAMPLES)
def test_amazons_examples_are_believed(name: str) -> None:
    check(EXAMPLES[name])


def test_a_presigned_url_is_believed_until_it_expires() -> None:
    check(PRESIGNED, AT_S + 86_400)
    with pytest.raises(S3Error, match="AccessDenied"):
        check(PRESIGNED, AT_S + 86_401)


def test_another_secret_is_not_believed() -> None:
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        check(PRESIGNED, secret="another")


def test_a_header_that_was_changed_on_the_way_is_found_out() -> None:
    honest = EXAMPLES["GET Object"]
    changed = dataclasses.replace(honest, headers={**honest.headers, "range": "bytes=0-10"})
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        check(changed)


def test_a_header_of_amazons_that_is_not_signed_is_refused() -> None:
    honest = EXAMPLES["GET Object"]
    added = dataclasses.replace(honest, headers={**honest.headers, "x-amz-acl": "public-read"})
    with pytest.raises(S3Error, match="AccessDenied"):
        check(added)


@pytest.mark.parametrize("names", ["x;host", "host;host", "a;" * 10_000 + "host"], ids=["order", "twice", "often"])
def test_signed_headers_are_named_in_order_and_once(names: str) -> None:
    with pytest.raises(S3Error, match="AuthorizationHeaderMalformed"):
        check(signed("GET", "/test.txt", names, "0" * 64, x_amz_content_sha256=EMPTY, a="a" * 10_000))


@pytest.mark.parametrize("skew_s", [-901, 901])
def test_a_clock_that_is_wrong_by_more_than_fifteen_minutes_is_told_so(skew_s: int) -> None:
    with pytest.raises(S3Error, match="RequestTimeTooSkewed"):
        check(EXAMPLES["GET Object"], AT_S + skew_s)


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS AKID:signature",
        "Bearer x",
        "AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=0",
        "AWS4-HMAC-SHA256",
    ],
)
def test_other_ways_to_sign_are_refused(authorization: str) -> None:
    asked = request("GET", "/", host=HOST, authorization=authorization, x_amz_date="20130524T000000Z")
    with pytest.raises(S3Error, match=r"InvalidRequest|AuthorizationHeaderMalformed"):
        claims.claim_of(asked, AT_S)


def test_a_request_without_a_signature_is_anonymous() -> None:
    assert claims.claim_of(request("GET", "/key?versionId=1", host=HOST), AT_S) is None


STREAMED = signed(
    "PUT",
    "/examplebucket/chunkObject.txt",
    "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
    "x-amz-storage-class",
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    host="s3.amazonaws.com",
    content_encoding="aws-chunked",
    content_length="66824",
    x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    x_amz_decoded_content_length="66560",
    x_amz_storage_class="REDUCED_REDUNDANCY",
)
WITH_TRAILER = signed(
    "PUT",
    "/examplebucket/chunkObject.txt",
    "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    host="s3.amazonaws.com",
    content_encoding="aws-chunked",
    x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    x_amz_decoded_content_length="66560",
    x_amz_storage_class="REDUCED_REDUNDANCY",
    x_amz_trailer="x-amz-checksum-crc32c",
)
FIRST, SECOND = hashlib.sha256(b"a" * 65_536).hexdigest(), hashlib.sha256(b"a" * 1_024).hexdigest()


def pieces_of(of: Request) -> PieceSignatures:
    claim = claimed(of)
    return PieceSignatures(claim, SigningKeys().derive(SECRET, claim.scope))


def test_the_pieces_of_amazons_stream_are_believed_one_after_the_other() -> None:
    check(STREAMED)
    chain = pieces_of(STREAMED)
    chain.check_piece("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", FIRST)
    chain.check_piece("0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", SECOND)
    chain.check_piece("b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", EMPTY)


def test_amazons_trailer_is_believed() -> None:
    check(WITH_TRAILER)
    chain = pieces_of(WITH_TRAILER)
    chain.check_piece("b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", FIRST)
    chain.check_piece("1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7", SECOND)
    chain.check_piece("2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992", EMPTY)
    chain.check_trailers(
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435", [("x-amz-checksum-crc32c", "sOO8/Q==")]
    )


def test_a_piece_that_was_changed_or_moved_is_not_believed() -> None:
    chain = pieces_of(STREAMED)
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        chain.check_piece("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", SECOND)
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        chain.check_piece("0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", SECOND)
