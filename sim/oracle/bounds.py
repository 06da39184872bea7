"""What nobody may use up: laws 5 and 9, as far as they show from outside.

Whatever a member sends, honest nodes hold no more connections, exchanges and payload for it than the protocol allows,
know no more records of an organisation than its quota, and keep no more of its shares than its part of their disks.
The limits are the protocol's; what is used is counted here, never asked of the code that keeps to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from node.admin.services import Services
from node.mesh.mesh import Mesh
from node.mesh.peers import GUESTS_MAX, HANDSHAKES_MAX, JOINERS_MAX
from node.net.settings import NetSettings
from protocol.coding.header import Header
from protocol.ids import BlockId, NamespaceId
from protocol.limits import (
    CONNECTIONS_PER_PEER_MAX,
    EXCHANGES_MAX,
    NAMESPACES_PER_ORGANISATION_MAX,
    UNKNOWN_RECORDS_PER_ORGANISATION_MAX,
)
from protocol.members.facts import Facts
from protocol.members.records import Record, RecordKind
from sim.federation.cast import House
from sim.federation.federation import Federation
from sim.oracle.violations import Broken

BUFFERED_BYTES_MAX = NetSettings().buffered_bytes_max
_KNOWN_KINDS = frozenset(int(kind) for kind in RecordKind)

# Who keeps which shares of a block: the node and the index.
Kept = Mapping[BlockId, Sequence[tuple[str, int]]]


@dataclass(slots=True)
class Bounds:
    """The measures of one federation. A view is counted again only when it changed."""

    federation: Federation
    _counted: dict[str, Facts] = field(default_factory=dict)
    _owners: dict[NamespaceId, House] = field(default_factory=dict)

    def broken(self, kept: Kept, headers: Mapping[BlockId, Header]) -> list[Broken]:
        """What is beyond its bound now, at nodes that never lied."""
        found: list[Broken] = []
        streams = self.federation.world.wires.streams_of_nodes()
        for name, services in self.federation.running.items():
            if name in self.federation.liars:
                continue
            found += self._connections(name, services, streams[name])
            found += self._records(name, services)
        found += self._shares(kept, headers)
        return found

    def _connections(self, name: str, services: Services, streams: int) -> Iterator[Broken]:
        others = len(self.federation.cast.actors) - 1
        # Beside each connection there may be a plain stream.
        most = 2 * others * CONNECTIONS_PER_PEER_MAX + HANDSHAKES_MAX + JOINERS_MAX + GUESTS_MAX
        if streams > most:
            yield Broken("bounded", f"{name} has {streams} streams, {most} at most")
        for peer, load in services.mesh.loads() if isinstance(services.mesh, Mesh) else ():
            for what, used, allowed in (
                ("exchanges asked", load.asked, EXCHANGES_MAX),
                ("exchanges served", load.served, EXCHANGES_MAX),
                ("bytes kept aside", load.kept_bytes, BUFFERED_BYTES_MAX),
            ):
                if used > allowed:
                    with_whom = self.federation.cast.of_node(peer).name
                    yield Broken("bounded", f"{used} {what} between {name} and {with_whom}, {allowed} at most")

    def _records(self, name: str, services: Services) -> Iterator[Broken]:
        view = services.mesh.view
        if self._counted.get(name) is view.facts:
            return
        self._counted[name] = view.facts
        places: Counter[tuple[int, bytes, bytes]] = Counter()
        unknown: Counter[str] = Counter()
        for record in view.records():
            if record.kind in (RecordKind.NODE, RecordKind.ORGANISATION, RecordKind.EVIDENCE):
                places[record.kind, record.author, record.subject] += 1
            elif record.kind not in _KNOWN_KINDS:
                unknown[self._house_of(record)] += 1
        owned = Counter(facts.organisation for facts in view.namespaces())
        for what, most, found in (
            ("records for one place", 1, places),
            ("records of unknown kinds of one organisation", UNKNOWN_RECORDS_PER_ORGANISATION_MAX, unknown),
            ("namespaces of one organisation", NAMESPACES_PER_ORGANISATION_MAX, owned),
        ):
            count = max(found.values(), default=0)
            if count > most:
                yield Broken("quota", f"{name} knows {count} {what}, {most} at most")

    def _shares(self, kept: Kept, headers: Mapping[BlockId, Header]) -> Iterator[Broken]:
        """What an organisation keeps on its own disks is its own affair."""
        used: Counter[tuple[str, str]] = Counter()
        for block, places in kept.items():
            header = headers.get(block)
            owner = None if header is None else self._owner_of(header.namespace)
            if header is not None and owner is not None:
                for name, _index in places:
                    used[name, owner.name] += header.share_bytes
        actors = self.federation.cast.actors
        total_bytes = sum(actor.capacity_bytes for actor in actors)
        for (name, house), used_bytes in sorted(used.items()):
            place = self.federation.cast[name]
            brought_bytes = sum(actor.capacity_bytes for actor in actors if actor.house.name == house)
            allowed_bytes = place.capacity_bytes * brought_bytes // total_bytes
            if place.house.name != house and name not in self.federation.liars and used_bytes > allowed_bytes:
                yield Broken("quota", f"{house} has {used_bytes} bytes on {name}, {allowed_bytes} at most")

    def _house_of(self, record: Record) -> str:
        for actor in self.federation.cast.actors:
            if record.author in (actor.key.public, actor.house.key.public):
                return actor.house.name
        return ""

    def _owner_of(self, namespace: NamespaceId) -> House | None:
        if namespace not in self._owners:
            houses = {house.lineage.organisation: house for house in self.federation.cast.houses}
            for services in self.federation.running.values():
                facts = services.mesh.view.namespace(namespace)
                if facts is not None and facts.organisation in houses:
                    self._owners[namespace] = houses[facts.organisation]
                    break
        return self._owners.get(namespace)
