"""The envelope of everything that members say for all to hear.

A record is one signed statement: of a kind, by an author, about a subject, with a counter that orders the author's
statements about it. The signature covers the federation, the kind, the counter, the author, the subject and the
*hash* of the body. Because it covers the hash, two signatures over different bodies with one counter fit in a small
proof that the author contradicted itself (`protocol.members.evidence`). Nothing here asks who the author is: that is
the view's business.

Two kinds are not signed, because what they carry proves itself: their signature is 64 zero bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.errors import Forged, Malformed, OverLimit, Refused
from protocol.ids import SIGNATURE_BYTES, Digest, FederationId, PublicKey, RecordId
from protocol.keys.derive import digest
from protocol.keys.signing import SigningKey, verify
from protocol.limits import RECORD_BYTES_MAX
from protocol.wire import canonical, schema
from protocol.wire.schema import Length, Range, Signature

RECORD_PURPOSE: Final = "maillon/record/1"
UNSIGNED: Final = bytes(SIGNATURE_BYTES)
COUNTER_MAX: Final = 2**63 - 1

_RECORD_CONTEXT: Final = "maillon 2026 record id 1"
_BODY_CONTEXT: Final = "maillon 2026 record body 1"

Subject = Annotated[bytes, Length(32, 32)]
Counter = Annotated[int, Range(1, COUNTER_MAX)]


class RecordKind(enum.IntEnum):
    """Numbers on the wire, never reused. Other numbers are kinds of a later protocol: kept and passed on."""

    CHARTER = 1
    CERTIFICATE = 2
    BALLOT = 3
    PROPOSAL = 4
    INTRODUCTION = 5
    ORGANISATION = 6
    NODE = 7
    NAMESPACE = 8
    EVIDENCE = 9


PROVEN_BY_CONTENT: Final = frozenset({RecordKind.CERTIFICATE, RecordKind.EVIDENCE})


@dataclass(frozen=True, slots=True)
class Record:
    """One statement. `kind` is an integer because kinds unknown today must survive."""

    WIRE_VERSION: ClassVar[int] = 1
    federation: FederationId
    kind: Annotated[int, Range(1, 2**16 - 1)]
    counter: Counter
    author: PublicKey
    subject: Subject
    body: Annotated[bytes, Length(0, RECORD_BYTES_MAX)]
    signature: Signature


def sign_record(
    key: SigningKey, federation: FederationId, kind: int, counter: int, subject: bytes, body: bytes
) -> Record:
    """The record that the owner of `key` states."""
    kind = int(kind)  # an enumeration has no canonical form
    signature = key.sign(RECORD_PURPOSE, statement(federation, kind, counter, key.public, subject, body_digest(body)))
    return Record(federation, kind, counter, key.public, subject, body, signature)


def statement(
    federation: FederationId, kind: int, counter: int, author: bytes, subject: bytes, body: Digest
) -> bytes:
    """What a record's signature is over."""
    return canonical.encode([federation, kind, counter, author, subject, body])


def body_digest(body: bytes) -> Digest:
    """What stands for the body under the signature."""
    return digest(_BODY_CONTEXT, body)


def check_record(record: Record, federation: FederationId) -> None:
    """Return if the record is this federation's and its author signed it.

    Raises:
        Refused: `record-federation`. Forged: `signature`.
    """
    if record.federation != federation:
        raise Refused("record-federation", expected=federation, found=record.federation)
    if record.kind in PROVEN_BY_CONTENT:
        if record.signature != UNSIGNED:
            raise Forged("record-signature", kind=record.kind)
        return
    signed = statement(
        federation, record.kind, record.counter, record.author, record.subject, body_digest(record.body)
    )
    verify(record.author, RECORD_PURPOSE, signed, record.signature)


def encode_record(record: Record) -> bytes:
    """Canonical bytes.

    Raises:
        OverLimit: `record-size` beyond RECORD_BYTES_MAX.
    """
    encoded = schema.encode(record)
    if len(encoded) > RECORD_BYTES_MAX:
        raise OverLimit("record-size", size_bytes=len(encoded), limit_bytes=RECORD_BYTES_MAX)
    return encoded


def decode_record(data: bytes) -> Record:
    """The record in canonical bytes; its signature is not looked at.

    Raises:
        OverLimit: `record-size`. Malformed: see `protocol.wire.schema`.
    """
    if len(data) > RECORD_BYTES_MAX:
        raise OverLimit("record-size", size_bytes=len(data), limit_bytes=RECORD_BYTES_MAX)
    return schema.decode(Record, data)


def record_id(record: Record) -> RecordId:
    """The hash of the whole record, signature included: what reconciliation compares."""
    return RecordId(digest(_RECORD_CONTEXT, encode_record(record)))


def expect(record: Record, kind: RecordKind) -> None:
    """Raises Malformed(`record-kind`) unless the record is of this kind."""
    if record.kind != kind:
        raise Malformed("record-kind", expected=int(kind), found=record.kind)
