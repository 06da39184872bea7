"""The journal of a namespace: an opening for each epoch, then entries in one signed chain.

An epoch has one writer and fixed holders, both named in its *opening*, which the writer signs and the root vouches
for through the writer's certificate. Entries are numbered from 0; each names the hash of the one before (the first,
the opening's), and is signed by the writer. So whoever holds the opening and the *tip* (length, and hash of the last
entry) can check what comes next without any key; a holder can withhold entries, but can neither forge, reorder nor
replace one.

The hash of an entry is taken over the hashes of its two bodies, the sealed changes and the inline bytes, so that the
chain can be checked by somebody who was sent only one of them.

`take` is the rule by which a holder takes entries: it only ever goes on from what it has, repeats are harmless,
and a different entry at a position that is taken is refused, whoever signed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, NamedTuple

from protocol import limits
from protocol.errors import Forged, Malformed, OverLimit, Unavailable
from protocol.ids import Digest, NamespaceId, NodeId
from protocol.keys.derive import digest
from protocol.keys.signing import SigningKey, verify
from protocol.namespace.quorums import JournalQuorum, quorum_for
from protocol.namespace.root import Generation, WriterCertificate, verify_certificate
from protocol.namespace.salted import salted_size
from protocol.wire import schema
from protocol.wire.schema import Length, Range, Signature

Buffer = bytes | bytearray | memoryview

FIRST_EPOCH: Final = 1
EPOCH_MAX: Final = 2**40 - 1
EPOCH_KEY_BYTES: Final = 32
OPENING_PURPOSE: Final = "maillon/journal-opening/1"
ENTRY_PURPOSE: Final = "maillon/journal-entry/1"

_OPENING_CONTEXT: Final = "maillon 2026 journal opening 1"
_ENTRY_CONTEXT: Final = "maillon 2026 journal entry 1"
_CHANGES_CONTEXT: Final = "maillon 2026 journal entry changes 1"
_INLINE_CONTEXT: Final = "maillon 2026 journal entry inline 1"
_WRAPPED_KEY_BYTES: Final = salted_size(EPOCH_KEY_BYTES)

Epoch = Annotated[int, Range(FIRST_EPOCH, EPOCH_MAX)]
Holders = Annotated[tuple[NodeId, ...], Length(1, limits.JOURNAL_HOLDERS_MAX)]
Tolerated = Annotated[int, Range(0, limits.JOURNAL_HOLDERS_MAX)]
WrappedKey = Annotated[bytes, Length(_WRAPPED_KEY_BYTES, _WRAPPED_KEY_BYTES)]


class Tip(NamedTuple):
    """How far a copy of an epoch goes: so many entries, the last of which has this hash."""

    length: int
    head: Digest


@dataclass(frozen=True, slots=True)
class Ending:
    """Where the epoch before ends: the hash of its opening, its length, and the hash of its last entry.

    What its holders keep beyond that is no part of the journal.
    """

    opening: Digest
    length: int
    head: Digest


@dataclass(frozen=True, slots=True)
class _OpeningStatement:
    """What the writer signs, and what is hashed."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    holders: Holders
    w: Tolerated
    losses: Tolerated
    liars: Tolerated
    certificate: WriterCertificate
    wrapped_key: WrappedKey
    previous: Ending | None


@dataclass(frozen=True, slots=True)
class Opening:
    """The first word of an epoch: who writes, who holds, how many must have an entry.

    `wrapped_key` is the epoch's sealing key under the wrapping key of the certificate's generation. `previous` says
    where the epoch before shall end; the first epoch has none. That it was decided so is proven beside the opening,
    by a succession (`protocol.succession`), because it is the opening itself that is decided.
    """

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    holders: Holders
    w: Tolerated
    losses: Tolerated
    liars: Tolerated
    certificate: WriterCertificate
    wrapped_key: WrappedKey
    previous: Ending | None
    signature: Signature

    @property
    def generation(self) -> Generation:
        return self.certificate.generation

    @property
    def rank(self) -> tuple[Generation, Epoch]:
        """Of two openings of a namespace, the one of the higher rank is the newer.

        Generations never fall from one epoch to the next, so along a journal this is the order of its epochs. But a
        stolen writer key can sign openings of any epoch; it cannot reach the next generation.
        """
        return self.generation, self.epoch

    @property
    def quorum(self) -> JournalQuorum:
        return quorum_for(self.losses, self.liars)


@dataclass(frozen=True, slots=True)
class Entry:
    """Changes that were made together. `sealed` holds the changes, `inline` small objects, each sealed by itself."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    position: int
    previous: Digest
    sealed: Annotated[bytes, Length(1, limits.ENTRY_BYTES_MAX)]
    inline: Annotated[bytes, Length(0, limits.ENTRY_BYTES_MAX)]
    signature: Signature


class Taken(NamedTuple):
    """Keep all but the first `skip` entries (those are known already), and the copy goes as far as `tip`."""

    skip: int
    tip: Tip


def sign_opening(
    writer: SigningKey,
    certificate: WriterCertificate,
    *,
    epoch: int,
    holders: tuple[NodeId, ...],
    quorum: JournalQuorum,
    wrapped_key: bytes,
    previous: Ending | None = None,
) -> Opening:
    """Open an epoch with `quorum.r` holders. What `verify_opening` would refuse is not signed: it raises the same."""
    namespace = certificate.namespace
    numbers = (quorum.w, quorum.losses, quorum.liars)
    statement = _OpeningStatement(namespace, epoch, holders, *numbers, certificate, wrapped_key, previous)
    signature = writer.sign(OPENING_PURPOSE, _hash_of_statement(statement))
    opening = Opening(namespace, epoch, holders, *numbers, certificate, wrapped_key, previous, signature)
    verify_opening(opening)
    return opening


def verify_opening(opening: Opening) -> None:
    """Return if the opening is one that a holder may keep.

    Raises:
        Malformed: `journal-opening`, with what is wrong: holders named twice, a quorum that is none, an impossible
            end of the epoch before.
        Forged: `signature`, or `journal-certificate` when it vouches for another namespace or a later epoch.
    """
    if len(set(opening.holders)) != len(opening.holders):
        raise Malformed("journal-opening", what="holders")
    quorum = opening.quorum
    if (quorum.r, quorum.w) != (len(opening.holders), opening.w):
        raise Malformed("journal-opening", what="quorum")
    certificate = opening.certificate
    if certificate.namespace != opening.namespace or certificate.from_epoch > opening.epoch:
        raise Forged("journal-certificate", namespace=opening.namespace)
    if (opening.previous is None) != (opening.epoch == FIRST_EPOCH):
        raise Malformed("journal-opening", what="previous")
    ending = opening.previous
    if ending is not None and ending.length == 0 and ending.head != ending.opening:
        raise Malformed("journal-opening", what="ending")
    verify_certificate(certificate)
    verify(certificate.writer, OPENING_PURPOSE, opening_hash(opening), opening.signature)


def encode_opening(opening: Opening) -> bytes:
    """Canonical bytes."""
    return schema.encode(opening)


def decode_opening(data: Buffer) -> Opening:
    """The opening in `data`, verified. Raises what `verify_opening` and `schema.decode` raise."""
    opening = schema.decode(Opening, data)
    verify_opening(opening)
    return opening


def opening_hash(opening: Opening) -> Digest:
    """What the first entry chains on from."""
    return _hash_of_statement(
        _OpeningStatement(
            opening.namespace,
            opening.epoch,
            opening.holders,
            opening.w,
            opening.losses,
            opening.liars,
            opening.certificate,
            opening.wrapped_key,
            opening.previous,
        )
    )


def start_of(opening: Opening) -> Tip:
    """The tip of an epoch without entries."""
    return Tip(0, opening_hash(opening))


def sign_entry(writer: SigningKey, opening: Opening, tip: Tip, sealed: bytes, inline: bytes) -> Entry:
    """The entry that goes on from `tip`."""
    unsigned = Entry(opening.namespace, opening.epoch, tip.length, tip.head, sealed, inline, b"")
    signature = writer.sign(ENTRY_PURPOSE, entry_hash(unsigned))
    return Entry(opening.namespace, opening.epoch, tip.length, tip.head, sealed, inline, signature)


def encode_entry(entry: Entry) -> bytes:
    """Canonical bytes. Raises OverLimit(`entry-size`) when there are more than a holder takes."""
    data = schema.encode(entry)
    if len(data) > limits.ENTRY_BYTES_MAX:
        raise OverLimit("entry-size", size_bytes=len(data), limit_bytes=limits.ENTRY_BYTES_MAX)
    return data


def decode_entry(data: Buffer) -> Entry:
    """The entry in `data`; only its form is checked."""
    return schema.decode(Entry, data, size_bytes_max=limits.ENTRY_BYTES_MAX)


def entry_hash(entry: Entry) -> Digest:
    """What the next entry names as `previous`. Every part has a fixed size, so the parts need no lengths."""
    return digest(
        _ENTRY_CONTEXT,
        entry.namespace,
        entry.epoch.to_bytes(8, "big"),
        entry.position.to_bytes(8, "big"),
        entry.previous,
        digest(_CHANGES_CONTEXT, entry.sealed),
        digest(_INLINE_CONTEXT, entry.inline),
    )


def check_entry(opening: Opening, tip: Tip, entry: Entry) -> Tip:
    """The tip after `entry`, if it goes on from `tip`.

    Raises:
        Forged: `journal-chain` when it belongs elsewhere, `signature` when the epoch's writer did not sign it.
    """
    belongs = entry.namespace == opening.namespace and entry.epoch == opening.epoch
    if not belongs or (entry.position, entry.previous) != tip:
        raise Forged("journal-chain", namespace=opening.namespace, epoch=opening.epoch, position=tip.length)
    hashed = entry_hash(entry)
    verify(opening.certificate.writer, ENTRY_PURPOSE, hashed, entry.signature)
    return Tip(tip.length + 1, hashed)


def check_chain(opening: Opening, tip: Tip, encoded: Sequence[Buffer]) -> Tip:
    """The tip after all of `encoded`, each of which must go on from the one before.

    Raises:
        Malformed, OverLimit: an entry that does not decode.
        Forged: as in `check_entry`.
    """
    for data in encoded:
        tip = check_entry(opening, tip, decode_entry(data))
    return tip


def take(opening: Opening, tip: Tip, first: int, encoded: Sequence[Buffer]) -> Taken:
    """What a holder whose copy goes as far as `tip` does with entries that are said to start at `first`.

    Entries before `tip.length` are taken for known without a look, except the last of them, by which the two
    histories are compared.

    Raises:
        Unavailable: `journal-gap` when entries before `first` are still to come.
        Forged: `journal-fork` when what is held differs; and what `check_chain` raises.
    """
    if first > tip.length:
        raise Unavailable("journal-gap", length=tip.length, first=first)
    skip = min(tip.length - first, len(encoded))
    if skip and first + skip == tip.length and entry_hash(decode_entry(encoded[skip - 1])) != tip.head:
        raise Forged("journal-fork", namespace=opening.namespace, epoch=opening.epoch, position=tip.length - 1)
    if skip == len(encoded):
        return Taken(skip, tip)
    following = decode_entry(encoded[skip])
    if following.position == tip.length and following.previous != tip.head:
        raise Forged("journal-fork", namespace=opening.namespace, epoch=opening.epoch, position=tip.length - 1)
    return Taken(skip, check_chain(opening, tip, encoded[skip:]))


def _hash_of_statement(statement: _OpeningStatement) -> Digest:
    return digest(_OPENING_CONTEXT, schema.encode(statement))
