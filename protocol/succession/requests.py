"""The questions and answers of a journal's hand-over; their numbers stand in `protocol.requests`.

Statements travel encoded, as they were signed: whoever passes one on need not understand it. JOURNAL_PREPARE comes
from the gateway whose opening it is; SUCCESSION_LEARN and JOURNAL_OPEN may come from anybody, as they prove
themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.ids import Digest, NamespaceId
from protocol.namespace.journal import Epoch
from protocol.requests import EncodedStatement, EntrySizes, MaybeStatement
from protocol.wire.schema import Length, Signature


@dataclass(frozen=True, slots=True)
class JournalPrepare:
    """Keep this opening, which is not decided yet: from its own gateway only. Answer once durable: Done."""

    WIRE_VERSION: ClassVar[int] = 1
    opening: EncodedStatement


@dataclass(frozen=True, slots=True)
class SuccessionPromise:
    """Follow the ballot of this candidacy. Answer once durable: PromiseReply."""

    WIRE_VERSION: ClassVar[int] = 1
    candidacy: EncodedStatement


@dataclass(frozen=True, slots=True)
class PromiseReply:
    """Promised. This copy goes so far; and this proposal, if any, was accepted here before."""

    WIRE_VERSION: ClassVar[int] = 1
    length: int
    head: Digest
    accepted: MaybeStatement


@dataclass(frozen=True, slots=True)
class SuccessionAccept:
    """Accept this proposal. Answer once durable: AcceptReply."""

    WIRE_VERSION: ClassVar[int] = 1
    proposal: EncodedStatement


@dataclass(frozen=True, slots=True)
class AcceptReply:
    """The holder's signature, with its node's key, under the proposal."""

    WIRE_VERSION: ClassVar[int] = 1
    signature: Signature


@dataclass(frozen=True, slots=True)
class SuccessionLearn:
    """An epoch that you hold ended: here is the proof. Answer once durable: Done."""

    WIRE_VERSION: ClassVar[int] = 1
    succession: EncodedStatement


@dataclass(frozen=True, slots=True)
class JournalCopy:
    """Keep a copy of an epoch that you do not hold; encoded entries as payload.

    `succession` proves the opening decided (none in the first epoch). A copy serves readers and counts in no quorum.
    Answer once durable: JournalTailReply.
    """

    WIRE_VERSION: ClassVar[int] = 1
    opening: EncodedStatement
    succession: MaybeStatement
    first: int
    sizes_bytes: EntrySizes


@dataclass(frozen=True, slots=True)
class SuccessionAsk:
    """What do you know of this namespace's epochs, from this one on? Answer: SuccessionAskReply."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch_least: Epoch


@dataclass(frozen=True, slots=True)
class HeldEpoch:
    """One epoch as it is kept: how far, whether its end is known, and whether this is only a copy."""

    epoch: Epoch
    length: int
    head: Digest
    is_ended: bool
    is_copy: bool


@dataclass(frozen=True, slots=True)
class SuccessionAskReply:
    """Epochs that are kept here, by rising number; the succession that opened the newest epoch known here, held or
    not; and the opening of the newest epoch that is kept. No bytes where there is none."""

    WIRE_VERSION: ClassVar[int] = 1
    epochs: Annotated[tuple[HeldEpoch, ...], Length(0, limits.EPOCHS_PER_ANSWER_MAX)]
    newest: MaybeStatement
    opening: MaybeStatement


@dataclass(frozen=True, slots=True)
class ReleaseJournals:
    """Delete the epochs that this encoded `JournalRelease` names. Answer: Done."""

    WIRE_VERSION: ClassVar[int] = 1
    release: EncodedStatement
