"""aws-chunked: a body in pieces, each with its size and perhaps a signature, and trailers after the last. Pure.

`STREAMING-AWS4-HMAC-SHA256-PAYLOAD` chains the signatures: that of each piece covers the one before, the first that
of the request's head. So a body is proven while it streams, and nobody needs to hash it before it is sent. With
`-TRAILER` checksums that were counted on the way come after the body, signed too.
`STREAMING-UNSIGNED-PAYLOAD-TRAILER` has the framing and the checksum, and leaves the proof to TLS.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from node.s3.signing import sigv4
from node.s3.signing.sigv4 import EMPTY_SHA256, Claim
from node.s3.texts import faults
from node.s3.texts.faults import S3Error

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED_IN_PIECES = (SIGNED, SIGNED_TRAILER)
STREAMING = (*SIGNED_IN_PIECES, UNSIGNED_TRAILER)

LINE_BYTES_MAX = 1_024
TRAILERS_MAX = 8
EMPTY_LINES_MAX = 4
PIECE_BYTES_MAX = 5 * 2**30
_HEAD = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
TRAILER_SIGNATURE = "x-amz-trailer-signature"


@dataclass(frozen=True, slots=True)
class PieceHead:
    """How long the next piece is; 0 for the last. `signature` is empty where pieces are not signed."""

    size_bytes: int
    signature: str


def parse_head(line: bytes) -> PieceHead:
    """The line before a piece.

    Raises:
        S3Error: InvalidRequest.
    """
    found = _HEAD.fullmatch(line)
    if found is None or int(found[1], 16) > PIECE_BYTES_MAX:
        raise S3Error(faults.INVALID_REQUEST, "A chunk of the body does not begin as aws-chunked demands.")
    return PieceHead(int(found[1], 16), (found[2] or b"").decode())


def parse_trailer(line: bytes) -> tuple[str, str]:
    """A trailer's name, in lower case, and value.

    Raises:
        S3Error: MalformedTrailerError.
    """
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or not name:
        raise S3Error(faults.MALFORMED_TRAILER)
    return name.strip().lower(), value.strip()


class PieceSignatures:
    """The chain of signatures of one body."""

    def __init__(self, claim: Claim, key: bytes) -> None:
        self._claim = claim
        self._key = key
        self._previous = claim.signature

    def check_piece(self, claimed: str, sha256_hex: str) -> None:
        """Raises S3Error(SignatureDoesNotMatch)."""
        told = f"{self._claim.timestamp}\n{self._claim.scope}\n{self._previous}\n{EMPTY_SHA256}\n{sha256_hex}"
        self._check(claimed, f"{sigv4.ALGORITHM}-PAYLOAD\n{told}")

    def check_trailers(self, claimed: str, trailers: list[tuple[str, str]]) -> None:
        """Raises S3Error(SignatureDoesNotMatch)."""
        listed = "".join(f"{name}:{value}\n" for name, value in sorted(trailers))
        hashed = hashlib.sha256(listed.encode("latin-1")).hexdigest()
        told = f"{self._claim.timestamp}\n{self._claim.scope}\n{self._previous}\n{hashed}"
        self._check(claimed, f"{sigv4.ALGORITHM}-TRAILER\n{told}")

    def _check(self, claimed: str, told: str) -> None:
        expected = sigv4.signature(self._key, told)
        if not sigv4.same(claimed, expected):
            raise S3Error(faults.SIGNATURE_MISMATCH)
        self._previous = expected
