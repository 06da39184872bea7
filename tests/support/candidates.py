"""Members to place on, made from small numbers."""

from __future__ import annotations

from hypothesis import strategies as st

from protocol.ids import BlockId, NodeId, OrganisationId
from protocol.keys.derive import digest
from protocol.placement.candidates import Candidate


def node_id(number: int) -> NodeId:
    return NodeId(digest("test node", number.to_bytes(4, "big")))


def block_id(number: int) -> BlockId:
    return BlockId(digest("test block", number.to_bytes(4, "big")))


def candidate(
    number: int,
    *,
    organisation: int = -1,
    zone: int = -1,
    jurisdiction: str = "FR",
    weight: int = 1,
    admitted: bool = True,
) -> Candidate:
    """Node `number`; by default alone in its organisation and zone."""
    return Candidate(
        node=node_id(number),
        organisation=OrganisationId(
            digest("test organisation", (organisation if organisation >= 0 else number).to_bytes(4, "big"))
        ),
        zone=f"zone-{zone if zone >= 0 else number}",
        jurisdiction=jurisdiction,
        legal_form="association",
        certifications=(),
        weight=weight,
        admitted=admitted,
    )


@st.composite
def candidate_lists(draw: st.DrawFn, *, most: int = 14) -> list[Candidate]:
    """Nodes of a few organisations, zones crossing them; an organisation stands in one jurisdiction."""
    count = draw(st.integers(2, most))
    return [
        candidate(
            number,
            organisation=(organisation := draw(st.integers(0, 6))),
            zone=draw(st.integers(0, 6)),
            jurisdiction=("FR", "DE", "BE")[organisation % 3],
            weight=draw(st.integers(1, 20)),
        )
        for number in range(count)
    ]
