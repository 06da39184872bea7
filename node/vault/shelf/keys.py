"""The access keys of a namespace: a name and a secret each, made here or brought along, and revoked one by one.

They are changes in the journal like any other, so every gateway of the namespace has the same ones, and a recovery
brings them back. They are looked up in memory, so a key that was revoked opens nothing from that moment on.
"""

from __future__ import annotations

import base64
from typing import Final

from node.vault.shelf.names import require_access_key
from node.vault.shelf.terms import AccessKey
from node.vault.shelf.tools import ShelfTools, require_writable_bucket
from protocol.errors import Missing, OverLimit, Refused
from protocol.limits import ACCESS_KEYS_MAX
from protocol.namespace.changes import KeyCreated, KeyRevoked

# As long as those that S3's clients are used to: 20 letters, and 40.
_KEY_PREFIX: Final = "MAIL"
_KEY_BYTES: Final = 10
_SECRET_BYTES: Final = 30


class Keys:
    """The access keys of one namespace."""

    def __init__(self, tools: ShelfTools) -> None:
        self._tools = tools

    def find(self, key_id: str) -> AccessKey | None:
        """The key, if it opens anything. Raises why the namespace is not open."""
        return self._tools.reading().catalog.find_key(key_id)

    def all(self) -> tuple[AccessKey, ...]:
        """All keys, by name."""
        return self._tools.reading().catalog.known_keys()

    async def create(
        self, *, bucket: str | None = None, read_only: bool = False, given: tuple[str, str] | None = None
    ) -> AccessKey:
        """A new key, for all buckets or for one; `given` is its name and secret, if it has some already.

        Raises:
            Refused: `key-name`, `key-exists`. Missing: `bucket-missing`. OverLimit: `keys-too-many`.
        """
        serving = self._tools.writing()
        key_id, secret = given or self._fresh()
        require_access_key(key_id, secret)
        if bucket is not None:
            require_writable_bucket(serving, bucket)
        if len(serving.catalog.known_keys()) >= ACCESS_KEYS_MAX:
            raise OverLimit("keys-too-many", limit=ACCESS_KEYS_MAX)
        if serving.catalog.find_key(key_id) is not None:
            raise Refused("key-exists", key=key_id)
        created = KeyCreated(key_id, secret, bucket, read_only, self._tools.host.wall.now_s())
        await serving.journal.append([created])
        found = self.find(key_id)
        if found is None or found.secret != secret:  # somebody else was quicker
            raise Refused("key-exists", key=key_id)
        return found

    async def revoke(self, key_id: str) -> None:
        """The key opens nothing any more. Raises Missing(`key-unknown`)."""
        serving = self._tools.writing()
        if serving.catalog.find_key(key_id) is None:
            raise Missing("key-unknown", key=key_id)
        await serving.journal.append([KeyRevoked(key_id)])

    def _fresh(self) -> tuple[str, str]:
        random = self._tools.host.entropy.random_bytes
        name = base64.b32encode(random(_KEY_BYTES)).decode()
        return _KEY_PREFIX + name, base64.urlsafe_b64encode(random(_SECRET_BYTES)).decode()
