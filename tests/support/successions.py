"""A journal's holders with their keys, gateways that want to write it, and the statements of a succession."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.journal import Ending, Opening, Tip, opening_hash, sign_opening, start_of
from protocol.namespace.quorums import JournalQuorum, quorum
from protocol.namespace.root import Root, WriterCertificate, certify_writer
from protocol.namespace.sealed_entry import wrap_epoch_key
from protocol.succession.ballot import Candidacy, sign_candidacy
from protocol.succession.proposal import Proposal, sign_proposal
from protocol.succession.succession import Succession, join_acceptances, sign_acceptance
from tests.support.namespaces import some

ROOT = Root(some("root of successions"))
HOLDER_KEYS = tuple(SigningKey.from_seed(some("holder key", number)) for number in range(6))
HOLDERS = tuple(NodeId(key.public) for key in HOLDER_KEYS)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A node with a certified writer key."""

    writer: SigningKey
    certificate: WriterCertificate

    def opening(
        self,
        epoch: int = 1,
        previous: Ending | None = None,
        *,
        holders: tuple[NodeId, ...] = HOLDERS,
        rule: JournalQuorum | None = None,
        attempt: int = 0,
    ) -> Opening:
        wrapped_key = wrap_epoch_key(
            ROOT.wrapping_key(self.certificate.generation), some("salt", attempt)[:16], some("epoch key")
        )
        return sign_opening(
            self.writer,
            self.certificate,
            epoch=epoch,
            holders=holders,
            quorum=rule or quorum(len(holders)),
            wrapped_key=wrapped_key,
            previous=previous,
        )

    def decree(self, predecessor: Opening, end: Tip | None = None, *, attempt: int = 0) -> Opening:
        """The opening that ends `predecessor` at this tip (when nothing is said, without entries)."""
        ending = Ending(opening_hash(predecessor), *(end or start_of(predecessor)))
        return self.opening(predecessor.epoch + 1, ending, holders=predecessor.holders, attempt=attempt)

    def candidacy(self, predecessor: Opening, counter: int = 1, *, draw: int = 0) -> Candidacy:
        return sign_candidacy(self.writer, self.certificate, predecessor, counter=counter, draw=draw)

    def proposal(self, predecessor: Opening, counter: int = 1, end: Tip | None = None) -> Proposal:
        return sign_proposal(self.writer, self.candidacy(predecessor, counter), self.decree(predecessor, end))


def gateway(number: int, *, generation: int = 1, from_epoch: int = 1) -> Gateway:
    writer = SigningKey.from_seed(some("gateway's writer", number))
    node = NodeId(some("gateway", number))
    return Gateway(writer, certify_writer(ROOT, writer.public, node, generation=generation, from_epoch=from_epoch))


def succession_of(predecessor: Opening, proposal: Proposal, holders: Iterable[int] = (0, 1, 2, 3)) -> Succession:
    """The proof with acceptances of these holders, by their number."""
    signatures = {HOLDERS[number]: sign_acceptance(HOLDER_KEYS[number], proposal) for number in holders}
    return join_acceptances(predecessor, proposal, signatures)
