"""Whether ACLs count in a bucket: all that is left to say where the bucket's owner owns what anybody writes into it.

Under `BucketOwnerEnforced` no ACL lets anybody in, whatever was put before, and none that would is taken. The other
two words of S3 come to the same here, because no object is its writer's.
"""

from __future__ import annotations

from node.s3.asking.canned_acls import PUBLIC_READ
from node.s3.calls.call import DOCUMENT_BYTES_MAX, NO_CONTENT, Answer, Call, xml_answer
from node.s3.rights.access import ENFORCED, OWNERSHIP_DOCUMENT, are_acls_off, bucket_acl
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.xml_in import malformed
from node.s3.texts.xml_out import document, leaf, node

_PREFERRED = "BucketOwnerPreferred"
_WORDS = (ENFORCED, _PREFERRED, "ObjectWriter")


async def get_ownership(call: Call) -> Answer:
    """GetBucketOwnershipControls."""
    word = ENFORCED if are_acls_off(call.info()) else _PREFERRED
    return xml_answer(document("OwnershipControls", node("Rule", leaf("ObjectOwnership", word))))


async def put_ownership(call: Call) -> Answer:
    """PutBucketOwnershipControls."""
    asked = await call.xml("OwnershipControls", DOCUMENT_BYTES_MAX)
    info, rule = call.info(), asked.one("Rule")
    if rule is None:
        raise malformed()
    kept = kept_ownership(rule.need("ObjectOwnership"), await bucket_acl(call.shelf, info))
    await call.shelf.buckets.set_document(call.bucket, OWNERSHIP_DOCUMENT, kept)
    return Answer()


async def delete_ownership(call: Call) -> Answer:
    """DeleteBucketOwnershipControls: ACLs count again."""
    call.info()
    await call.shelf.buckets.set_document(call.bucket, OWNERSHIP_DOCUMENT, None)
    return NO_CONTENT


def kept_ownership(word: str | None, acl: str | None) -> bytes | None:
    """The document to keep for this word, in a bucket with that ACL.

    Raises:
        S3Error: InvalidArgument, InvalidBucketAclWithObjectOwnership.
    """
    if word not in (None, *_WORDS):
        raise faults.invalid("ObjectOwnership", word or "")
    if word == ENFORCED and acl == PUBLIC_READ:
        raise S3Error(faults.ACL_WITH_OWNERSHIP)
    return ENFORCED.encode() if word == ENFORCED else None
