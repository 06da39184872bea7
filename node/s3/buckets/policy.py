"""The bucket's policy, put, shown and taken away; what it means is in `node.s3.rights.policies`."""

from __future__ import annotations

from node.s3.calls import documents
from node.s3.calls.call import NO_CONTENT, Answer, Call, xml_answer
from node.s3.rights.access import POLICY_DOCUMENT
from node.s3.rights.policies import parse_policy
from node.s3.texts import faults
from node.s3.texts.xml_out import document, flag


async def get_policy(call: Call) -> Answer:
    """GetBucketPolicy: the very text that was put."""
    return Answer(200, (("content-type", "application/json"),), await _kept(call))


async def put_policy(call: Call) -> Answer:
    """PutBucketPolicy: only what will be obeyed is kept."""
    await documents.keep(call, POLICY_DOCUMENT, lambda data: parse_policy(data, call.bucket))
    return NO_CONTENT


async def delete_policy(call: Call) -> Answer:
    """DeleteBucketPolicy."""
    return await documents.forget(call, POLICY_DOCUMENT)


async def get_status(call: Call) -> Answer:
    """GetBucketPolicyStatus: whether it lets everybody do anything."""
    policy = parse_policy(await _kept(call), call.bucket)
    return xml_answer(document("PolicyStatus", flag("IsPublic", value=policy.is_public)))


async def _kept(call: Call) -> bytes:
    return await documents.kept(call, POLICY_DOCUMENT, faults.NO_SUCH_BUCKET_POLICY)
