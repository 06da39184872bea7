"""The expirer: from time to time it goes through the buckets that have lifecycle rules, and does what these say.

It deletes as a client would who may not bypass any lock: a version that is locked stays, and goes when it expired and
the lock did. Before it does either it looks, in a turn at the key, whether the key still names the version that
expired, or names an older one that was to go because it named another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from node.logs import get_logger
from node.vault.shelf.buckets import LIFECYCLE_RULES
from node.vault.shelf.expiring import Due, Walk, What
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import UploadStat
from node.vault.shelf.tools import ShelfTools
from protocol.errors import MaillonError
from protocol.namespace.lifecycle import LifecycleRule, decode_rules

# So many versions are looked at, and so many deletions journaled together, at a time.
AT_ONCE: Final = 250

log = get_logger(__name__)


class Expirer:
    """Works for one namespace."""

    def __init__(self, tools: ShelfTools, every_s: float) -> None:
        self._tools = tools
        self._every_s = every_s
        self._shelf = Shelf(tools)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await trio.sleep(self._every_s)
            try:
                await self.expire()
            except MaillonError as error:  # the catalog is being rebuilt, the journal's holders are away
                log.info("expiry.not-now", error=str(error))

    async def expire(self) -> int:
        """Go through all buckets once; how many versions and uploads went.

        Raises:
            MaillonError: why it could not go on; what went is gone.
        """
        gone = 0
        catalog = self._tools.writing().catalog
        for bucket in catalog.known_buckets():
            if LIFECYCLE_RULES in bucket.documents:
                encoded = await catalog.document(bucket.bucket, LIFECYCLE_RULES)
                rules = decode_rules(encoded) if encoded else ()
                gone += await self._expire_versions(bucket.bucket, rules)
                gone += await self._abandon_uploads(bucket.bucket, rules)
        if gone:
            log.info("expiry.done", gone=gone)
        return gone

    async def _expire_versions(self, bucket: str, rules: Sequence[LifecycleRule]) -> int:
        walk, gone, after_key = Walk(rules, self._tools.host.wall.now_s()), 0, ""
        after_version: bytes | None = None
        while True:
            page = await self._shelf.objects.list_versions(
                bucket, after_key=after_key, after_version=after_version, limit=AT_ONCE
            )
            due = [one for entry in page.entries for one in walk.see(entry)]
            due += walk.end() if page.next_key is None else []
            gone += await _all([self._doing(bucket, one) for one in due])
            if page.next_key is None:
                return gone
            after_key, after_version = page.next_key, page.next_version

    async def _abandon_uploads(self, bucket: str, rules: Sequence[LifecycleRule]) -> int:
        now_s, gone, after_key = self._tools.host.wall.now_s(), 0, ""
        after_upload: bytes | None = None
        while True:
            page = await self._shelf.uploads.list(
                bucket, after_key=after_key, after_upload=after_upload, limit=AT_ONCE
            )
            due = [one for one in page.uploads if _is_abandoned(one, rules, now_s)]
            gone += await _all([self._aborting(one) for one in due])
            if page.next_key is None:
                return gone
            after_key, after_upload = page.next_key, page.next_upload

    def _doing(self, bucket: str, due: Due) -> Callable[[], Awaitable[object]]:
        objects = self._shelf.objects
        if due.what is What.HIDE:
            return lambda: objects.hide(bucket, due.key, due.version)
        return lambda: objects.forget(bucket, due.key, due.version)

    def _aborting(self, upload: UploadStat) -> Callable[[], Awaitable[object]]:
        return lambda: self._shelf.uploads.abort(upload.bucket, upload.key, upload.upload)


def _is_abandoned(upload: UploadStat, rules: Sequence[LifecycleRule], now_s: int) -> bool:
    return any(upload.key.startswith(rule.prefix) and rule.abandons(upload.begun_s, now_s) for rule in rules)


async def _all(deeds: Sequence[Callable[[], Awaitable[object]]]) -> int:
    """Do these at the same time, so that they are journaled together; how many could be done."""
    done = 0

    async def do(deed: Callable[[], Awaitable[object]]) -> None:
        nonlocal done
        try:
            await deed()
        except MaillonError as error:  # locked, or changed since it was looked at
            log.debug("expiry.kept", error=str(error))
        else:
            done += 1

    async with trio.open_nursery() as nursery:
        for deed in deeds:
            nursery.start_soon(do, deed)
    return done
