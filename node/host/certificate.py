"""The throw-away TLS key of one start of a node, and the two contexts that use it.

A fresh self-signed EC P-256 certificate names nobody: it only has to be different each time. Python loads keys from
files only, so the key goes through an anonymous file in memory where the kernel has them, else through a private
temporary file that is gone before anybody can dial.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# Nobody checks these dates; they only have to hold whatever the machine's clock believes.
_VALID_DAYS = 3650


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """`binding` is the SHA-256 of the certificate that `listening` presents."""

    listening: ssl.SSLContext
    dialling: ssl.SSLContext
    binding: bytes


def make_contexts() -> TlsContexts:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(key)
    listening = _context(ssl.PROTOCOL_TLS_SERVER)
    # Session tickets are written after the handshake: a peer that closes early would lose data to a reset.
    listening.num_tickets = 0
    _load(listening, certificate, key)
    return TlsContexts(
        listening=listening,
        dialling=_context(ssl.PROTOCOL_TLS_CLIENT),
        binding=hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest(),
    )


def _context(purpose: int) -> ssl.SSLContext:
    context = ssl.SSLContext(purpose)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # identity is proven above TLS, bound to the certificate seen
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "maillon")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=_VALID_DAYS))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .sign(key, hashes.SHA256())
    )


def _load(context: ssl.SSLContext, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pem = certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("maillon-tls", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as private:
        path = Path(private, "tls.pem")
        path.touch(mode=0o600)
        path.write_bytes(pem)
        context.load_cert_chain(path)
