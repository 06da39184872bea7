"""A door with a public name's certificate: who trusts the name comes in, and a renewed certificate is taken up."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from trio.testing import MockClock

from node.host.ports import CertificateFiles
from node.host.public import LOOK_EVERY_S, PublicCertificate
from node.host.real import real_host
from node.http.asgi import Receive, Scope, Send
from node.http.server import HttpServer
from node.http.settings import HttpSettings
from protocol.errors import Malformed
from tests.support.http import answer

NAME = "s3.example"


def issue(folder: Path) -> CertificateFiles:
    """A new certificate for `NAME`, in files with fixed names."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False).sign(
        key, hashes.SHA256()
    )
    files = CertificateFiles(str(folder / "chain.pem"), str(folder / "key.pem"))
    Path(files.certificate).write_bytes(signed.public_bytes(Encoding.PEM))
    Path(files.key).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def write(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


async def test_a_program_that_trusts_the_name_is_served(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, f"{scope['scheme']} {scope['client'][0]}".encode())

    files, host = issue(tmp_path), real_host(tmp_path)
    trusting = ssl.create_default_context(cafile=files.certificate)
    listener = await host.network.listen_public("127.0.0.1:0", files)
    server = HttpServer(app, HttpSettings(), host.wall, scheme="https")
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listener)
            port = int(listener.address.rpartition(":")[2])
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            client = trio.SSLStream(stream, trusting, server_hostname=NAME)
            await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            while b"127.0.0.1" not in received:
                received += await client.receive_some()
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")
            assert received.endswith(b"https 127.0.0.1")
            await client.aclose()
            server.drain()


async def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    certificate = PublicCertificate(issue(tmp_path))
    first, bound = certificate.context(), certificate.binding
    files = issue(tmp_path)
    assert certificate.context() is first
    await trio.sleep(LOOK_EVERY_S)
    second = certificate.context()
    assert second is not first
    assert certificate.binding != bound
    write(files.key, b"half a key")
    await trio.sleep(LOOK_EVERY_S)
    assert certificate.context() is second
    issue(tmp_path)
    await trio.sleep(LOOK_EVERY_S)
    assert certificate.context() is not second


async def test_a_pair_that_does_not_fit_is_refused_by_name(tmp_path: Path, autojump_clock: MockClock) -> None:
    files = issue(tmp_path)
    issue(tmp_path / "other")
    write(files.key, (tmp_path / "other" / "key.pem").read_bytes())
    with pytest.raises(Malformed, match="tls-certificate"):
        PublicCertificate(files)
    with pytest.raises(Malformed, match="tls-certificate"):
        PublicCertificate(CertificateFiles(str(tmp_path / "absent"), files.key))
