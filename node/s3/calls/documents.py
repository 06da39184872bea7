"""The documents of a bucket: CORS rules, a policy, a website, tags. Each is put, shown and taken away as a whole.

The vault keeps them as they came; whether one says what is obeyed here is looked at before it is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from node.s3.calls.call import DOCUMENT_BYTES_MAX, NO_CONTENT, Answer, Call
from node.s3.texts.faults import Fault, S3Error
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import BucketInfo


async def kept(call: Call, name: str, absent: Fault) -> bytes:
    """The document of a bucket that is there. Raises S3Error(`absent`)."""
    call.info()
    found = await call.shelf.buckets.document(call.bucket, name)
    if found is None:
        raise S3Error(absent)
    return found


async def keep(call: Call, name: str, check: Callable[[bytes], object]) -> None:
    """Keep the request's body, unless `check` raises."""
    data = await call.body(DOCUMENT_BYTES_MAX)
    call.info()
    check(data)
    await call.shelf.buckets.set_document(call.bucket, name, data)


async def forget(call: Call, name: str) -> Answer:
    """Whether or not there was one."""
    call.info()
    await call.shelf.buckets.set_document(call.bucket, name, None)
    return NO_CONTENT


async def if_any(shelf: Shelf, info: BucketInfo | None, name: str) -> bytes | None:
    """The document, if there is such a bucket and it has one. That it has none, as most, is known without a look."""
    if info is None or name not in info.documents:
        return None
    return await shelf.buckets.document(info.name, name)
