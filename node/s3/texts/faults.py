"""What S3 answers when it says no: codes, statuses and sentences that clients know.

S3's errors are part of its protocol: SDKs decide by the code whether they try again, and people search for the
message. So they are kept here as Amazon words them, in English, and not translated; only the reason that the
federation gives for being unable to serve is one of `node.text`'s sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import MaillonError


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to say no. `message` may be replaced where more is known."""

    code: str
    status: int
    message: str


class S3Error(MaillonError):
    """A request ends with this fault. `details` become elements of the answer's XML, `headers` its headers.

    It is one of the program's named errors, so that it comes through the vault's nurseries as itself: a body that
    turns out to be wrong is found out while the vault reads it.
    """

    def __init__(
        self,
        fault: Fault,
        message: str = "",
        *,
        details: tuple[tuple[str, str], ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__("s3", code=fault.code)
        self.fault = fault
        self.message = message or fault.message
        self.details = details
        self.headers = headers


def invalid(name: str, value: str, message: str = "") -> S3Error:
    """An argument that cannot be, shown back shortened."""
    shown = (("ArgumentName", name), ("ArgumentValue", value[:256]))
    return S3Error(INVALID_ARGUMENT, message or f"Invalid value for {name}", details=shown)


def not_served(what: str) -> S3Error:
    """A part of S3 that is not served here: refused, never accepted and ignored."""
    message = "A header, parameter or operation you provided implies functionality that is not implemented"
    return S3Error(NOT_IMPLEMENTED, f"{message}: {what}", details=(("Header", what[:256]),))


ACCESS_DENIED = Fault("AccessDenied", 403, "Access Denied")
ACL_NOT_SUPPORTED = Fault("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
ACL_WITH_OWNERSHIP = Fault(
    "InvalidBucketAclWithObjectOwnership",
    400,
    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
)
AUTHORIZATION_MALFORMED = Fault(
    "AuthorizationHeaderMalformed", 400, "The authorization header that you provided is not valid."
)
AUTHORIZATION_QUERY = Fault("AuthorizationQueryParametersError", 400, "The query parameters are not valid.")
BAD_DIGEST = Fault("BadDigest", 400, "The Content-MD5 or checksum value that you specified did not match.")
BAD_REQUEST = Fault("BadRequest", 400, "Bad Request")
BUCKET_EXISTS = Fault("BucketAlreadyExists", 409, "The requested bucket name is not available.")
BUCKET_OWNED = Fault(
    "BucketAlreadyOwnedByYou", 409, "The bucket that you tried to create already exists, and you own it."
)
BUCKET_NOT_EMPTY = Fault("BucketNotEmpty", 409, "The bucket that you tried to delete is not empty.")
CONDITION_CONFLICT = Fault("ConditionalRequestConflict", 409, "A conflicting operation occurred during the request.")
CORS_DENIED = Fault("AccessForbidden", 403, "CORSResponse: This CORS request is not allowed.")
ENTITY_TOO_LARGE = Fault("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size.")
ENTITY_TOO_SMALL = Fault("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size.")
EXPIRED_TOKEN = Fault("AccessDenied", 403, "Request has expired")
ILLEGAL_LOCATION = Fault(
    "IllegalLocationConstraintException", 400, "The location constraint is not this gateway's region."
)
ILLEGAL_VERSIONING = Fault(
    "IllegalVersioningConfigurationException", 400, "The versioning configuration is not valid."
)
INCOMPLETE_BODY = Fault(
    "IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header."
)
INTERNAL = Fault("InternalError", 500, "An internal error occurred. Try again.")
INVALID_ACCESS_KEY = Fault("InvalidAccessKeyId", 403, "The access key ID that you provided does not exist.")
INVALID_ARGUMENT = Fault("InvalidArgument", 400, "Invalid Argument")
INVALID_BUCKET_NAME = Fault("InvalidBucketName", 400, "The specified bucket is not valid.")
INVALID_BUCKET_STATE = Fault(
    "InvalidBucketState", 409, "The request is not valid for the current state of the bucket."
)
INVALID_DIGEST = Fault("InvalidDigest", 400, "The Content-MD5 or checksum value that you specified is not valid.")
INVALID_PART = Fault(
    "InvalidPart",
    400,
    "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified "
    "entity tag might not have matched the part's entity tag.",
)
INVALID_PART_ORDER = Fault("InvalidPartOrder", 400, "The list of parts was not in ascending order.")
INVALID_PART_NUMBER = Fault("InvalidPartNumber", 416, "The requested partnumber is not satisfiable")
INVALID_POLICY_DOCUMENT = Fault(
    "InvalidPolicyDocument", 400, "The content of the form does not meet the conditions specified in the policy."
)
INVALID_RANGE = Fault("InvalidRange", 416, "The requested range is not satisfiable")
INVALID_REQUEST = Fault("InvalidRequest", 400, "Invalid Request")
INVALID_TAG = Fault("InvalidTag", 400, "The tag provided was not a valid tag.")
INVALID_URI = Fault("InvalidURI", 400, "Couldn't parse the specified URI.")
KEY_TOO_LONG = Fault("KeyTooLongError", 400, "Your key is too long.")
MALFORMED_ACL = Fault("MalformedACLError", 400, "The ACL that you provided was not well-formed.")
MALFORMED_POLICY = Fault("MalformedPolicy", 400, "The policy that you provided is not well-formed.")
MALFORMED_POST = Fault(
    "MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data."
)
MALFORMED_XML = Fault(
    "MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"
)
MALFORMED_TRAILER = Fault(
    "MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not match."
)
MAX_MESSAGE_LENGTH = Fault("MaxMessageLengthExceeded", 400, "Your request was too big.")
METADATA_TOO_LARGE = Fault("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size.")
METHOD_NOT_ALLOWED = Fault("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
MISSING_LENGTH = Fault("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
NO_BODY = Fault("MissingRequestBodyError", 400, "Request Body is empty")
NO_REPLICATION = Fault("ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found")
NO_SUCH_BUCKET = Fault("NoSuchBucket", 404, "The specified bucket does not exist")
NO_SUCH_BUCKET_POLICY = Fault("NoSuchBucketPolicy", 404, "The bucket policy does not exist")
NO_SUCH_CORS = Fault("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist")
NO_SUCH_KEY = Fault("NoSuchKey", 404, "The specified key does not exist.")
NO_SUCH_LIFECYCLE = Fault("NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist")
NO_SUCH_LOCK = Fault(
    "NoSuchObjectLockConfiguration", 404, "The specified object does not have a ObjectLock configuration"
)
NO_LOCK_CONFIGURATION = Fault(
    "ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket"
)
NO_SUCH_OWNERSHIP = Fault("OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found")
NO_SUCH_PUBLIC_BLOCK = Fault(
    "NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found"
)
NO_SUCH_TAG_SET = Fault("NoSuchTagSet", 404, "The TagSet does not exist")
NO_SUCH_UPLOAD = Fault(
    "NoSuchUpload",
    404,
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
    "completed.",
)
NO_SUCH_VERSION = Fault("NoSuchVersion", 404, "The specified version does not exist.")
NO_SUCH_WEBSITE = Fault(
    "NoSuchWebsiteConfiguration", 404, "The specified bucket does not have a website configuration"
)
NOT_IMPLEMENTED = Fault("NotImplemented", 501, "This functionality is not implemented.")
NOT_MODIFIED = Fault("NotModified", 304, "Not Modified")
POST_TOO_LARGE = Fault(
    "MaxPostPreDataLengthExceeded", 400, "Your POST request fields preceding the upload file were too large."
)
PRECONDITION_FAILED = Fault(
    "PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"
)
REQUEST_SKEWED = Fault(
    "RequestTimeTooSkewed", 403, "The difference between the request time and the server's time is too large."
)
REQUEST_TIMEOUT = Fault(
    "RequestTimeout", 400, "Your socket connection to the server was not read from or written to in time."
)
SERVICE_UNAVAILABLE = Fault("ServiceUnavailable", 503, "Service is unable to handle request.")
SHA256_MISMATCH = Fault(
    "XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."
)
SIGNATURE_MISMATCH = Fault(
    "SignatureDoesNotMatch",
    403,
    "The request signature we calculated does not match the signature you provided. Check your key and signing "
    "method.",
)
SLOW_DOWN = Fault("SlowDown", 503, "Please reduce your request rate.")
TOO_MANY_BUCKETS = Fault("TooManyBuckets", 400, "You have attempted to create more buckets than allowed.")
