"""What buckets have none of here: it may be looked at, taken away, and set to what it is; anything else is refused.

Programs that set a bucket up say also what is so anyway: that nothing is blocked, nobody notified, nothing logged.
"""

from __future__ import annotations

from node.s3.calls.call import DOCUMENT_BYTES_MAX, NO_CONTENT, Answer, Call, xml_answer
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.xml_in import Element, malformed
from node.s3.texts.xml_out import document, leaf

_PAYER = "BucketOwner"
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


async def get_request_payment(call: Call) -> Answer:
    """GetBucketRequestPayment."""
    call.info()
    return xml_answer(document("RequestPaymentConfiguration", leaf("Payer", _PAYER)))


async def put_request_payment(call: Call) -> Answer:
    """PutBucketRequestPayment."""
    asked = await _asked(call, "RequestPaymentConfiguration")
    if asked.need("Payer") != _PAYER:
        raise faults.not_served("requests that their sender pays")
    return Answer()


async def get_logging(call: Call) -> Answer:
    """GetBucketLogging: none into buckets; the node has a log of its own."""
    call.info()
    return xml_answer(document("BucketLoggingStatus"))


async def put_logging(call: Call) -> Answer:
    """PutBucketLogging."""
    return _if_empty(await _asked(call, "BucketLoggingStatus"))


async def get_notification(call: Call) -> Answer:
    """GetBucketNotificationConfiguration."""
    call.info()
    return xml_answer(document("NotificationConfiguration"))


async def put_notification(call: Call) -> Answer:
    """PutBucketNotificationConfiguration."""
    return _if_empty(await _asked(call, "NotificationConfiguration"))


async def get_accelerate(call: Call) -> Answer:
    """GetBucketAccelerateConfiguration."""
    call.info()
    return xml_answer(document("AccelerateConfiguration"))


async def get_replication(call: Call) -> Answer:
    """GetBucketReplication."""
    call.info()
    raise S3Error(faults.NO_REPLICATION)


async def get_public_access_block(call: Call) -> Answer:
    """GetPublicAccessBlock."""
    call.info()
    raise S3Error(faults.NO_SUCH_PUBLIC_BLOCK)


async def put_public_access_block(call: Call) -> Answer:
    """PutPublicAccessBlock."""
    asked = await _asked(call, "PublicAccessBlockConfiguration")
    asked.only(*_BLOCKS)
    told = {name: asked.value(name) or "false" for name in _BLOCKS}
    if not set(told.values()) <= {"true", "false"}:
        raise malformed()
    if "true" in told.values():
        raise faults.not_served("a block of public access")
    return Answer()


async def forget(call: Call) -> Answer:
    """DeletePublicAccessBlock, DeleteBucketReplication."""
    call.info()
    return NO_CONTENT


async def _asked(call: Call, root: str) -> Element:
    asked = await call.xml(root, DOCUMENT_BYTES_MAX)
    call.info()
    return asked


def _if_empty(asked: Element) -> Answer:
    """Raises S3Error(NotImplemented) for whatever there may be in it."""
    asked.refuse(*(child.name for child in asked.children))
    return Answer()
