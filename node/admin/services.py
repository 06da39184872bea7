"""What the admin socket speaks for: the running parts of one node, as `node.app` wired them."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.config import Config
from node.folder import Membership, NodeFolder
from node.host.ports import Host
from node.mesh.peering import Peering
from node.store.journals import JournalStore
from node.store.store import Store
from node.vault.vault import Vault
from protocol.errors import Refused
from protocol.ids import OrganisationId
from protocol.keys.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Services:
    """`started_s` is on trio's clock. `transfers` counts the bytes moved through shared files, by transfer.
    `s3_endpoint` is the URL of the S3 door, empty where there is none.

    `membership` is None while the node is a guest, which recovers namespaces and belongs to no organisation yet.
    """

    host: Host
    folder: NodeFolder
    config: Config
    membership: Membership | None
    node_key: SigningKey
    mesh: Peering
    store: Store
    journals: JournalStore
    vault: Vault
    engine: str
    started_s: float
    transfers: dict[bytes, int] = field(default_factory=dict)
    s3_endpoint: str = ""

    def organisation(self) -> OrganisationId:
        """Whose node this is. Raises Refused(`not-in-a-federation`) for a guest."""
        if self.membership is None:
            raise Refused("not-in-a-federation")
        return self.membership.certification.organisation
