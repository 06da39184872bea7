"""What a multipart upload is agreed on: how many parts, and which checksum of which kind. Pure.

The agreement is made when the upload begins and travels with it as a short text, opaque to the vault. Who completes
the upload may say which checksum the whole is to have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.s3.asking.request import Request
from node.s3.signing.promises import checksum_of
from node.s3.texts import checksums, faults
from node.s3.texts.checksums import Algorithm, Type
from node.s3.texts.faults import S3Error
from node.vault.shelf.terms import Checksum, Finish, PartStat
from protocol.quick_init import quick_replace

PARTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Agreed:
    """The checksum of an upload."""

    algorithm: Algorithm
    type: Type

    def __str__(self) -> str:
        return f"{self.algorithm.value}/{self.type.value}"


def agreed(request: Request) -> Agreed | None:
    """What CreateMultipartUpload asks for.

    Raises:
        S3Error: InvalidRequest.
    """
    name, kind = request.headers.get("x-amz-checksum-algorithm"), request.headers.get("x-amz-checksum-type")
    if name is None:
        if kind is not None:
            raise S3Error(
                faults.INVALID_REQUEST,
                "The x-amz-checksum-type header can only be used with x-amz-checksum-algorithm.",
            )
        return None
    if name.upper() not in Algorithm.__members__:
        raise S3Error(faults.INVALID_REQUEST, "Checksum algorithm provided is unsupported.")
    algorithm = Algorithm[name.upper()]
    default = Type.FULL_OBJECT if algorithm is Algorithm.CRC64NVME else Type.COMPOSITE
    if kind is not None and kind not in Type.__members__:
        raise S3Error(faults.INVALID_REQUEST, "Value for x-amz-checksum-type header is invalid.")
    type_ = default if kind is None else Type[kind]
    is_possible = algorithm is not Algorithm.CRC64NVME if type_ is Type.COMPOSITE else algorithm.combines
    if not is_possible:
        raise S3Error(
            faults.INVALID_REQUEST,
            f"The {type_.value} checksum type cannot be used with the {algorithm.value} algorithm.",
        )
    return Agreed(algorithm, type_)


def read_agreed(text: str) -> Agreed | None:
    """The opposite of `str`."""
    if not text:
        return None
    name, _slash, kind = text.partition("/")
    return Agreed(Algorithm(name), Type(kind))


def finish(agreement: Agreed | None, parts: Sequence[PartStat]) -> Finish:
    """The ETag and the checksum of the whole, from those of its parts.

    Where a part has no such checksum (it was copied), the whole has none: no wrong one is made up.
    """
    etag = checksums.multipart_etag([part.etag for part in parts])
    if agreement is None:
        return Finish(etag)
    values = [checksum_value(part.checksums, agreement.algorithm) for part in parts]
    known = [value for value in values if value is not None]
    if len(known) != len(parts):
        return Finish(etag)
    if agreement.type is Type.COMPOSITE:
        value = checksums.composite(agreement.algorithm, known)
    else:
        sized = [(value, part.size_bytes) for value, part in zip(known, parts, strict=True)]
        value = checksums.combined(agreement.algorithm, sized)
    return Finish(etag, (checksums.kept(agreement.algorithm, agreement.type, value),))


def checksum_value(kept: Sequence[Checksum], algorithm: Algorithm) -> bytes | None:
    """The checksum of that algorithm, or None."""
    return next((one.value for one in kept if one.algorithm == algorithm.value), None)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a request that completes an upload expects of the whole: its checksum, as written, or the kind of it."""

    checksum: tuple[Algorithm, bytes] | None
    text: str
    kind: str | None

    def check(self, agreement: Agreed | None, whole: Finish, parts_count: int) -> None:
        """Nothing is compared where the upload was begun without a checksum, or a part has none.

        Raises:
            S3Error: InvalidRequest for another checksum than was agreed on, BadDigest for another value.
        """
        if agreement is None:
            return
        algorithm, value = self.checksum or (agreement.algorithm, None)
        if algorithm is not agreement.algorithm or self.kind not in (None, agreement.type.value):
            raise S3Error(
                faults.INVALID_REQUEST,
                f"The upload was created using the {agreement.type.value} checksum type and the "
                f"{agreement.algorithm.value} algorithm.",
            )
        found = whole.checksums[0].value if whole.checksums else None
        counts = ("", str(parts_count)) if agreement.type is Type.COMPOSITE else ("",)
        if None not in (value, found) and (value != found or self.text.partition("-")[2] not in counts):
            raise S3Error(faults.BAD_DIGEST)


def expected(request: Request) -> Expected:
    """What CompleteMultipartUpload's headers say of the whole. Raises S3Error(InvalidRequest, NotImplemented)."""
    found = checksum_of(request, may_count=True)
    text = "" if found is None else request.headers[found[0].header]
    return Expected(found, text, request.headers.get("x-amz-checksum-type"))


def without_expected(request: Request) -> Request:
    """The same without a checksum: that of the whole is none of this request's own body, which is a list of parts."""
    headers = {name: text for name, text in request.headers.items() if name not in checksums.BY_HEADER}
    return quick_replace(request, headers=headers)
