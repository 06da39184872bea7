"""From what the federation believes to what placement goes by.

One place turns member facts into candidates, so that the writer that places a block and the holder that judges the
placing ask the same question of their views. Only active nodes with credited capacity are candidates: a node that
leaves keeps what it has and is given nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocol.errors import Refused
from protocol.ids import ID_BYTES, BlockId, NamespaceId, NodeId
from protocol.members.cards import NodeState
from protocol.members.facts import NodeFacts
from protocol.namespace.quorums import JournalQuorum, quorum
from protocol.placement.candidates import Candidate
from protocol.placement.classes import Code, DataClass, code_of, preset_code
from protocol.placement.place import place

# Shares follow capacity in steps of this size: a finer one would move data for a rounding error.
WEIGHT_UNIT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Rules:
    """What placement goes by at this moment: the class, the code in force, and who could hold a share."""

    data_class: DataClass
    code: Code
    candidates: tuple[Candidate, ...]


def candidates_of(nodes: Iterable[NodeFacts]) -> tuple[Candidate, ...]:
    """The nodes that may be given shares, sorted by id."""
    found = [_candidate(facts) for facts in nodes if facts.state is NodeState.ACTIVE and facts.capacity_bytes > 0]
    return tuple(sorted(found, key=lambda candidate: candidate.node))


def class_named(classes: Iterable[DataClass], name: str) -> DataClass:
    """The class of the charter with this name. Raises Refused(`class-unknown`) with the names there are."""
    known = {data_class.name: data_class for data_class in classes}
    if name not in known:
        raise Refused("class-unknown", data_class=name, known=tuple(sorted(known)))
    return known[name]


def rules_for(nodes: Iterable[NodeFacts], classes: Iterable[DataClass], name: str) -> Rules:
    """The rules for new blocks of a class.

    Raises:
        Refused: `class-unknown`; `federation-too-small` for a federation of one.
    """
    data_class = class_named(classes, name)
    candidates = candidates_of(nodes)
    return Rules(data_class, code_of(data_class, organisations_among(candidates)), candidates)


def rules_for_own(nodes: Iterable[NodeFacts], classes: Iterable[DataClass], name: str) -> Rules:
    """The rules for what a namespace needs itself (tables), among nodes that answer.

    A class may fix a code that needs more members than answer now. What the namespace needs must be written all the
    same, so then the code is the preset for those who are there.

    Raises:
        Refused: as `rules_for`.
    """
    rules = rules_for(nodes, classes, name)
    try:
        place(BlockId(bytes(ID_BYTES)), rules.data_class, rules.code, rules.candidates)
    except Refused:
        return replace(rules, code=preset_code(organisations_among(rules.candidates)))
    return rules


def organisations_among(candidates: Iterable[Candidate]) -> int:
    """How many organisations, each with its pending guests, could hold a share."""
    return len({candidate.organisation for candidate in candidates})


def journal_holders(
    namespace: NamespaceId, rules: Rules, unreachable: frozenset[NodeId]
) -> tuple[tuple[NodeId, ...], JournalQuorum]:
    """Who is to keep a namespace's journal: one node in each organisation, as far as there are enough.

    Raises:
        Unavailable: `journal-holders-too-few`.
        Refused: `placement-impossible`.
    """
    answering = tuple(candidate for candidate in rules.candidates if candidate.node not in unreachable)
    size = quorum(organisations_among(answering), losses_wanted=rules.code.spare)
    code = Code(1, size.r, 0)
    return place(BlockId(bytes(namespace)), rules.data_class, code, answering), size


def _candidate(facts: NodeFacts) -> Candidate:
    return Candidate(
        node=facts.node,
        organisation=facts.sponsor,
        zone=facts.zone,
        jurisdiction=facts.jurisdiction,
        legal_form=facts.legal_form,
        certifications=facts.certifications,
        weight=max(1, facts.capacity_bytes // WEIGHT_UNIT_BYTES),
        admitted=facts.admitted,
    )
