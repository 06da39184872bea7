"""A node's folder: what stands in it besides the data, and the careful order in which it is made.

`format` names the layout and is written last, so a folder without it was never finished. `keys/` holds the node's
seed and, on machines that vote, the organisation's current key, both mode 0600. `organisation` says who the
organisation is, for the day it founds or joins; `membership` says which federation that became, with the
organisation's certification of this node. A machine that recovers a namespace and belongs to nobody yet has `guest`
instead of these two, until an organisation takes it in. The rest (volumes, index, records) belongs to the parts that
keep it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, ClassVar, TypeVar

from node.host.ports import Disk
from node.vault.secrets import load_seed, save_seed
from protocol import limits
from protocol.errors import MaillonError, Missing, Refused
from protocol.ids import FederationId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.lineage import Certification, Lineage
from protocol.wire import schema
from protocol.wire.schema import Length

T = TypeVar("T")

FORMAT = b"maillon node folder 1\n"
CONFIG_FILE = PurePath("maillon.toml")
_FORMAT_FILE = PurePath("format")
_ORGANISATION_FILE = PurePath("organisation")
_MEMBERSHIP_FILE = PurePath("membership")
_GUEST_FILE = PurePath("guest")
_NODE_KEY = "node"
_ORGANISATION_KEY = "organisation"
_SMALL_FILE_BYTES_MAX = 64 * limits.KIB


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who the organisation says it is. Its other facts come from its admission, never from itself.

    `taken_over`: another node of the organisation introduces it, so this one must not say the same differently.
    """

    WIRE_VERSION: ClassVar[int] = 1
    name: Annotated[str, Length(1, limits.NAME_BYTES_MAX)]
    contact: Annotated[str, Length(0, 256)]
    lineage: Lineage
    taken_over: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """The federation that the node belongs to, and its organisation's word for it."""

    WIRE_VERSION: ClassVar[int] = 1
    federation: FederationId
    certification: Certification


@dataclass(frozen=True, slots=True)
class GuestOf:
    """The federation in which a machine recovers namespaces, before it belongs to anybody."""

    WIRE_VERSION: ClassVar[int] = 1
    federation: FederationId


class NodeFolder:
    """The small files of one node's folder. All calls block."""

    def __init__(self, disk: Disk, path: str) -> None:
        """`path` is where the disk's root is, for people who read errors."""
        self._disk = disk
        self._path = path

    def create(self, config: str, node_key: SigningKey, organisation: Organisation, organisation_seed: bytes) -> None:
        """Make a new node. Raises Refused(`node-dir-exists`) where there is one already."""
        if self._disk.exists(_FORMAT_FILE) or self._disk.exists(CONFIG_FILE):
            raise Refused("node-dir-exists", path=self._path)
        save_seed(self._disk, _NODE_KEY, node_key.seed)
        save_seed(self._disk, _ORGANISATION_KEY, organisation_seed)
        self._disk.replace(_ORGANISATION_FILE, schema.encode(organisation))
        self._disk.replace(CONFIG_FILE, config.encode())
        self._disk.replace(_FORMAT_FILE, FORMAT)

    def create_guest(self, config: str, node_key: SigningKey, guest: GuestOf) -> None:
        """Make a guest's folder. Raises Refused(`node-dir-exists`) where there is a node already."""
        if self._disk.exists(_FORMAT_FILE) or self._disk.exists(CONFIG_FILE):
            raise Refused("node-dir-exists", path=self._path)
        save_seed(self._disk, _NODE_KEY, node_key.seed)
        self._disk.replace(_GUEST_FILE, schema.encode(guest))
        self._disk.replace(CONFIG_FILE, config.encode())
        self._disk.replace(_FORMAT_FILE, FORMAT)

    def place(self, name: str) -> str:
        """Where a file is that the configuration names: in the folder, unless its path is absolute."""
        return str(PurePath(self._path) / name)

    def is_made(self) -> bool:
        """Whether there is a node in the folder, finished."""
        return self._disk.exists(_FORMAT_FILE)

    def is_guest(self) -> bool:
        """Whether the node recovers namespaces and is no member yet."""
        return self._disk.exists(_GUEST_FILE) and not self.is_member()

    def guest(self) -> GuestOf:
        """Raises Refused(`not-in-a-federation`) where there is nothing to recover from."""
        return self._read(_GUEST_FILE, GuestOf, Refused("not-in-a-federation"))

    def check_format(self) -> None:
        """Raises Missing(`node-dir-absent`) or Refused(`node-dir-format`)."""
        if not self._disk.exists(_FORMAT_FILE):
            raise Missing("node-dir-unfinished", path=self._path)
        found = self._disk.read(_FORMAT_FILE, size_bytes_max=_SMALL_FILE_BYTES_MAX)
        if found != FORMAT:
            raise Refused(
                "node-dir-format",
                path=self._path,
                found=found.decode(errors="replace")[:80].strip(),
                known=FORMAT.decode().strip(),
            )

    def node_key(self) -> SigningKey:
        """The key that speaks for the node."""
        return SigningKey.from_seed(load_seed(self._disk, _NODE_KEY))

    @property
    def node(self) -> NodeId:
        return NodeId(self.node_key().public)

    def organisation_key(self) -> SigningKey:
        """The organisation's current key. Raises Refused(`organisation-key-absent`) on a machine without it."""
        try:
            return SigningKey.from_seed(load_seed(self._disk, _ORGANISATION_KEY))
        except Missing as error:
            raise Refused("organisation-key-absent", path=f"keys/{_ORGANISATION_KEY}.key") from error

    def organisation(self) -> Organisation:
        """Who `init` was told the organisation is."""
        return self._read(_ORGANISATION_FILE, Organisation, Missing("node-dir-unfinished", path=self._path))

    def membership(self) -> Membership:
        """Raises Refused(`not-in-a-federation`) before the node founded or joined one."""
        return self._read(_MEMBERSHIP_FILE, Membership, Refused("not-in-a-federation"))

    def is_member(self) -> bool:
        """Whether the node founded or joined a federation."""
        return self._disk.exists(_MEMBERSHIP_FILE)

    def become_member(self, membership: Membership) -> None:
        """Remember the federation; from now on the node can run. Raises Refused(`already-in-a-federation`)."""
        if self.is_member():
            raise Refused("already-in-a-federation", federation=self.membership().federation)
        self._disk.replace(_MEMBERSHIP_FILE, schema.encode(membership))

    def take_in(self, organisation: Organisation, organisation_seed: bytes, membership: Membership) -> None:
        """Make a guest's folder that of a member's node, with the organisation's current key on it."""
        save_seed(self._disk, _ORGANISATION_KEY, organisation_seed)
        self._disk.replace(_ORGANISATION_FILE, schema.encode(organisation))
        self.become_member(membership)

    def _read(self, path: PurePath, kind: type[T], otherwise: MaillonError) -> T:
        if not self._disk.exists(path):
            raise otherwise
        return schema.decode(kind, self._disk.read(path, size_bytes_max=_SMALL_FILE_BYTES_MAX))
