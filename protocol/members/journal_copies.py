"""Who takes a copy of an epoch while some of its holders are away.

The holders stay as they were decided; only their entries go on, to as many others as are away. Who: the next in the
rendezvous order of the namespace, so that all who ask come to the same nodes. A holder does not know the class of the
namespace's data, which is the gateway's affair; so a copy goes only where every class of the charter would allow it
that allows the present holders.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from protocol.ids import BlockId, NodeId
from protocol.namespace.journal import Opening
from protocol.placement.candidates import Candidate, objection
from protocol.placement.classes import Code, DataClass
from protocol.placement.place import replace


def copy_holders(
    opening: Opening, away: Collection[NodeId], classes: Iterable[DataClass], candidates: Sequence[Candidate]
) -> tuple[NodeId, ...]:
    """The nodes that should have a copy while `away` are: one for each holder among them, as far as there are any."""
    known = {candidate.node: candidate for candidate in candidates}
    holders = [known[node] for node in opening.holders if node in known]
    lost = [index for index, node in enumerate(opening.holders) if node in away or node not in known]
    rule = _strictest([each for each in classes if all(objection(holder, each) is None for holder in holders)])
    code = Code(1, len(opening.holders), 0)
    placing = replace(BlockId(bytes(opening.namespace)), opening.holders, lost, rule, code, candidates, avoid=away)
    return tuple(node for node in placing if node not in opening.holders)


def _strictest(classes: Sequence[DataClass]) -> DataClass:
    """A class that admits only whom all of these admit."""
    return DataClass(
        name="copy",
        jurisdictions=_in_all([each.jurisdictions for each in classes]),
        legal_forms=_in_all([each.legal_forms for each in classes]),
        certifications=tuple(sorted({name for each in classes for name in each.certifications})),
    )


def _in_all(lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What stands in every list that is not empty: an empty one admits everything."""
    stated = [set(names) for names in lists if names]
    return tuple(sorted(set.intersection(*stated))) if stated else ()
