"""May this opening, this succession, be kept here? Every holder judges for itself.

What proves itself needs no more than its signatures: an opening that a succession decided may come from anybody. What
proves nothing yet, an opening that is only prepared, is taken from the very gateway that it names, and only while the
members know no later generation of its secrets: whoever stole a gateway can keep it busy, but not after the owner
rotated. A namespace that no card has announced yet takes room too; how much of that one organisation may take is
bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocol.errors import Forged, Refused, Unavailable
from protocol.ids import NamespaceId, NodeId, OrganisationId
from protocol.members.facts import NamespaceFacts
from protocol.members.view import View
from protocol.namespace.journal import FIRST_EPOCH, Opening, decode_opening, opening_hash
from protocol.succession.preparing import check_prepare
from protocol.succession.succession import decode_succession

UNKNOWN_MAX: Final = 16

Kept = Callable[[Callable[[NamespaceId], bool]], dict[NamespaceId, NodeId]]


class JournalLaw:
    """The law as this node's view has it. `kept`: `JournalStore.gateways`."""

    def __init__(self, view: View, me: NodeId, kept: Kept) -> None:
        self._view = view
        self._me = me
        self._kept = kept

    def check_prepare(self, opening: Opening, asking: NodeId) -> None:
        """Return if this node, as one of its holders, may keep an opening that is not decided yet.

        Raises:
            Refused: `journal-not-holder`; `journal-not-gateway` when somebody else than its gateway asks;
                `journal-generation`; `namespaces-unknown`.
        """
        check_prepare(opening, me=self._me, sender=asking)
        self.check_generation(opening.namespace, opening.generation)
        if self._view.namespace(opening.namespace) is None:
            self._check_unknown(opening.namespace, opening.certificate.node)

    def check_holder(self, opening: Opening) -> None:
        """Raises Refused(`journal-not-holder`)."""
        if self._me not in opening.holders:
            raise Refused("journal-not-holder", namespace=opening.namespace, epoch=opening.epoch)

    def check_generation(self, namespace: NamespaceId, generation: int) -> None:
        """Raises Refused(`journal-generation`) when the members know of a later one."""
        facts = self._view.namespace(namespace)
        if facts is not None and generation < facts.generation:
            raise Refused("journal-generation", namespace=namespace, generation=facts.generation)

    def known_namespace(self, namespace: NamespaceId) -> NamespaceFacts:
        """What the members know of it. Raises Unavailable(`namespace-unknown`) while no card announced it."""
        facts = self._view.namespace(namespace)
        if facts is None:
            raise Unavailable("namespace-unknown", namespace=namespace)
        return facts

    def _check_unknown(self, namespace: NamespaceId, gateway: NodeId) -> None:
        organisation = self._organisation(gateway)
        unknown = [
            name
            for name, of_gateway in self._kept(lambda name: self._view.namespace(name) is None).items()
            if self._organisation(of_gateway) == organisation
        ]
        if namespace not in unknown and len(unknown) >= UNKNOWN_MAX:
            raise Refused("namespaces-unknown", namespace=namespace, limit=UNKNOWN_MAX)

    def _organisation(self, node: NodeId) -> OrganisationId | None:
        facts = self._view.node(node)
        return None if facts is None else facts.organisation


def decided_opening(opening: bytes, succession: bytes) -> Opening:
    """The opening, once it is proven that it was decided (the first of a namespace has nothing to prove).

    Raises:
        Malformed, Forged: either does not verify; `succession-decree` when they do not belong together.
    """
    decoded = decode_opening(opening)
    if decoded.epoch == FIRST_EPOCH and not succession:
        return decoded
    if not succession or opening_hash(decode_succession(succession).decree) != opening_hash(decoded):
        raise Forged("succession-decree", namespace=decoded.namespace, epoch=decoded.epoch - 1)
    return decoded
