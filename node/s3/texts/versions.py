"""How version ids and upload ids look to clients: hexadecimal, or the word `null`. Pure."""

from __future__ import annotations

from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import NULL_VERSION, BucketInfo, Versioning

NULL = "null"
ID_BYTES = 16


def shown_version(version: bytes) -> str:
    """As clients see it."""
    return NULL if version == NULL_VERSION else version.hex()


def read_version(text: str | None) -> bytes | None:
    """The version that a client names; None when it names none.

    Raises:
        S3Error: InvalidArgument.
    """
    if text is None:
        return None
    if text == NULL:
        return NULL_VERSION
    found = _id(text)
    if found is None:
        raise faults.invalid("versionId", text, "Invalid version id specified")
    return found


def read_upload(text: str) -> bytes:
    """The upload that a client names. Raises S3Error(NoSuchUpload)."""
    found = _id(text)
    if found is None:
        raise S3Error(faults.NO_SUCH_UPLOAD)
    return found


def _id(text: str) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == ID_BYTES and found.hex() == text else None


def version_headers(info: BucketInfo, found: ObjectStat) -> tuple[tuple[str, str], ...]:
    """`x-amz-version-id`, in buckets that ever had versions."""
    if info.versioning is Versioning.NEVER:
        return ()
    return (("x-amz-version-id", shown_version(found.version_id)),)
