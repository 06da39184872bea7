"""Who could hold a share: a node with the facts that placement looks at.

Facts come from admission. An organisation that is not admitted yet counts as part of its sponsor, for caps and for
jurisdiction, so that inviting ten puppets opens no new place; and no class that asks for facts admits it.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.ids import NodeId, OrganisationId
from protocol.placement.classes import DataClass


@dataclass(frozen=True, slots=True)
class Candidate:
    """`organisation` is whose caps the node shares; `weight` is a positive measure of its signed capacity.

    A zone is a name that the whole federation shares: two members in one building must call it the same, and two
    that call their homes "home" are spread as if they were one, which is safe.
    """

    node: NodeId
    organisation: OrganisationId
    zone: str
    jurisdiction: str
    legal_form: str
    certifications: tuple[str, ...]
    weight: int
    admitted: bool = True


def objection(candidate: Candidate, data_class: DataClass) -> str | None:
    """Why this node may not hold this class, as an error identifier; None when it may."""
    if not data_class.restricted:
        return None
    if not candidate.admitted:
        return "candidate-not-admitted"
    if data_class.jurisdictions and candidate.jurisdiction not in data_class.jurisdictions:
        return "candidate-jurisdiction"
    if data_class.legal_forms and candidate.legal_form not in data_class.legal_forms:
        return "candidate-legal-form"
    if not set(data_class.certifications) <= set(candidate.certifications):
        return "candidate-certification"
    return None
