"""A client that signs by hand, so that a test can lie after signing, or sign at a time of its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping

from node.s3.asking.request import read_request
from node.s3.signing import sigv4
from node.s3.signing.sigv4 import Claim, Scope, SigningKeys
from node.s3.texts.times import signed_date


class Signer:
    """A client that signs by hand, so that it can lie after signing."""

    def __init__(
        self,
        method: str,
        target: str,
        payload: str,
        headers: Mapping[str, str],
        *,
        at_s: int | None = None,
        key_id: str = "OURKEY",
        secret: str = "",
    ) -> None:
        timestamp = signed_date(int(time.time()) if at_s is None else at_s)
        scope = Scope(timestamp[:8], "garage")
        self.headers = {
            "host": "s3.example.org", "x-amz-date": timestamp, "x-amz-content-sha256": payload, **headers,
        }  # fmt: skip
        names = tuple(sorted(self.headers))
        path, _mark, query = target.partition("?")
        told = read_request(
            {
                "method": method,
                "path": path,
                "raw_path": path.encode(),
                "query_string": query.encode(),
                "headers": [(name.encode(), text.encode("latin-1")) for name, text in self.headers.items()],
            },
            "",
        )
        claim = Claim(key_id, scope, names, "", timestamp, payload)
        self.key = SigningKeys().derive(secret or f"secret of {key_id}", scope)
        self.signature = sigv4.signature(
            self.key, sigv4.string_to_sign(claim, next(sigv4.canonical_requests(told, claim)))
        )
        self.stamp = f"{timestamp}\n{scope}"
        self.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(names)}, "
            f"Signature={self.signature}"
        )

    def pieces(self, *data: bytes) -> bytes:
        """The body in signed pieces."""
        told = b""
        for piece in (*data, b""):
            hashed = hashlib.sha256(piece).hexdigest()
            to_sign = f"AWS4-HMAC-SHA256-PAYLOAD\n{self.stamp}\n{self.signature}\n{sigv4.EMPTY_SHA256}\n{hashed}"
            self.signature = sigv4.signature(self.key, to_sign)
            told += (
                f"{len(piece):x};chunk-signature={self.signature}\r\n".encode() + piece + (b"\r\n" if piece else b"")
            )
        return told

    def trailer(self, line: str) -> bytes:
        hashed = hashlib.sha256(f"{line}\n".encode()).hexdigest()
        signature = sigv4.signature(self.key, f"AWS4-HMAC-SHA256-TRAILER\n{self.stamp}\n{self.signature}\n{hashed}")
        return f"{line}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
