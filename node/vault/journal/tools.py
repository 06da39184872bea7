"""What every part of a namespace's writing side works with, and what it knows of an epoch.

The parts are handed values and a few doors, never the node: so that a test can hold the other end of each door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from node.host.ports import Host
from node.mesh.returns import Returns
from node.vault.journal.line import Ask, HolderLine, RemoteLine
from node.vault.journal.local import LocalJournal, OwnLine
from node.vault.recent import RecentReads
from protocol.ids import NamespaceId, NodeId, short_text_of
from protocol.keys.signing import SigningKey
from protocol.namespace.journal import Opening
from protocol.namespace.quorums import JournalQuorum
from protocol.namespace.root import WriterCertificate
from protocol.succession.succession import Succession, encode_succession

# The holders of a next epoch and their quorum, leaving these nodes out. Raises Unavailable, Refused.
NextHolders = Callable[[frozenset[NodeId]], tuple[tuple[NodeId, ...], JournalQuorum]]


@dataclass(frozen=True, slots=True)
class JournalTimers:
    """Every duration of the writing side, in seconds."""

    ask_deadline_s: float = 10.0
    append_deadline_s: float = 20.0
    start_wait_s: float = 20.0
    tails_grace_s: float = 1.0
    retry_first_s: float = 0.2
    retry_most_s: float = 10.0
    lease_s: float = 15.0
    confirm_every_s: float = 4.0
    compete_most_s: float = 2.0
    drain_s: float = 2.0
    gather_s: float = 0.01
    spare_wait_s: float = 0.25
    repair_after_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTools:
    """What it takes to find and read a namespace's journal.

    `wrapping_key` gives the key of a generation; `returns` tells of members that answer again; `recent` is shared by
    all namespaces of a gateway.
    """

    host: Host
    me: NodeId
    namespace: NamespaceId
    local: LocalJournal
    ask: Ask
    timers: JournalTimers
    wrapping_key: Callable[[int], bytes]
    live: Callable[[], set[NodeId]] = set
    name_of: Callable[[NodeId], str] = short_text_of
    unreachable: Callable[[], frozenset[NodeId]] = frozenset
    returns: Returns = field(default_factory=Returns)
    recent: RecentReads = field(default_factory=RecentReads)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalTools(ReadTools):
    """What it takes to write it. `certificate` is the root's word for the writer key."""

    node_key: SigningKey
    writer_key: SigningKey
    certificate: WriterCertificate
    next_holders: NextHolders

    def line(self, node: NodeId, opening: Opening) -> HolderLine:
        """A line to a holder of the epoch; to our own disk when the holder is this node."""
        if node == self.me:
            return OwnLine(self.local, self.node_key, opening)
        return RemoteLine(node, opening, self.ask, self.timers.ask_deadline_s)

    def lines(self, opening: Opening) -> tuple[HolderLine, ...]:
        """A line to each of the epoch's holders."""
        return tuple(self.line(node, opening) for node in opening.holders)


@dataclass(frozen=True, slots=True)
class Known:
    """An epoch, and the proof that it was decided; the first one needs none."""

    opening: Opening
    succession: Succession | None

    @property
    def proof(self) -> bytes:
        """The succession as holders are shown it."""
        return encode_succession(self.succession) if self.succession is not None else b""
