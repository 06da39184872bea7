"""Joining the changes of many callers into one entry.

A caller's changes and inline bytes stay together and in order; the entry is as full as its bounds allow. What a
caller gave is checked and encoded before it is queued, so that nobody's mistake can spoil the entry of others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from protocol import limits
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, OverLimit
from protocol.keys.signing import SigningKey
from protocol.namespace.changes import Change, EncodedChange, encode_change, moved
from protocol.namespace.journal import Opening, Tip, encode_entry, entry_hash, sign_entry
from protocol.namespace.salted import salted_size
from protocol.namespace.sealed_entry import seal_changes

# Around an entry's changes and inline bytes: ids, signature, lengths.
_ENTRY_ROOM_BYTES: Final = 1_024
# Around one change: its kind, its length, and an inline offset that may grow as it moves.
_CHANGE_ROOM_BYTES: Final = 24
_FULL_BYTES: Final = limits.ENTRY_BYTES_MAX - _ENTRY_ROOM_BYTES


@dataclass(slots=True, eq=False)
class Request:
    """What one caller wants journaled. `stamp` or `error` is set before `done`.

    `inline_start`: where in its entry the inline bytes will stand, if what it is taken with is what waited before it.
    """

    changes: tuple[Change, ...]
    encoded: tuple[EncodedChange, ...]
    inline: bytes
    inline_start: int = 0
    done: trio.Event = field(default_factory=trio.Event)
    stamp: Stamp | None = None
    error: MaillonError | None = None
    queued_s: float = 0.0
    changes_bytes: int = field(init=False)
    size_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.changes_bytes = sum([len(one.body) + _CHANGE_ROOM_BYTES for one in self.encoded])
        self.size_bytes = self.changes_bytes + len(self.inline)

    def succeed(self, stamp: Stamp) -> None:
        self.stamp = stamp
        self.done.set()

    def fail(self, error: MaillonError) -> None:
        self.error = error
        self.done.set()


@dataclass(frozen=True, slots=True)
class Batch:
    """One entry to be: its requests in order, and their changes with inline bytes where they came to stand."""

    requests: tuple[Request, ...]
    changes: tuple[Change, ...]
    inline: bytes

    @property
    def size_bytes(self) -> int:
        return sum(request.size_bytes for request in self.requests)


def request_for(changes: Sequence[Change], inline: Sequence[bytes], inline_start: int = 0) -> Request:
    """Check and encode what a caller gave, for a place in the entry that it will likely have.

    Raises:
        OverLimit: `entry-size`, `entry-changes`, or a field over its bound.
        Malformed: a field that its format does not allow.
    """
    if len(changes) > limits.CHANGES_PER_ENTRY_MAX:
        raise OverLimit("entry-changes", count=len(changes), limit=limits.CHANGES_PER_ENTRY_MAX)
    together = b"".join(inline)
    if inline_start + len(together) > limits.ENTRY_BYTES_MAX:  # so they will stand in a later entry
        inline_start = 0
    placed = moved(changes, inline_start)
    request = Request(placed, tuple([encode_change(change) for change in placed]), together, inline_start)
    size_bytes = _size(request.changes_bytes, len(request.inline))
    if size_bytes > _FULL_BYTES:
        raise OverLimit("entry-size", size_bytes=size_bytes, limit_bytes=_FULL_BYTES)
    return request


def take_batch(queue: deque[Request]) -> Batch:
    """Take from the queue, in order, as many requests as one entry can hold; at least one."""
    taken: list[Request] = []
    changes: list[Change] = []
    changes_bytes = inline_bytes = 0
    while queue:
        request = queue[0]
        count = len(changes) + len(request.changes)
        changes_bytes += request.changes_bytes
        size_bytes = _size(changes_bytes, inline_bytes + len(request.inline))
        if taken and (size_bytes > _FULL_BYTES or count > limits.CHANGES_PER_ENTRY_MAX):
            break
        taken.append(queue.popleft())
        changes += moved(request.changes, inline_bytes - request.inline_start)
        inline_bytes += len(request.inline)
    return Batch(tuple(taken), tuple(changes), b"".join(request.inline for request in taken))


def entry_for(
    batch: Batch, writer: SigningKey, opening: Opening, epoch_key: bytes, tip: Tip, salt: bytes
) -> tuple[bytes, Tip]:
    """The encoded entry that says the batch and goes on from `tip`, and the tip after it. Call it in a thread."""
    given = [change for request in batch.requests for change in request.changes]
    already = [one for request in batch.requests for one in request.encoded]
    encoded = [
        one if change is before else encode_change(change)
        for change, before, one in zip(batch.changes, given, already, strict=True)
    ]
    entry = sign_entry(writer, opening, tip, seal_changes(epoch_key, salt, encoded), batch.inline)
    return encode_entry(entry), Tip(tip.length + 1, entry_hash(entry))


def _size(changes_bytes: int, inline_bytes: int) -> int:
    return salted_size(changes_bytes) + inline_bytes
