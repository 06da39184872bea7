"""Sealing what an entry says, with the key of its epoch.

The epoch's key is random; it stands in the opening, wrapped under the key of the current generation of secrets.
Holders thus see sizes and times of changes, never a name or a key. A gateway that knows its generation opens every
epoch of it; the root opens all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocol.namespace.changes import Change, EncodedChange, decode_changes, join_changes
from protocol.namespace.journal import EPOCH_KEY_BYTES, Entry, Opening
from protocol.namespace.salted import open_salted, seal_salted

_EPOCH_KEY_CONTEXT: Final = "maillon 2026 journal epoch key 1"
_ENTRY_KEY_CONTEXT: Final = "maillon 2026 journal entry key 1"


def wrap_epoch_key(wrapping_key: bytes, salt: bytes, epoch_key: bytes) -> bytes:
    """An epoch's random key, as the opening carries it."""
    if len(epoch_key) != EPOCH_KEY_BYTES:
        raise ValueError("an epoch's key has 32 bytes")
    return seal_salted(_EPOCH_KEY_CONTEXT, wrapping_key, salt, epoch_key)


def unwrap_epoch_key(wrapping_key: bytes, opening: Opening) -> bytes:
    """The epoch's key. Raises Forged(`seal`) when the wrapping key is of another namespace or generation."""
    return open_salted(_EPOCH_KEY_CONTEXT, wrapping_key, opening.wrapped_key)


def seal_changes(epoch_key: bytes, salt: bytes, encoded: Iterable[EncodedChange]) -> bytes:
    """`Entry.sealed`."""
    return seal_salted(_ENTRY_KEY_CONTEXT, epoch_key, salt, join_changes(encoded))


def open_changes(epoch_key: bytes, entry: Entry) -> tuple[Change, ...]:
    """What the entry says.

    Raises:
        Forged: `seal`.
        Refused: `change-unknown`, when a newer program wrote it.
    """
    return decode_changes(open_salted(_ENTRY_KEY_CONTEXT, epoch_key, entry.sealed))
