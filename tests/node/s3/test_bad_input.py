"""What clients should not send: S3's own error, and nothing is named that was not wholly proven."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import zlib

import pytest
import trio
from structlog.testing import capture_logs

from node.http.asgi import Message
from node.s3.calls.failures import told
from node.s3.signing.chunk_signatures import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER
from node.s3.texts import faults
from node.text.sentences import sentence
from protocol.errors import Damaged, MaillonError, Malformed, Refused, Unavailable
from tests.support.s3_door import DoorTest, Response
from tests.support.s3_signer import Signer

DATA = bytes(range(256)) * 300
CRC = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()


@pytest.fixture
def door() -> DoorTest:
    made = DoorTest()
    made.boto().create_bucket(Bucket="box")
    return made


def put(
    door: DoorTest, signer: Signer, body: bytes, *, hang_up_after: int | None = None, declared: int | None = None
) -> Response:
    size = len(body) if declared is None else declared
    headers = {**signer.headers, "content-length": str(size)}
    return door.ask("PUT", "/box/k", headers=headers, body=body, hang_up_after=hang_up_after)


def streaming(payload: str, **headers: str) -> Signer:
    told = {"x-amz-decoded-content-length": str(len(DATA)), "content-encoding": "aws-chunked,gzip"}
    return Signer("PUT", "/box/k", payload, told | {name.replace("_", "-"): text for name, text in headers.items()})


def nothing_is_there(door: DoorTest) -> bool:
    held = door.vault.shelf("ours").bucket("box")
    return not held.keys


def kept(door: DoorTest) -> bytes:
    return door.vault.shelf("ours").bucket("box").keys["k"][0].data


def test_a_signed_stream_is_taken_out_of_its_framing(door: DoorTest) -> None:
    signer = streaming(SIGNED)
    assert put(door, signer, signer.pieces(DATA[:65_536], DATA[65_536:]) + b"\r\n").status == 200
    assert kept(door) == DATA
    found = door.vault.shelf("ours").bucket("box").keys["k"][0].stat
    assert [one.value for one in found.metadata if one.name == "content-encoding"] == ["gzip"]


def test_a_signed_stream_may_end_with_a_signed_trailer(door: DoorTest) -> None:
    signer = streaming(SIGNED_TRAILER, x_amz_trailer="x-amz-checksum-crc32")
    body = signer.pieces(DATA) + signer.trailer(f"x-amz-checksum-crc32:{CRC}")
    assert put(door, signer, body).headers["x-amz-checksum-crc32"] == CRC
    assert kept(door) == DATA


def test_an_unsigned_stream_ends_with_its_checksum(door: DoorTest) -> None:
    signer = streaming(UNSIGNED_TRAILER, x_amz_trailer="x-amz-checksum-crc32")
    body = f"{len(DATA):x}\r\n".encode() + DATA + f"\r\n0\r\nx-amz-checksum-crc32:{CRC}\r\n\r\n".encode()
    assert put(door, signer, body).status == 200
    assert kept(door) == DATA


def test_trailers_may_be_framed_as_minios_go_client_does(door: DoorTest) -> None:
    signer = streaming(SIGNED_TRAILER, x_amz_trailer="x-amz-checksum-crc32")
    data, trailer = signer.pieces(DATA), signer.trailer(f"x-amz-checksum-crc32:{CRC}")
    found = put(door, signer, data + trailer.replace(b"\r\n", b"\n\r\n", 1))
    assert found.headers["x-amz-checksum-crc32"] == CRC
    signer = streaming(UNSIGNED_TRAILER, x_amz_trailer="x-amz-checksum-crc32")
    body = f"{len(DATA):x}\r\n".encode() + DATA + f"\r\n0\r\nx-amz-checksum-crc32:{CRC}\n\r\n\r\n".encode()
    assert put(door, signer, body).headers["x-amz-checksum-crc32"] == CRC
    assert kept(door) == DATA


def test_who_signs_nothing_may_frame_a_body_but_not_sign_its_pieces(door: DoorTest) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::box/*"}
    door.boto().put_bucket_policy(Bucket="box", Policy=json.dumps({"Statement": everybody}))
    body = f"{len(DATA):x}\r\n".encode() + DATA + f"\r\n0\r\nx-amz-checksum-crc32:{CRC}\r\n\r\n".encode()
    told = {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": str(len(DATA))}
    found = door.ask("PUT", "/box/k", headers={**told, "x-amz-content-sha256": UNSIGNED_TRAILER}, body=body)
    assert (found.status, found.headers["x-amz-checksum-crc32"]) == (200, CRC)
    assert kept(door) == DATA
    for word, code in ((SIGNED_TRAILER, "InvalidArgument"), ("0" * 64, "InvalidRequest"), ("", "InvalidRequest")):
        found = door.ask("PUT", "/box/k", headers={**told, "x-amz-content-sha256": word}, body=body)
        assert f"<Code>{code}</Code>" in found.text
    wrong = door.ask("PUT", "/box/k", headers={"x-amz-content-sha256": "0" * 64}, body=b"other")
    assert "<Code>XAmzContentSHA256Mismatch</Code>" in wrong.text
    assert kept(door) == DATA


def broken(name: str) -> tuple[Signer, bytes]:
    """A stream with one thing wrong."""
    trailing = name.startswith("trailer")
    kind = SIGNED_TRAILER if trailing else SIGNED
    signer = streaming(kind, **({"x_amz_trailer": "x-amz-checksum-crc32"} if trailing else {}))
    body = signer.pieces(DATA)
    line = f"x-amz-checksum-crc32:{CRC}"
    made = {
        "a byte": lambda: body.replace(DATA[:9], DATA[1:10], 1),
        "a signature": lambda: re.sub(rb"=[0-9a-f]{64}", b"=" + b"0" * 64, body, count=1),
        "no last piece": lambda: body[: body.rfind(b"0;")],
        "half": lambda: body[: len(body) // 2],
        "no framing": lambda: DATA,
        "more after the end": lambda: body + b"\r\nmore",
        "lines after the end": lambda: body + b"\r\nmore\r\n",
        "empty lines after the end": lambda: body + b"\r\n" * 5,
        "a long line": lambda: b"1" * 5_000 + body,
        "a huge piece": lambda: b"ffffffffffffffff;chunk-signature=" + b"0" * 64 + b"\r\n" + DATA,
        "trailer missing": lambda: body + b"\r\n",
        "trailer unsigned": lambda: body + f"{line}\r\n\r\n".encode(),
        "trailer of other bytes": lambda: body + signer.trailer("x-amz-checksum-crc32:AAAAAA=="),
        "trailer of another name": lambda: body + signer.trailer("x-amz-checksum-sha1:AAAAAA=="),
        "trailer that is none": lambda: body + b"nonsense\r\n\r\n",
    }
    return signer, made[name]()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a byte", "SignatureDoesNotMatch"),
        ("a signature", "SignatureDoesNotMatch"),
        ("no last piece", "IncompleteBody"),
        ("half", "IncompleteBody"),
        ("no framing", "InvalidRequest"),
        ("more after the end", "IncompleteBody"),
        ("lines after the end", "MalformedTrailerError"),
        ("empty lines after the end", "MalformedTrailerError"),
        ("a long line", "InvalidRequest"),
        ("a huge piece", "InvalidRequest"),
        ("trailer missing", "MalformedTrailerError"),
        ("trailer unsigned", "SignatureDoesNotMatch"),
        ("trailer of other bytes", "BadDigest"),
        ("trailer of another name", "MalformedTrailerError"),
        ("trailer that is none", "MalformedTrailerError"),
    ],
)
def test_a_broken_stream_names_nothing(door: DoorTest, name: str, code: str) -> None:
    found = put(door, *broken(name))
    assert f"<Code>{code}</Code>" in found.text
    assert nothing_is_there(door)


def test_a_stream_of_another_length_than_was_declared_names_nothing(door: DoorTest) -> None:
    for size in (len(DATA) - 1, len(DATA) + 1):
        told = {"x-amz-decoded-content-length": str(size)}
        signer = Signer("PUT", "/box/k", SIGNED, told)
        assert "<Code>IncompleteBody</Code>" in put(door, signer, signer.pieces(DATA)).text
    assert nothing_is_there(door)


def test_a_body_that_is_not_what_was_signed_names_nothing(door: DoorTest) -> None:
    signer = Signer("PUT", "/box/k", hashlib.sha256(b"other").hexdigest(), {})
    assert "<Code>XAmzContentSHA256Mismatch</Code>" in put(door, signer, DATA).text
    assert nothing_is_there(door)


@pytest.mark.parametrize("size", [len(DATA) + 1, len(DATA) - 1])
def test_a_body_of_another_length_than_was_declared_names_nothing(door: DoorTest, size: int) -> None:
    signer = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {})
    assert "<Code>IncompleteBody</Code>" in put(door, signer, DATA, declared=size).text
    assert nothing_is_there(door)


def test_a_client_that_hangs_up_names_nothing(door: DoorTest) -> None:
    signer = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {})
    put(door, signer, DATA, hang_up_after=len(DATA) - 1)
    assert nothing_is_there(door)


def test_a_tampered_or_skewed_request_is_refused(door: DoorTest) -> None:
    signer = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {"x-amz-meta-a": "1"})
    signer.headers["x-amz-meta-a"] = "2"
    assert "<Code>SignatureDoesNotMatch</Code>" in put(door, signer, DATA).text
    signer = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {}, at_s=int(time.time()) - 1_000)
    assert "<Code>RequestTimeTooSkewed</Code>" in put(door, signer, DATA).text
    signer = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {})
    signer.headers["authorization"] = signer.headers["authorization"].replace("OURKEY", "NOKEY")
    assert "<Code>InvalidAccessKeyId</Code>" in put(door, signer, DATA).text
    assert nothing_is_there(door)


def test_a_revoked_key_stops_working_at_once(door: DoorTest) -> None:
    client = door.boto()
    client.list_buckets()
    del door.vault.known["OURKEY"]
    signer = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {})
    assert "<Code>InvalidAccessKeyId</Code>" in put(door, signer, DATA).text


@pytest.mark.parametrize(
    "target", ["/box/%00", "/box/%ff", "/box/k?versionId=%ff", "/" + "x" * 70, "/box?" + "a&" * 300]
)
def test_paths_that_name_nothing_are_refused(door: DoorTest, target: str) -> None:
    assert door.ask("GET", target).status in (400, 404)


@pytest.mark.parametrize("target", ["/box?delete", "/box?versioning", "/box?lifecycle", "/box/k?retention"])
def test_a_bomb_in_a_document_is_malformed(door: DoorTest, target: str) -> None:
    laughs = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE Delete [<!ENTITY a0 "ha">{laughs}]><Delete><Object><Key>&a9;</Key></Object></Delete>'.encode()
    method = "POST" if target.endswith("delete") else "PUT"
    signed = Signer(method, target, "UNSIGNED-PAYLOAD", {})
    assert "<Code>MalformedXML</Code>" in door.ask(method, target, headers=signed.headers, body=bomb).text


def test_a_large_document_is_refused_before_it_is_read(door: DoorTest) -> None:
    signer = Signer("POST", "/box", "UNSIGNED-PAYLOAD", {})
    signer = Signer("PUT", "/box/k", "UNSIGNED-PAYLOAD", {"x-amz-meta-a": "x" * 3_000})
    assert "<Code>MetadataTooLarge</Code>" in put(door, signer, DATA).text


def test_an_error_says_what_it_is_about_and_has_the_id_that_the_log_has(door: DoorTest) -> None:
    found = door.ask("GET", "/box/a%20%3Cb%3E")
    assert found.status == 403
    assert found.headers["content-type"] == "application/xml"
    told = found.headers["x-amz-request-id"]
    assert "<Resource>/box/a &lt;b&gt;</Resource>" in found.text
    assert f"<RequestId>{told}</RequestId>" in found.text


def test_the_log_has_a_line_and_never_a_secret(door: DoorTest, capsys: pytest.CaptureFixture[str]) -> None:
    client = door.boto()
    url = client.generate_presigned_url("get_object", Params={"Bucket": "box", "Key": "k"}).partition(".org")[2]
    door.ask("GET", url)
    line = capsys.readouterr().out.splitlines()[-1]
    assert "NoSuchKey" in line
    assert "operation=GetObject" in line
    assert "secret" not in line
    assert url.partition("X-Amz-Signature=")[2][:64] not in line


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unavailable("holders-too-few", needed=4, found=3, refusals=("n5",)), 503, "SlowDown"),
        (Unavailable("store-full", size_bytes=1), 503, "SlowDown"),
        (Damaged("catalog-gap", namespace="ours"), 503, "SlowDown"),
        (Refused("placement-impossible", data_class="internal", needed=6, found=3), 503, "ServiceUnavailable"),
        (Refused("journal-promised", namespace=b"", epoch=1), 503, "ServiceUnavailable"),
        (Malformed("message-form", offset=1), 500, "InternalError"),
    ],
    ids=lambda value: value.identifier if isinstance(value, MaillonError) else "",
)
def test_what_cannot_be_done_now_is_told_with_its_reason(error: MaillonError, status: int, code: str) -> None:
    found = told(error)
    assert (found.fault.status, found.fault.code) == (status, code)
    assert found.message == (sentence(error) if status == 503 else faults.INTERNAL.message)


def test_a_request_that_is_cut_off_is_logged_so(door: DoorTest) -> None:
    async def unheard(_message: Message) -> None:
        raise AssertionError("nothing is answered")

    async def stops() -> None:
        with trio.CancelScope() as stop:
            stop.cancel()
            scope = {
                "type": "http", "method": "POST", "path": "/box", "raw_path": b"/box", "query_string": b"",
                "headers": [(b"host", b"a"), (b"content-type", b"multipart/form-data; boundary=B")],
            }  # fmt: skip
            await door.door(scope, trio.sleep_forever, unheard)

    with capture_logs() as logs:
        trio.run(stops)
    assert [(line["event"], line["reason"]) for line in logs] == [("s3-request", "cut-off")]
