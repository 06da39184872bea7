"""What a request's headers promise about its body, and the body that this makes. Pure but for the wire it is
given.
"""

from __future__ import annotations

from node.host.ports import Threads
from node.s3.asking.request import Request
from node.s3.signing.bodies import Body, ChunkedBody, PlainBody, Promised, Upload, Wire
from node.s3.signing.chunk_signatures import SIGNED_TRAILER, STREAMING, UNSIGNED_TRAILER, PieceSignatures
from node.s3.signing.claims import require_hash
from node.s3.signing.sigv4 import UNSIGNED, Claim
from node.s3.texts import faults
from node.s3.texts.checksums import BY_HEADER, Algorithm, decode
from node.s3.texts.faults import S3Error
from node.s3.texts.numbers import NO_NUMBER, read_count

MD5_BYTES = 16
_CHECKSUM_WORDS = ("x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode")


def promised(request: Request, claim: Claim | None) -> Promised:
    """What is promised.

    Raises:
        S3Error: InvalidDigest, InvalidRequest, for promises that no bytes could keep.
    """
    checksum, trailer = checksum_of(request), _trailer(request)
    if checksum is not None and trailer is not None:
        raise S3Error(faults.INVALID_REQUEST, "Expecting a single x-amz-checksum- header")
    if request.headers.get("x-amz-sdk-checksum-algorithm") and checksum is None and trailer is None:
        raise S3Error(
            faults.INVALID_REQUEST,
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found.",
        )
    payload = _payload(request, claim)
    is_hash = bool(payload) and payload != UNSIGNED and payload not in STREAMING
    return Promised(_md5(request), payload if is_hash else None, checksum, trailer)


def _payload(request: Request, claim: Claim | None) -> str:
    """How the body comes, or its hash; empty where nothing says so. Who signs nothing may say it too, but can sign no
    piece. Raises S3Error(InvalidArgument).
    """
    if claim is not None:
        return claim.payload
    text = request.headers.get("x-amz-content-sha256", "")
    if text and text not in (UNSIGNED, UNSIGNED_TRAILER):
        require_hash(text)
    return text


def checksum_of(request: Request, *, may_count: bool = False) -> tuple[Algorithm, bytes] | None:
    """The one checksum in the headers, or None. `may_count`: it may say behind a dash of how many parts it is.

    Raises:
        S3Error: InvalidRequest; NotImplemented for an algorithm that is not served.
    """
    names = [name for name in request.headers if name.startswith("x-amz-checksum-") and name not in _CHECKSUM_WORDS]
    if not names:
        return None
    if len(names) > 1:
        raise S3Error(faults.INVALID_REQUEST, "Expecting a single x-amz-checksum- header")
    algorithm = BY_HEADER.get(names[0])
    if algorithm is None:
        raise faults.not_served(names[0])
    text = request.headers[names[0]]
    value = decode(text.partition("-")[0] if may_count else text, algorithm.size_bytes)
    if value is None:
        raise S3Error(faults.INVALID_REQUEST, f"Value for {names[0]} header is invalid.")
    return algorithm, value


def _md5(request: Request) -> bytes | None:
    text = request.headers.get("content-md5")
    if text is None:
        return None
    value = decode(text, MD5_BYTES)
    if value is None:
        raise S3Error(faults.INVALID_DIGEST, "The Content-MD5 you specified is not valid.")
    return value


def _trailer(request: Request) -> Algorithm | None:
    text = request.headers.get("x-amz-trailer")
    if text is None:
        return None
    algorithm = BY_HEADER.get(text.strip().lower())
    if algorithm is None:
        raise S3Error(faults.INVALID_REQUEST, "The value specified in the x-amz-trailer header is not supported")
    return algorithm


def upload(
    request: Request, wire: Wire, threads: Threads, claim: Claim | None, signatures: PieceSignatures | None
) -> tuple[Upload, int | None]:
    """The body as a source that checks itself, and the declared size of what comes out of it.

    Raises:
        S3Error: MissingContentLength, and as `promised`.
    """
    what, payload = promised(request, claim), _payload(request, claim)
    if payload in STREAMING:
        declared: int | None = _decoded_length(request)
        if (payload in (SIGNED_TRAILER, UNSIGNED_TRAILER)) is not (what.trailer is not None):
            raise S3Error(faults.INVALID_REQUEST, "The trailers that are announced do not fit the kind of payload.")
        body: Body = ChunkedBody(wire, threads, None if payload == UNSIGNED_TRAILER else signatures)
    else:
        if what.trailer is not None:
            raise S3Error(faults.INVALID_REQUEST, "Trailers need a streaming payload.")
        body, declared = PlainBody(wire), request.content_length
        if declared is None and "transfer-encoding" not in request.headers:
            declared = 0
    return Upload(body, threads, what, declared), declared


def _decoded_length(request: Request) -> int:
    text = request.headers.get("x-amz-decoded-content-length")
    size_bytes = read_count(text or "")
    if size_bytes == NO_NUMBER:
        raise S3Error(faults.MISSING_LENGTH, "You must provide the x-amz-decoded-content-length header.")
    return size_bytes
