"""One epoch as this node keeps it: what it has bound itself to, and the entries.

An epoch goes through these stages here. *Prepared*: openings are kept in case one of them is decided; no entry is
taken. *Open*: one was decided, this node is one of its holders, and the writer's entries are kept until a ballot is
promised to somebody else. *Ended*: the succession is known; entries beyond the decided end are no longer shown. And
apart from those a *copy*: entries of an epoch that this node keeps for readers only. A holder whose state was lost,
or its entries, goes on as a copy, because nobody can tell what it had promised or acknowledged.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from node.host.ports import Buffer, Disk, Faults
from node.logs import get_logger
from node.store.epoch_state import PREPARED_MAX, EpochState, nothing_yet, state_path, write_state
from node.store.journal_copy import JournalCopy, JournalName
from protocol.errors import Damaged, MaillonError, Missing, Refused, Unavailable
from protocol.ids import Digest, NodeId, text_of
from protocol.namespace.journal import Opening, Tip, decode_opening, opening_hash
from protocol.namespace.root import FIRST_GENERATION
from protocol.succession.acceptor import AcceptorState, check_append, learn, unfenced
from protocol.succession.ballot import Ballot
from protocol.succession.preparing import check_open
from protocol.succession.succession import Succession, encode_succession
from protocol.wire import schema

log = get_logger(__name__)

R = TypeVar("R")

_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


class KeptEpoch:
    """All methods block; `load` first. One change at a time; `read` may go on beside it."""

    def __init__(
        self,
        disk: Disk,
        faults: Faults,
        salt: bytes,
        name: JournalName,
        parts: Sequence[int] = (),
        state: EpochState | None = None,
    ) -> None:
        self.name = name
        self.state = state or nothing_yet(name)
        self._disk = disk
        self._faults = faults
        self._entries = JournalCopy(disk, faults, salt, name, parts)

    def measure(self) -> None:
        """Find out how large the files are, before `load`."""
        self._entries.measure()

    def load(self) -> None:
        """Read what the files hold. Where entries stand without a state, or none where there were some, all is lost.

        Raises:
            Unavailable: `store-full`, `store-failing` when that cannot be noted.
        """
        self._entries.load(self.state.opening)
        is_gone = self.state.is_written and self._entries.is_whole and not self._entries.tip.length
        if is_gone and not self.state.is_copy:
            log.error("journal-entries-lost", namespace=text_of(self.name.namespace), epoch=self.name.epoch)
            self._write(replace(self.state, is_copy=True))
        if not self.state.opening and self._entries.opening is not None:
            log.error("journal-state-lost", namespace=text_of(self.name.namespace), epoch=self.name.epoch)
            self.state = replace(self.state, opening=self._entries.opening_bytes, is_copy=True)

    # --- what is here --------------------------------------------------------------------------------------------

    @property
    def size_bytes(self) -> int:
        """What the entries take of the disk."""
        return self._entries.size_bytes

    @property
    def is_kept(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.state.opening or self.state.prepared)

    @property
    def is_shown(self) -> bool:
        """Whether the epoch is open here or copied, as far as is known before `load`."""
        return bool(self.state.opening) or self._entries.has_files

    @property
    def gateway(self) -> NodeId | None:
        """The gateway that the opening names, or the one that was prepared last."""
        known = [encoded for encoded in (self.state.opening, *reversed(self.state.prepared)) if encoded]
        return schema.decode(Opening, known[0]).certificate.node if known else None

    @property
    def rank(self) -> tuple[int, int]:
        """The rank of the opening that is open here or copied, as far as is known before `load`."""
        encoded = self.state.opening
        return schema.decode(Opening, encoded).rank if encoded else (FIRST_GENERATION, self.name.epoch)

    @property
    def opening(self) -> Opening:
        """The one that is open here, or copied. Raises Missing(`journal-epoch`), Unavailable(`journal-not-open`)."""
        if self._entries.opening is not None:
            return self._entries.opening
        raise self._not_open()

    @property
    def acceptor(self) -> AcceptorState:
        """What this node has bound itself to as one of the epoch's holders. Raises as `opening`.

        One that prepared the opening, and was made a copy before it heard that it was decided, is not forgotten.
        """
        opening = self.opening
        if self.state.is_copy:
            raise self._not_open()
        return self.state.acceptor or unfenced(opening)

    @property
    def tip(self) -> Tip:
        """How far the entries go, but not beyond the decided end. Raises as `opening`, and Damaged as `head_at`."""
        head = self.head_at(self._shown_length())
        if head is None:
            raise self._not_open()
        return Tip(self._shown_length(), head)

    @property
    def is_ended(self) -> bool:
        return self.state.acceptor is not None and self.state.acceptor.successor is not None

    @property
    def ended_by(self) -> bytes:
        """The encoded succession that ended it; empty while none is known."""
        successor = self.state.acceptor.successor if self.state.acceptor else None
        return b"" if successor is None else encode_succession(successor)

    @property
    def is_fenced(self) -> bool:
        """Whether the writer's own appends are refused here."""
        return self.state.is_copy or (self.state.acceptor is not None and self.state.acceptor.is_fenced)

    def proven_opening(self) -> tuple[bytes, bytes]:
        """The encoded opening, and the proof that it was decided (none in the first epoch). Raises as `opening`."""
        opening = self._entries.opening_bytes
        if not opening:
            raise self._not_open()
        return opening, self.state.succession

    def head_at(self, length: int) -> Digest | None:
        """The hash after so many entries; None when there are fewer. Raises Damaged(`journal-damaged`)."""
        return self._entries.head_at(length)

    def read(self, first: int, size_bytes_max: int) -> tuple[bytes, ...]:
        """Encoded entries from `first` on, at most so many bytes together but at least one.

        Raises:
            Damaged: `journal-damaged`, with the position.
        """
        return self._entries.read(first, self._shown_length(), size_bytes_max)

    # --- what is done to it --------------------------------------------------------------------------------------

    def prepare(self, encoded: bytes) -> None:
        """Keep an opening that may be decided. Durable on return. The oldest gives way when there are too many.

        Raises:
            Missing: `journal-epoch` when it is copied here: this node does not begin again as a holder.
            Refused: `journal-opening-other` when another one is open here.
            Unavailable: `store-full`, `store-failing`.
        """
        if encoded in self.state.prepared:
            return
        if self.state.opening == encoded and self.state.is_copy:
            raise self._missing()
        if self.state.opening == encoded:
            return
        if self.state.opening and not self.state.is_copy:
            raise self._other()
        self._write(replace(self.state, prepared=(*self.state.prepared, encoded)[-PREPARED_MAX:]))

    def open(self, encoded: bytes, succession: bytes) -> None:
        """Take entries from now on: this opening was decided. Durable on return.

        Raises:
            Missing, Forged: from `protocol.succession.preparing.check_open`.
            Refused: `journal-opening-other`. Unavailable: `store-full`, `store-failing`.
        """
        if self.state.opening and self.state.opening != encoded:
            raise self._other()
        if self.state.opening and not self.state.is_copy:
            return
        proof = schema.decode(Succession, succession) if succession else None
        prepared = [opening_hash(schema.decode(Opening, known)) for known in self.state.prepared]
        check_open(decode_opening(encoded), proof, prepared)
        self._begin(encoded, succession, is_copy=False)

    def copy(self, encoded: bytes, succession: bytes, first: int, entries: Sequence[Buffer]) -> Tip:
        """Keep entries for readers. Where this node is a holder nothing changes. Durable on return.

        Raises:
            Refused: `journal-opening-other`. The rest as `append`.
        """
        if self.state.opening and self.state.opening != encoded:
            raise self._other()
        if not self.state.opening:
            self._begin(encoded, succession, is_copy=True)
        return self._entries.append(first, entries) if self.state.is_copy else self.tip

    def append(self, first: int, entries: Sequence[Buffer], under: Ballot | None) -> Tip:
        """Keep the writer's entries, or those that a candidate brings under the ballot it was promised.

        Raises:
            Missing: `journal-epoch`. Refused: `journal-ended`, `journal-promised`.
            Unavailable: `journal-not-open`, `journal-gap`, `store-full`, `store-failing`.
            Forged, Malformed, OverLimit: from `protocol.namespace.journal.take`.
        """
        check_append(self.acceptor, under)
        tip = self._entries.append(first, entries)
        if tip.length and not self.state.is_written:
            self._write(replace(self.state, is_written=True))
        return tip

    def decide(self, rule: Callable[[KeptEpoch], tuple[AcceptorState, R]]) -> R:
        """Do as the rule says about the epoch's end: what it returns is durable before anybody hears of it.

        Raises:
            Missing: `journal-epoch`. Unavailable: `journal-not-open`, `store-full`, `store-failing`.
            Damaged: `journal-damaged` while entries that were here once are known to be lost: nothing may be built
                on what is left. What the rule raises.
        """
        before = self.acceptor
        if not self._entries.is_whole:
            position = self._entries.tip.length
            raise Damaged("journal-damaged", namespace=self.name.namespace, epoch=self.name.epoch, position=position)
        after, result = rule(self)
        if after != before:
            self._write(replace(self.state, acceptor=after))
        return result

    def learn(self, succession: Succession) -> None:
        """The epoch ended; entries beyond its end are not shown any more. Durable on return.

        Raises:
            Missing: `journal-epoch`. Unavailable: `journal-not-open`, `store-full`, `store-failing`.
            Forged: `succession-decree`.
        """
        before = self.state.acceptor or unfenced(self.opening)
        after = learn(before, succession)
        if after != before:
            self._write(replace(self.state, acceptor=after))

    def remove(self) -> None:
        """Delete it whole. The state goes first: entries without one are harmless, a state without entries is not."""
        self._disk.remove(state_path(self.name))
        self._entries.remove()

    def close(self) -> None:
        self._entries.close()

    # --- inside --------------------------------------------------------------------------------------------------

    def _begin(self, encoded: bytes, succession: bytes, *, is_copy: bool) -> None:
        opening = decode_opening(encoded)
        prepared = self.state.prepared if is_copy else ()
        self._write(replace(self.state, opening=encoded, succession=succession, is_copy=is_copy, prepared=prepared))
        if self._entries.opening is None:
            self._entries.begin(opening, encoded)

    def _write(self, state: EpochState) -> None:
        self._faults.reach_blocking("journal.before-state")
        try:
            write_state(self._disk, state)
        except OSError as error:
            log.error("journal-state-unwritten", namespace=text_of(self.name.namespace), reason=str(error))
            problem = "store-full" if error.errno in _NO_SPACE else "store-failing"
            raise Unavailable(problem, size_bytes=0) from error
        self.state = state
        self._faults.reach_blocking("journal.after-state")

    def _shown_length(self) -> int:
        successor = self.state.acceptor.successor if self.state.acceptor else None
        length = self._entries.tip.length
        return length if successor is None else min(length, successor.ending.length)

    def _not_open(self) -> MaillonError:
        if self.state.prepared:
            return Unavailable("journal-not-open", namespace=self.name.namespace, epoch=self.name.epoch)
        return self._missing()

    def _missing(self) -> Missing:
        return Missing("journal-epoch", namespace=self.name.namespace, epoch=self.name.epoch)

    def _other(self) -> Refused:
        return Refused("journal-opening-other", namespace=self.name.namespace, epoch=self.name.epoch)
