"""Proof that an author contradicted itself: two signatures, one counter, two different bodies.

Only the author can have made both, so evidence needs no witness to be believed and cannot be planted. One piece for
each author is enough, and is all that a view keeps: the smallest. It changes nothing by itself; people decide what
follows. (A node put back from an old disk image can do this innocently, once.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol.errors import Malformed
from protocol.ids import Digest, PublicKey
from protocol.keys.signing import verify
from protocol.members.records import (
    PROVEN_BY_CONTENT,
    RECORD_PURPOSE,
    UNSIGNED,
    Counter,
    Record,
    RecordKind,
    Subject,
    body_digest,
    expect,
    statement,
)
from protocol.wire import schema
from protocol.wire.schema import Range, Signature


@dataclass(frozen=True, slots=True)
class Signed:
    """A record without its body."""

    body: Digest
    signature: Signature


@dataclass(frozen=True, slots=True)
class Equivocation:
    """The author's two statements about `about`, the smaller body hash first."""

    WIRE_VERSION: ClassVar[int] = 1
    kind: Annotated[int, Range(1, 2**16 - 1)]
    counter: Counter
    about: Subject
    first: Signed
    second: Signed


def make_evidence(one: Record, other: Record) -> Record | None:
    """The proof that these two records make against their author; None when they prove nothing."""
    if _place(one) != _place(other) or one.body == other.body or one.kind in PROVEN_BY_CONTENT:
        return None
    pair = sorted((body_digest(record.body), record.signature) for record in (one, other))
    first, second = (Signed(Digest(body), signature) for body, signature in pair)
    body = schema.encode(Equivocation(one.kind, one.counter, one.subject, first, second))
    return Record(one.federation, int(RecordKind.EVIDENCE), 1, one.author, one.author, body, UNSIGNED)


def read_evidence(record: Record) -> Equivocation:
    """The proof, checked: `record.author` really signed both.

    Raises:
        Malformed: `evidence`. Forged: `signature`.
    """
    expect(record, RecordKind.EVIDENCE)
    found = schema.decode(Equivocation, record.body)
    if record.counter != 1 or record.subject != record.author or found.first.body >= found.second.body:
        raise Malformed("evidence", author=record.author)
    for half in (found.first, found.second):
        signed = statement(record.federation, found.kind, found.counter, record.author, found.about, half.body)
        verify(record.author, RECORD_PURPOSE, signed, half.signature)
    return found


def _place(record: Record) -> tuple[bytes, int, int, PublicKey, bytes]:
    return record.federation, record.kind, record.counter, record.author, record.subject
