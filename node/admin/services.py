"""What the admin socket speaks for: the running parts of one node, as `node.app` wired them."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.config import Config
from node.folder import Membership, NodeFolder
from node.host.ports import Host
from node.mesh.mesh import Mesh
from node.store.store import Store
from node.vault.vault import Vault
from protocol.keys.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Services:
    """`started_s` is on trio's clock. `transfers` counts the bytes moved through shared files, by transfer."""

    host: Host
    folder: NodeFolder
    config: Config
    membership: Membership
    node_key: SigningKey
    mesh: Mesh
    store: Store
    vault: Vault
    engine: str
    started_s: float
    transfers: dict[bytes, int] = field(default_factory=dict)
