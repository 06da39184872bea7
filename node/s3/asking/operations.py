"""What S3 can be asked, and how a request says which: method, what it is about, and one word in the query. Pure.

Every operation and every subresource that Amazon documents stands here, so that what is not served is known by name
and refused, and never mistaken for a plain GET or PUT of the same URL.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from node.s3.asking.request import Request
from node.s3.texts import faults
from node.s3.texts.faults import S3Error


class Right(enum.Enum):
    """What a key needs to be allowed."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Operation:
    """`action` is the name that bucket policies use."""

    name: str
    action: str
    right: Right


def _reads(name: str, action: str) -> Operation:
    return Operation(name, f"s3:{action}", Right.READ)


def _writes(name: str, action: str) -> Operation:
    return Operation(name, f"s3:{action}", Right.WRITE)


LIST_BUCKETS = _reads("ListBuckets", "ListAllMyBuckets")
HEAD_BUCKET = _reads("HeadBucket", "ListBucket")
PREFLIGHT = _reads("Preflight", "Preflight")
POST_OBJECT = _writes("PostObject", "PutObject")

_NAMESPACE = {("GET", ""): LIST_BUCKETS, ("HEAD", ""): LIST_BUCKETS}

_BUCKET = {
    ("PUT", ""): _writes("CreateBucket", "CreateBucket"),
    ("HEAD", ""): HEAD_BUCKET,
    ("DELETE", ""): _writes("DeleteBucket", "DeleteBucket"),
    ("GET", ""): _reads("ListObjects", "ListBucket"),
    ("GET", "list-type"): _reads("ListObjectsV2", "ListBucket"),
    ("GET", "versions"): _reads("ListObjectVersions", "ListBucketVersions"),
    ("GET", "uploads"): _reads("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("POST", "delete"): _writes("DeleteObjects", "DeleteObject"),
    ("POST", ""): POST_OBJECT,
    ("GET", "location"): _reads("GetBucketLocation", "GetBucketLocation"),
    ("GET", "versioning"): _reads("GetBucketVersioning", "GetBucketVersioning"),
    ("PUT", "versioning"): _writes("PutBucketVersioning", "PutBucketVersioning"),
    ("GET", "object-lock"): _reads("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("PUT", "object-lock"): _writes("PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    ("GET", "lifecycle"): _reads("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("PUT", "lifecycle"): _writes("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("DELETE", "lifecycle"): _writes("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("GET", "cors"): _reads("GetBucketCors", "GetBucketCORS"),
    ("PUT", "cors"): _writes("PutBucketCors", "PutBucketCORS"),
    ("DELETE", "cors"): _writes("DeleteBucketCors", "PutBucketCORS"),
    ("GET", "policy"): _reads("GetBucketPolicy", "GetBucketPolicy"),
    ("PUT", "policy"): _writes("PutBucketPolicy", "PutBucketPolicy"),
    ("DELETE", "policy"): _writes("DeleteBucketPolicy", "DeleteBucketPolicy"),
    ("GET", "policyStatus"): _reads("GetBucketPolicyStatus", "GetBucketPolicyStatus"),
    ("GET", "acl"): _reads("GetBucketAcl", "GetBucketAcl"),
    ("PUT", "acl"): _writes("PutBucketAcl", "PutBucketAcl"),
    ("GET", "tagging"): _reads("GetBucketTagging", "GetBucketTagging"),
    ("PUT", "tagging"): _writes("PutBucketTagging", "PutBucketTagging"),
    ("DELETE", "tagging"): _writes("DeleteBucketTagging", "PutBucketTagging"),
    ("GET", "website"): _reads("GetBucketWebsite", "GetBucketWebsite"),
    ("PUT", "website"): _writes("PutBucketWebsite", "PutBucketWebsite"),
    ("DELETE", "website"): _writes("DeleteBucketWebsite", "DeleteBucketWebsite"),
    ("GET", "encryption"): _reads("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("PUT", "encryption"): _writes("PutBucketEncryption", "PutEncryptionConfiguration"),
    ("DELETE", "encryption"): _writes("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("GET", "publicAccessBlock"): _reads("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("PUT", "publicAccessBlock"): _writes("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("DELETE", "publicAccessBlock"): _writes("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("GET", "ownershipControls"): _reads("GetBucketOwnershipControls", "GetBucketOwnershipControls"),
    ("PUT", "ownershipControls"): _writes("PutBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("DELETE", "ownershipControls"): _writes("DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("GET", "requestPayment"): _reads("GetBucketRequestPayment", "GetBucketRequestPayment"),
    ("PUT", "requestPayment"): _writes("PutBucketRequestPayment", "PutBucketRequestPayment"),
    ("GET", "logging"): _reads("GetBucketLogging", "GetBucketLogging"),
    ("PUT", "logging"): _writes("PutBucketLogging", "PutBucketLogging"),
    ("GET", "notification"): _reads("GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("PUT", "notification"): _writes("PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("GET", "accelerate"): _reads("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("GET", "replication"): _reads("GetBucketReplication", "GetReplicationConfiguration"),
    ("DELETE", "replication"): _writes("DeleteBucketReplication", "PutReplicationConfiguration"),
}

_OBJECT = {
    ("GET", ""): _reads("GetObject", "GetObject"),
    ("HEAD", ""): _reads("HeadObject", "GetObject"),
    ("PUT", ""): _writes("PutObject", "PutObject"),
    ("DELETE", ""): _writes("DeleteObject", "DeleteObject"),
    ("GET", "attributes"): _reads("GetObjectAttributes", "GetObjectAttributes"),
    ("GET", "tagging"): _reads("GetObjectTagging", "GetObjectTagging"),
    ("PUT", "tagging"): _writes("PutObjectTagging", "PutObjectTagging"),
    ("DELETE", "tagging"): _writes("DeleteObjectTagging", "DeleteObjectTagging"),
    ("GET", "acl"): _reads("GetObjectAcl", "GetObjectAcl"),
    ("PUT", "acl"): _writes("PutObjectAcl", "PutObjectAcl"),
    ("GET", "retention"): _reads("GetObjectRetention", "GetObjectRetention"),
    ("PUT", "retention"): _writes("PutObjectRetention", "PutObjectRetention"),
    ("GET", "legal-hold"): _reads("GetObjectLegalHold", "GetObjectLegalHold"),
    ("PUT", "legal-hold"): _writes("PutObjectLegalHold", "PutObjectLegalHold"),
    ("POST", "uploads"): _writes("CreateMultipartUpload", "PutObject"),
    ("PUT", "uploadId"): _writes("UploadPart", "PutObject"),
    ("GET", "uploadId"): _reads("ListParts", "ListMultipartUploadParts"),
    ("POST", "uploadId"): _writes("CompleteMultipartUpload", "PutObject"),
    ("DELETE", "uploadId"): _writes("AbortMultipartUpload", "AbortMultipartUpload"),
}

_NOT_SERVED = (
    "analytics", "inventory", "metrics", "intelligent-tiering", "session", "metadataTable", "metadataConfiguration",
    "metadataInventoryTable", "metadataJournalTable", "torrent", "restore", "select", "renameObject", "abac",
    "append",
    "directory", "encryption", "notification", "replication", "logging", "accelerate", "requestPayment",
    "publicAccessBlock", "ownershipControls", "annotation", "object-lambda",
)  # fmt: skip
_SUBRESOURCES = frozenset(
    {word for table in (_NAMESPACE, _BUCKET, _OBJECT) for _method, word in table if word} | set(_NOT_SERVED)
)


def operation_of(request: Request) -> Operation:
    """What the request asks for.

    Raises:
        S3Error: NotImplemented, MethodNotAllowed.
    """
    if request.method == "OPTIONS":
        return PREFLIGHT
    table = _OBJECT if request.target.key else _BUCKET if request.target.bucket else _NAMESPACE
    words = sorted(_SUBRESOURCES.intersection(request.query)) if request.query else []
    if words == ["uploadId", "uploads"]:
        words = ["uploadId"]
    if len(words) > 1:
        raise faults.invalid("query", "&".join(words), "Conflicting query string parameters: " + ", ".join(words))
    word = words[0] if words else ""
    found = table.get((request.method, word))
    if found is not None:
        return found
    if word:
        raise faults.not_served(f"{request.method} ?{word}")
    raise S3Error(faults.METHOD_NOT_ALLOWED, details=(("Method", request.method), ("ResourceType", _kind(request))))


def _kind(request: Request) -> str:
    return "OBJECT" if request.target.key else "BUCKET" if request.target.bucket else "SERVICE"
