"""Canned ACLs: private, or readable by everybody; of a bucket (who may list it) and of an object (who may read it).

Full lists of grants are read as far as they say one of these two. Everything else, grants to single users above all,
is refused: a bucket policy says who else may do what.
"""

from __future__ import annotations

from node.s3.asking.canned_acls import ACL_NAME, PUBLIC_READ, acl_rows, canned_acl, is_public
from node.s3.calls.call import DOCUMENT_BYTES_MAX, Answer, Call, xml_answer
from node.s3.calls.owners import owner_of
from node.s3.rights.access import ACL_DOCUMENT, are_acls_off, bucket_acl, require_acls
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.versions import read_version, version_headers
from node.s3.texts.xml_in import Element, malformed, parse
from node.s3.texts.xml_out import document, leaf, node
from node.vault.shelf.terms import Metadata

_ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


async def get_bucket_acl(call: Call) -> Answer:
    """GetBucketAcl."""
    info = call.info()
    is_public = await bucket_acl(call.shelf, info) == PUBLIC_READ
    return xml_answer(_grants(call, is_public=is_public and not are_acls_off(info)))


async def get_object_acl(call: Call) -> Answer:
    """GetObjectAcl."""
    info, version = call.info(), read_version(call.request.query.get("versionId"))
    found = await call.shelf.objects.stat(call.bucket, call.key, version=version)
    return xml_answer(
        _grants(call, is_public=is_public(found) and not are_acls_off(info)), version_headers(info, found)
    )


def _grants(call: Call, *, is_public: bool) -> bytes:
    owner = (
        f'<Grantee {_XSI} xsi:type="CanonicalUser">{leaf("ID", call.owner_id)}{leaf("DisplayName", call.owner_id)}'
    )
    grants = node("Grant", f"{owner}</Grantee>", leaf("Permission", "FULL_CONTROL"))
    if is_public:
        everybody = f'<Grantee {_XSI} xsi:type="Group">{leaf("URI", _ALL_USERS)}</Grantee>'
        grants += node("Grant", everybody, leaf("Permission", "READ"))
    return document("AccessControlPolicy", owner_of(call), node("AccessControlList", grants))


async def put_bucket_acl(call: Call) -> Answer:
    """PutBucketAcl."""
    acl = await _asked(call)
    require_acls(call.info(), acl)
    kept = PUBLIC_READ.encode() if acl == PUBLIC_READ else None
    await call.shelf.buckets.set_document(call.bucket, ACL_DOCUMENT, kept)
    return Answer()


async def put_object_acl(call: Call) -> Answer:
    """PutObjectAcl, of any version."""
    acl = await _asked(call)
    info, version = call.info(), read_version(call.request.query.get("versionId"))
    require_acls(info, acl)

    def after(before: tuple[Metadata, ...]) -> tuple[Metadata, ...]:
        return (*(one for one in before if one.name != ACL_NAME), *acl_rows(acl))

    found = await call.shelf.objects.set_metadata(call.bucket, call.key, after, version=version)
    return Answer(200, version_headers(info, found))


async def _asked(call: Call) -> str:
    """The canned ACL in the header, or the one that the body's grants come to."""
    canned, data = canned_acl(call.request), await call.body(DOCUMENT_BYTES_MAX)
    if canned is not None and data:
        raise S3Error(faults.INVALID_REQUEST, "Specifying both Canned ACLs and Header Grants is not allowed")
    if canned is not None:
        return canned
    if not data:
        raise S3Error(faults.MALFORMED_ACL)
    return _read_grants(parse(data, "AccessControlPolicy"), call.owner_id)


def _read_grants(told: Element, owner: str) -> str:
    listed = told.one("AccessControlList")
    if listed is None:
        raise malformed()
    acl = "private"
    for grant in listed.all("Grant"):
        grantee, permission = grant.one("Grantee"), grant.need("Permission")
        if grantee is None:
            raise malformed()
        if grantee.value("URI") == _ALL_USERS and permission == "READ":
            acl = PUBLIC_READ
        elif grantee.value("ID") != owner or permission != "FULL_CONTROL":
            raise faults.not_served(f"a grant of {permission} to others than everybody or the owner")
    return acl
