"""Access keys: the admin socket's calls into the vault. A secret is shown when its key is made, and never listed."""

from __future__ import annotations

from node.admin.calls import PAGE_LINES, Done
from node.admin.lines import S3KeyLine
from node.admin.s3_calls import S3KeyCreate, S3KeyCreated, S3KeyList, S3KeyPage, S3KeyRevoke
from node.admin.services import Services
from protocol.errors import Missing, Refused


async def create(services: Services, question: S3KeyCreate) -> S3KeyCreated:
    """A new key; it works as soon as this is answered. Its name is one for all namespaces of this node."""
    if bool(question.access_key) != bool(question.secret_key):
        raise Refused("key-halves")
    given = (question.access_key, question.secret_key) if question.access_key else None
    shelf = services.vault.shelf(question.namespace or None)
    if given is not None:
        _require_unknown(services, question.access_key)
    if question.bucket:
        shelf.buckets.get(question.bucket)
    made = await shelf.keys.create(bucket=question.bucket or None, read_only=question.read_only, given=given)
    return S3KeyCreated(
        endpoint=services.s3_endpoint,
        region=services.config.s3.region,
        access_key=made.key_id,
        secret_key=made.secret,
    )


def _require_unknown(services: Services, key_id: str) -> None:
    """Raises Refused(`key-exists`): of two keys of one name in two namespaces, a request would open either."""
    try:
        services.vault.key(key_id)
    except Missing:
        return
    raise Refused("key-exists", key=key_id)


async def keys(services: Services, question: S3KeyList) -> S3KeyPage:
    """The keys of one namespace, or of all."""
    vault = services.vault
    names = [question.namespace] if question.namespace else sorted(status.name for status in await vault.namespaces())
    lines = [
        S3KeyLine(
            access_key=key.key_id,
            namespace=name,
            bucket=key.bucket or "",
            read_only=key.is_read_only,
            created_s=key.created_s,
        )
        for name in names
        for key in vault.shelf(name).keys.all()
    ]
    return S3KeyPage(tuple(lines[question.first : question.first + PAGE_LINES]), len(lines))


async def revoke(services: Services, question: S3KeyRevoke) -> Done:
    """From now on nobody comes in by this key."""
    shelf, _key = services.vault.key(question.access_key)
    await shelf.keys.revoke(question.access_key)
    return Done()
