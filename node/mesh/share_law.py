"""May this share be kept here? Every holder judges for itself, by its own view, whatever the sender believes.

A share is taken when its label is the word of the namespace's present writer, whose gateway is a member; when this
node is where the placing puts that share; when the placing is lawful; when the proof leads to the header's root; and
when the namespace's organisation still has room here. Only then is memory spent on the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node.store.shares import ShareFacts
from protocol.coding.label import Label, ShareProof, verify_label, verify_proof
from protocol.errors import Forged, Refused, Unavailable
from protocol.ids import NamespaceId, NodeId, OrganisationId
from protocol.limits import MIB
from protocol.members.facts import Facts, NamespaceFacts
from protocol.members.quota import allowance_bytes, quota_owner
from protocol.members.roster import candidates_of, class_named
from protocol.members.view import View
from protocol.placement.candidates import Candidate
from protocol.placement.classes import Code
from protocol.placement.place import violations
from protocol.requests import PutShare
from protocol.wire import schema

# So much of an organisation's journals is taken however little it brings.
JOURNALS_BYTES_LEAST: Final = 64 * MIB

_JUDGED_MOST: Final = 4_096


@dataclass(frozen=True, slots=True)
class Judged:
    """A share that may be kept once its `size_bytes` match its proof. `owner`: whose quota it uses."""

    facts: ShareFacts
    size_bytes: int
    proof: ShareProof
    owner: OrganisationId


class ShareLaw:
    """The law as this node's view has it; what it derives from the view is kept until the view changes."""

    def __init__(self, view: View, me: NodeId) -> None:
        self._view = view
        self._me = me
        self._facts: Facts | None = None
        self._candidates: tuple[Candidate, ...] = ()
        # The same nodes hold share after share, in one order or another: what was found of them, which has nothing to
        # do with their order, is kept until the view changes.
        self._judged: dict[tuple[tuple[NodeId, ...], str, int, int], tuple[str, ...]] = {}
        self._namespaces: dict[OrganisationId, tuple[NamespaceId, ...]] = {}
        self._owners: dict[NamespaceId, OrganisationId] = {}

    def judge(self, question: PutShare) -> Judged:
        """Raises Malformed, OverLimit, Forged, Refused or Unavailable with the first rule that says no."""
        label = schema.decode(Label, question.label)
        proof = schema.decode(ShareProof, question.proof)
        header = label.header
        namespace = self.writable_namespace(header.namespace)
        if label.writer != namespace.writer:
            raise Forged("label-writer", namespace=header.namespace)
        verify_label(label)
        if proof.index >= header.n or label.placing[proof.index] != self._me:
            raise Refused("placing-elsewhere", block=header.block_id, index=proof.index)
        self._check_placing(label)
        verify_proof(header, proof)
        facts = ShareFacts(header.block_id, proof.index, header.namespace, question.label, question.proof)
        return Judged(facts, header.share_bytes, proof, self._owner(namespace))

    def writable_namespace(self, namespace: NamespaceId) -> NamespaceFacts:
        """What the members know of the namespace.

        Raises:
            Unavailable: `namespace-unknown` while this node has not heard of it.
            Refused: `gateway-not-member` once its gateway or its organisation is gone.
        """
        facts = self._view.namespace(namespace)
        if facts is None:
            raise Unavailable("namespace-unknown", namespace=namespace)
        if not facts.gateway_is_member:
            raise Refused("gateway-not-member", namespace=namespace)
        return facts

    def check_quota(self, owner: OrganisationId, used_bytes: int, size_bytes: int) -> None:
        """Raises Refused(`quota-reached`) when so many bytes more would bring the owner over its allowance here."""
        allowed_bytes = allowance_bytes(self._view, self._me, owner)
        if used_bytes + size_bytes > allowed_bytes:
            raise Refused("quota-reached", organisation=owner, used_bytes=used_bytes, allowed_bytes=allowed_bytes)

    def check_journal_room(
        self, namespace: NamespaceFacts, stored_bytes: Callable[[NamespaceId], int], size_bytes: int
    ) -> None:
        """Journals have as much room as shares, counted apart: who deletes what is too much has to write that down.

        Raises:
            Refused: `quota-reached`.
        """
        owner = self._owner(namespace)
        used_bytes = sum(stored_bytes(name) for name in self.namespaces_of(owner))
        allowed_bytes = max(JOURNALS_BYTES_LEAST, allowance_bytes(self._view, self._me, owner))
        if used_bytes + size_bytes > allowed_bytes:
            raise Refused("quota-reached", organisation=owner, used_bytes=used_bytes, allowed_bytes=allowed_bytes)

    def namespaces_of(self, owner: OrganisationId) -> tuple[NamespaceId, ...]:
        """The namespaces that use this owner's quota."""
        self._refresh()
        return self._namespaces.get(owner, ())

    def _check_placing(self, label: Label) -> None:
        self._refresh()
        header = label.header
        case = (tuple(sorted(label.placing)), header.data_class, header.k, header.n)
        found = self._judged.get(case)
        if found is None:
            data_class = class_named(self._view.charter.classes, header.data_class)
            found = violations(label.placing, data_class, Code(header.k, header.n, 0), self._candidates)
            if len(self._judged) >= _JUDGED_MOST:
                self._judged.clear()
            self._judged[case] = found
        if found:
            raise Refused("placing-unlawful", block=header.block_id, reasons=found)

    def _owner(self, namespace: NamespaceFacts) -> OrganisationId:
        self._refresh()
        owner = self._owners.get(namespace.namespace)
        if owner is None:
            raise Refused("gateway-not-member", namespace=namespace.namespace)
        return owner

    def _refresh(self) -> None:
        facts = self._view.facts
        if facts is self._facts:
            return
        self._facts = facts
        self._judged.clear()
        self._candidates = candidates_of(facts.nodes)
        self._owners = {}
        owned: dict[OrganisationId, list[NamespaceId]] = {}
        for namespace in facts.namespaces:
            owner = quota_owner(self._view, namespace.organisation)
            if owner is not None:
                self._owners[namespace.namespace] = owner
                owned.setdefault(owner, []).append(namespace.namespace)
        self._namespaces = {owner: tuple(names) for owner, names in owned.items()}
