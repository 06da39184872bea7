"""What this node has bound itself to about one epoch: a small file that is either there whole, or lost.

A promise that is forgotten after it was answered lets two histories both be acknowledged. So what a holder has
promised, accepted and prepared is not spread over a log, from which damage could take just the last word: it is one
message with a checksum, replaced as a whole and durable before anybody hears the answer. A file that is gone or does
not read is *forgotten*, never taken for an empty one: the epoch's entries may still be read here, but this node
counts in no quorum of it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, ClassVar, Final

from node.host.ports import Disk
from node.logs import get_logger
from node.store.journal_copy import JOURNALS_DIRECTORY, JournalName
from protocol import limits
from protocol.errors import OverLimit
from protocol.ids import NamespaceId, identity_from_text, text_of
from protocol.keys.derive import digest
from protocol.namespace.journal import Epoch
from protocol.succession.acceptor import AcceptorState
from protocol.succession.succession import Succession
from protocol.wire import schema
from protocol.wire.schema import Length

log = get_logger(__name__)

PREPARED_MAX: Final = 64
STATE_BYTES_MAX: Final = 1 * limits.MIB
_SUFFIX: Final = ".state"
_CHECK_CONTEXT: Final = "maillon/1 journal state check"
_CHECK_BYTES: Final = 32

Encoded = Annotated[bytes, Length(0, limits.CALL_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class EpochState:
    """`opening` is the one that was opened here, empty before; `succession` proves that it was decided.

    `is_copy`: kept for readers only. `is_written`: there were entries, so that it is noticed when all of them are
    lost. `prepared` are openings of this epoch of which any may be decided. `acceptor`
    is what was promised, accepted and learnt of the epoch's end; None before anything was.
    """

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    opening: Encoded
    succession: Encoded
    is_copy: bool
    is_written: bool
    prepared: Annotated[tuple[Encoded, ...], Length(0, PREPARED_MAX)]
    acceptor: AcceptorState | None


def nothing_yet(name: JournalName) -> EpochState:
    """Before anything was prepared or copied."""
    return EpochState(name.namespace, name.epoch, b"", b"", False, False, (), None)


def successions_in(state: EpochState) -> tuple[Succession, ...]:
    """The proofs in a state: of how the epoch was opened, and of how it ended. They were checked when they came."""
    opened = (schema.decode(Succession, state.succession),) if state.succession else ()
    successor = state.acceptor.successor if state.acceptor else None
    return opened if successor is None else (*opened, successor)


def state_path(name: JournalName) -> PurePath:
    return JOURNALS_DIRECTORY / f"{text_of(name.namespace)}-{name.epoch}{_SUFFIX}"


def states_on(disk: Disk) -> dict[JournalName, EpochState | None]:
    """Every epoch with a state on the disk; None where it does not read. Blocks."""
    found: dict[JournalName, EpochState | None] = {}
    for file_name in disk.list(JOURNALS_DIRECTORY):
        pieces = file_name.removesuffix(_SUFFIX).split("-")
        if file_name.endswith(_SUFFIX) and len(pieces) == 2 and pieces[1].isdecimal():
            name = JournalName(NamespaceId(identity_from_text(pieces[0])), int(pieces[1]))
            found[name] = _read(disk, name)
    return found


def write_state(disk: Disk, state: EpochState) -> None:
    """Durable on return. Blocks. Raises OSError; then either the state before or this one is on the disk."""
    body = schema.encode(state)
    disk.replace(state_path(JournalName(state.namespace, state.epoch)), _check(body) + body, private=True)


def _read(disk: Disk, name: JournalName) -> EpochState | None:
    """Raises Malformed when a later program wrote it."""
    try:
        data = disk.read(state_path(name), size_bytes_max=STATE_BYTES_MAX + _CHECK_BYTES)
    except (OSError, OverLimit) as error:
        log.error("journal-state-unreadable", namespace=text_of(name.namespace), epoch=name.epoch, reason=str(error))
        return None
    check, body = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
    if check != _check(body):
        log.error("journal-state-damaged", namespace=text_of(name.namespace), epoch=name.epoch)
        return None
    state = schema.decode(EpochState, body, size_bytes_max=STATE_BYTES_MAX)
    return state if (state.namespace, state.epoch) == (name.namespace, name.epoch) else None


def _check(body: bytes) -> bytes:
    return digest(_CHECK_CONTEXT, body)
