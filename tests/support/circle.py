"""A journal whose holders have keys, and gateways that succeed each other in writing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.journal import (
    Ending,
    Opening,
    Tip,
    check_entry,
    decode_entry,
    encode_entry,
    opening_hash,
    sign_entry,
    sign_opening,
)
from protocol.namespace.quorums import quorum
from protocol.namespace.root import Root, WriterCertificate, certify_writer
from protocol.namespace.salted import salted_size
from protocol.succession.ballot import Candidacy, sign_candidacy
from protocol.succession.proposal import Proposal, sign_proposal
from protocol.succession.succession import Succession, join_acceptances, sign_acceptance
from tests.support.federations import node_key, seed


@dataclass(frozen=True, slots=True)
class Gateway:
    """A node that the root lets write."""

    root: Root
    name: str
    generation: int = 1

    @property
    def node(self) -> NodeId:
        return NodeId(node_key(self.name).public)

    @property
    def writer(self) -> SigningKey:
        return SigningKey.from_seed(seed(f"writer {self.name} {self.generation}"))

    @property
    def certificate(self) -> WriterCertificate:
        return certify_writer(self.root, self.writer.public, self.node, generation=self.generation, from_epoch=1)

    def opening(self, holders: Sequence[NodeId], *, epoch: int = 1, previous: Ending | None = None) -> Opening:
        return sign_opening(
            self.writer,
            self.certificate,
            epoch=epoch,
            holders=tuple(holders),
            quorum=quorum(len(holders)),
            wrapped_key=bytes(salted_size(32)),
            previous=previous,
        )

    def chain(self, opening: Opening, start: Tip, length: int, *, inline_bytes: int = 50) -> list[bytes]:
        """`length` encoded entries that go on from `start`."""
        entries = []
        tip = start
        for _ in range(length):
            inline = f"{self.name} {tip.length} ".encode().ljust(inline_bytes, b".")
            entries.append(encode_entry(sign_entry(self.writer, opening, tip, b"sealed", inline)))
            tip = check_entry(opening, tip, decode_entry(entries[-1]))
        return entries

    def candidacy(self, opening: Opening, counter: int = 1) -> Candidacy:
        return sign_candidacy(self.writer, self.certificate, opening, counter=counter, draw=7)

    def decree(self, opening: Opening, end: Tip, holders: Sequence[NodeId]) -> Opening:
        ending = Ending(opening_hash(opening), end.length, end.head)
        return self.opening(holders, epoch=opening.epoch + 1, previous=ending)

    def proposal(self, opening: Opening, decree: Opening, counter: int = 1) -> Proposal:
        return sign_proposal(self.writer, self.candidacy(opening, counter), decree)


@dataclass(frozen=True, slots=True)
class Circle:
    """The nodes that hold the journal, by name, and a namespace."""

    names: tuple[str, ...]
    root: Root = field(default_factory=lambda: Root(seed("namespace town")))

    @property
    def holders(self) -> tuple[NodeId, ...]:
        return tuple(NodeId(node_key(name).public) for name in self.names)

    def gateway(self, name: str, generation: int = 1) -> Gateway:
        return Gateway(self.root, name, generation)

    def succession(self, opening: Opening, proposal: Proposal) -> Succession:
        """As all holders accept it."""
        signatures = {NodeId(node_key(name).public): sign_acceptance(node_key(name), proposal) for name in self.names}
        return join_acceptances(opening, proposal, signatures)
