"""What clients are told when something went wrong: the vault's errors as S3's, and an error as an answer.

The table is the only place where identifiers of `protocol.errors` meet codes of S3. What is not in it is told by its
family: not now is `SlowDown` and a rule's no is `ServiceUnavailable`, both with the federation's own reason, so that
SDKs try again and people can read why; all else is an `InternalError`. The log has the identifier in any case.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.s3.asking.request import Request
from node.s3.calls.call import Answer
from node.s3.texts import faults
from node.s3.texts.faults import Fault, S3Error
from node.s3.texts.versions import shown_version
from node.s3.texts.xml_out import bare_document, leaf
from node.text.sentences import sentence
from protocol.errors import Damaged, MaillonError, OverLimit, Refused, Unavailable

_FAULTS: Mapping[str, Fault] = {
    "bucket-exists": faults.BUCKET_OWNED,
    "bucket-name": faults.INVALID_BUCKET_NAME,
    "bucket-not-empty": faults.BUCKET_NOT_EMPTY,
    "bucket-locked": faults.INVALID_BUCKET_STATE,
    "bucket-not-locked": faults.INVALID_REQUEST,
    "bucket-missing": faults.NO_SUCH_BUCKET,
    "bucket-document-size": faults.MAX_MESSAGE_LENGTH,
    "bucket-documents": faults.INVALID_REQUEST,
    "object-key": faults.KEY_TOO_LONG,
    "object-locked": faults.ACCESS_DENIED,
    "object-condition": faults.PRECONDITION_FAILED,
    "object-is-marker": faults.METHOD_NOT_ALLOWED,
    "object-missing": faults.NO_SUCH_KEY,
    "object-deleted": faults.NO_SUCH_KEY,
    "version-missing": faults.NO_SUCH_VERSION,
    "object-size": faults.ENTITY_TOO_LARGE,
    "object-size-changed": faults.INCOMPLETE_BODY,
    "object-tags": faults.INVALID_TAG,
    "object-range": faults.INVALID_RANGE,
    "buckets-too-many": faults.TOO_MANY_BUCKETS,
    "upload-size": faults.ENTITY_TOO_LARGE,
    "upload-part-number": faults.INVALID_ARGUMENT,
    "upload-missing": faults.NO_SUCH_UPLOAD,
    "upload-part-order": faults.INVALID_PART_ORDER,
    "upload-part-missing": faults.INVALID_PART,
    "upload-part-small": faults.ENTITY_TOO_SMALL,
    "key-missing": faults.INVALID_ACCESS_KEY,
    "not-the-gateway": faults.SERVICE_UNAVAILABLE,
    "client-stalled": faults.REQUEST_TIMEOUT,
    "http-client-slow": faults.REQUEST_TIMEOUT,
    "http-client-gone": faults.INCOMPLETE_BODY,
    "http-body": faults.INCOMPLETE_BODY,
    "http-body-size": faults.ENTITY_TOO_LARGE,
    "message-field-size": faults.METADATA_TOO_LARGE,
}
_REASONED = (faults.INVALID_REQUEST, faults.INVALID_BUCKET_STATE)


def told(error: MaillonError) -> S3Error:
    """The vault's error as S3 says it."""
    if isinstance(error, S3Error):
        return error
    fault = _FAULTS.get(error.identifier)
    if fault is faults.METHOD_NOT_ALLOWED:
        return S3Error(fault, headers=(("x-amz-delete-marker", "true"), ("allow", "DELETE")))
    if error.identifier == "object-deleted":
        marker = error.parameters.get("version")
        shown = (("x-amz-version-id", shown_version(marker)),) if isinstance(marker, bytes) else ()
        return S3Error(faults.NO_SUCH_KEY, headers=(("x-amz-delete-marker", "true"), *shown))
    if fault is not None:
        return S3Error(fault, sentence(error) if fault in _REASONED else "")
    if isinstance(error, Unavailable | Damaged):
        return S3Error(faults.SLOW_DOWN, sentence(error), headers=(("retry-after", "1"),))
    if isinstance(error, OverLimit):
        return S3Error(faults.INVALID_REQUEST, sentence(error))
    if isinstance(error, Refused):
        return S3Error(faults.SERVICE_UNAVAILABLE, sentence(error))
    return S3Error(faults.INTERNAL)


def answer(error: S3Error, request: Request) -> Answer:
    """The whole answer. A HEAD has no body, and a 304 never has one."""
    if error.fault.status == 304 or request.method == "HEAD":
        return Answer(error.fault.status, error.headers)
    about = request.target
    known = {name for name, _text in error.details}
    names = (("Key", about.key), ("BucketName", about.bucket)) if error.fault.status == 404 else ()
    body = bare_document(
        "Error",
        leaf("Code", error.fault.code),
        leaf("Message", error.message),
        *(leaf(name, text) for name, text in error.details),
        *(leaf(name, text) for name, text in names if text and name not in known),
        leaf("Resource", resource(request)),
        leaf("RequestId", request.id),
        leaf("HostId", request.id),
    )
    return Answer(error.fault.status, (("content-type", "application/xml"), *error.headers), body)


def resource(request: Request) -> str:
    """What the request was about, as errors and logs name it."""
    about = request.target
    return f"/{about.bucket}/{about.key}" if about.key else f"/{about.bucket}"
