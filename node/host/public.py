"""The certificate of a public name, from files that somebody else renews.

Certificates of today live for weeks, and whoever renews one writes new files and should not have to restart a node
for it. So the files are looked at again when somebody connects, at most once a minute; a pair that does not load
leaves the one before it in use.
"""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import trio

from node.host.ports import CertificateFiles
from node.host.sockets import reason_of
from node.logs import get_logger
from protocol.errors import Malformed

LOOK_EVERY_S = 60.0
_PEM_END = "-----END CERTIFICATE-----"

log = get_logger(__name__)


class PublicCertificate:
    """`binding` is the hash of the certificate that was loaded last."""

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._seen = self._times()
        self._look_s = trio.current_time() + LOOK_EVERY_S
        self._context, self.binding = load_certificate(files)

    def context(self) -> ssl.SSLContext:
        """The context for a connection that begins now."""
        if trio.current_time() >= self._look_s:
            self._look_s = trio.current_time() + LOOK_EVERY_S
            self._look_again()
        return self._context

    def _look_again(self) -> None:
        times = self._times()
        if times == self._seen:
            return
        try:
            self._context, self.binding = load_certificate(self._files)
        except Malformed as error:
            log.error("certificate-not-loaded", error=str(error))
        else:
            self._seen = times
            log.info("certificate-loaded", path=self._files.certificate)

    def _times(self) -> tuple[int, ...]:
        try:
            return tuple(Path(path).stat().st_mtime_ns for path in (self._files.certificate, self._files.key))
        except OSError:
            return ()


def load_certificate(files: CertificateFiles) -> tuple[ssl.SSLContext, bytes]:
    """The certificate, ready to be shown to programs, and its hash. Raises Malformed(`tls-certificate`)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key)
        leaf = Path(files.certificate).read_text(encoding="ascii").partition(_PEM_END)[0]
        start = leaf.index("-----BEGIN CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(leaf[start:] + _PEM_END)
    except (OSError, ValueError) as error:
        raise Malformed("tls-certificate", path=files.certificate, reason=reason_of(error)) from error
    return context, hashlib.sha256(der).digest()
