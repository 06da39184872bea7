"""Buckets: made, looked at, listed, deleted; and the answers about them that are the same for every bucket here."""

from __future__ import annotations

from node.s3.asking.canned_acls import PUBLIC_READ, canned_acl
from node.s3.asking.tags import BUCKET_TAGS_MAX, read_tags
from node.s3.buckets.ownership import kept_ownership
from node.s3.buckets.tagging import DOCUMENT as TAGGING
from node.s3.buckets.tagging import tagging
from node.s3.calls.call import NO_CONTENT, Answer, Call, xml_answer
from node.s3.calls.owners import owner_of
from node.s3.rights.access import ACL_DOCUMENT, OWNERSHIP_DOCUMENT
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.names import is_bucket_name
from node.s3.texts.xml_in import parse
from node.s3.texts.xml_out import document, leaf, maybe, node, time_of
from node.vault.shelf.terms import BucketInfo, Tag, Versioning

LISTED_MAX = 10_000


async def list_buckets(call: Call) -> Answer:
    """ListBuckets: those that the key may look into."""
    only = call.caller.key.bucket if call.caller.key is not None else None
    prefix, after = call.query.text("prefix"), call.query.text("continuation-token")
    limit = call.query.count("max-buckets", default=LISTED_MAX, most=LISTED_MAX)
    found = [
        info
        for info in call.shelf.buckets.all()
        if only in (None, info.name) and info.name.startswith(prefix) and info.name > after
    ]
    more = found[limit - 1].name if 0 < limit < len(found) else None
    body = document(
        "ListAllMyBucketsResult",
        owner_of(call),
        node("Buckets", *(_bucket(call, info) for info in found[:limit])),
        maybe("Prefix", prefix),
        maybe("ContinuationToken", more),
    )
    return xml_answer(body)


def _bucket(call: Call, info: BucketInfo) -> str:
    return node(
        "Bucket",
        leaf("Name", info.name),
        leaf("CreationDate", time_of(info.created_s)),
        leaf("BucketRegion", call.settings.region),
    )


async def create_bucket(call: Call) -> Answer:
    """CreateBucket. Who makes a bucket again is told that it is his already."""
    tags = await _asked(call)
    if not is_bucket_name(call.bucket):
        raise S3Error(faults.INVALID_BUCKET_NAME, details=(("BucketName", call.bucket[:64]),))
    acl = canned_acl(call.request)
    ownership = kept_ownership(call.request.headers.get("x-amz-object-ownership"), acl)
    lock = call.request.headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true"
    documents = [(TAGGING, tagging(tags))] if tags else []
    documents += [(ACL_DOCUMENT, PUBLIC_READ.encode())] if acl == PUBLIC_READ else []
    documents += [(OWNERSHIP_DOCUMENT, ownership)] if ownership is not None else []
    await call.shelf.buckets.create(call.bucket, lock=lock, documents=documents)
    return Answer(200, (("location", f"/{call.bucket}"),))


async def _asked(call: Call) -> tuple[Tag, ...]:
    """The tags of a bucket that is to be made here. Raises S3Error for one that is to be made elsewhere."""
    data = await call.body()
    if not data.strip():
        return ()
    wanted = parse(data, "CreateBucketConfiguration")
    wanted.refuse("Location", "Bucket")
    wanted.only("LocationConstraint", "Tags")
    region = wanted.value("LocationConstraint")
    if region and region not in (call.settings.region, "us-east-1", "EU"):
        raise S3Error(faults.ILLEGAL_LOCATION, f"The only region here is {call.settings.region}.")
    tags = wanted.one("Tags")
    return () if tags is None else read_tags(tags, BUCKET_TAGS_MAX)


async def head_bucket(call: Call) -> Answer:
    """HeadBucket. The region is in every answer to it."""
    call.info()
    return Answer()


async def delete_bucket(call: Call) -> Answer:
    """DeleteBucket."""
    await call.shelf.buckets.delete(call.bucket)
    return NO_CONTENT


async def get_location(call: Call) -> Answer:
    """GetBucketLocation. Of us-east-1 the answer is empty, as it always was."""
    call.info()
    region = call.settings.region
    return xml_answer(document("LocationConstraint", "" if region == "us-east-1" else region))


async def get_versioning(call: Call) -> Answer:
    """GetBucketVersioning."""
    versioning = call.info().versioning
    status = {Versioning.ENABLED: "Enabled", Versioning.SUSPENDED: "Suspended"}.get(versioning)
    return xml_answer(document("VersioningConfiguration", maybe("Status", status)))


async def put_versioning(call: Call) -> Answer:
    """PutBucketVersioning."""
    asked = await call.xml("VersioningConfiguration")
    asked.only("Status", "MfaDelete")
    if asked.value("MfaDelete") not in (None, "Disabled"):
        raise faults.not_served("MfaDelete")
    status = asked.value("Status")
    if status not in ("Enabled", "Suspended"):
        raise S3Error(faults.ILLEGAL_VERSIONING)
    await call.shelf.buckets.set_versioning(call.bucket, Versioning[status.upper()])
    return Answer()


async def get_encryption(call: Call) -> Answer:
    """GetBucketEncryption: everything is encrypted, always."""
    call.info()
    default = node("ApplyServerSideEncryptionByDefault", leaf("SSEAlgorithm", "AES256"))
    rule = node("Rule", default, leaf("BucketKeyEnabled", "false"))
    return xml_answer(document("ServerSideEncryptionConfiguration", rule))


async def put_encryption(call: Call) -> Answer:
    """PutBucketEncryption: what is true already may be asked for; keys of a key service may not."""
    asked = await call.xml("ServerSideEncryptionConfiguration")
    call.info()
    rules = list(asked.all("Rule"))
    if len(rules) != 1:
        raise S3Error(faults.MALFORMED_XML)
    rules[0].refuse("BlockedEncryptionTypes")
    default = rules[0].one("ApplyServerSideEncryptionByDefault")
    if default is None or default.value("SSEAlgorithm") != "AES256" or default.one("KMSMasterKeyID") is not None:
        raise faults.not_served("encryption with a key service")
    return Answer()


async def delete_encryption(call: Call) -> Answer:
    """DeleteBucketEncryption: back to what it always is."""
    call.info()
    return NO_CONTENT
