"""Tags of objects and of buckets: small words beside them, which lifecycle rules and people go by."""

from __future__ import annotations

from node.s3.asking.tags import BUCKET_TAGS_MAX, TAGS_MAX, read_tagging
from node.s3.calls import documents
from node.s3.calls.call import DOCUMENT_BYTES_MAX, NO_CONTENT, Answer, Call, xml_answer
from node.s3.texts import faults
from node.s3.texts.versions import read_version, version_headers
from node.s3.texts.xml_in import parse
from node.s3.texts.xml_out import document, leaf, node
from node.vault.shelf.terms import Tag

DOCUMENT = "tagging"


def tagging(tags: tuple[Tag, ...]) -> bytes:
    """The document."""
    listed = (node("Tag", leaf("Key", tag.name), leaf("Value", tag.value)) for tag in tags)
    return document("Tagging", node("TagSet", *listed))


async def get_object_tagging(call: Call) -> Answer:
    """GetObjectTagging."""
    info, version = call.info(), read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.stat(call.bucket, call.key, version=version)
    return xml_answer(tagging(found.tags), version_headers(info, found))


async def put_object_tagging(call: Call) -> Answer:
    """PutObjectTagging."""
    tags = read_tagging(await call.xml("Tagging", DOCUMENT_BYTES_MAX), TAGS_MAX)
    return await _set(call, tags, 200)


async def delete_object_tagging(call: Call) -> Answer:
    """DeleteObjectTagging."""
    return await _set(call, (), 204)


async def _set(call: Call, tags: tuple[Tag, ...], status: int) -> Answer:
    info, version = call.info(), read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.set_tags(call.bucket, call.key, tags, version=version)
    return Answer(status, version_headers(info, found))


async def get_bucket_tagging(call: Call) -> Answer:
    """GetBucketTagging."""
    kept = await documents.kept(call, DOCUMENT, faults.NO_SUCH_TAG_SET)
    return xml_answer(tagging(read_tagging(parse(kept, "Tagging"), BUCKET_TAGS_MAX)))


async def put_bucket_tagging(call: Call) -> Answer:
    """PutBucketTagging."""
    call.info()
    tags = read_tagging(await call.xml("Tagging", DOCUMENT_BYTES_MAX), BUCKET_TAGS_MAX)
    await call.shelf.buckets.set_document(call.bucket, DOCUMENT, tagging(tags))
    return NO_CONTENT


async def delete_bucket_tagging(call: Call) -> Answer:
    """DeleteBucketTagging."""
    return await documents.forget(call, DOCUMENT)
