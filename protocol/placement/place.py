"""The placement function: block id, class, members → which node holds which share.

The nodes are taken in weighted rendezvous order; one that would break a cap is passed over. So placement is the same
on every node that knows the same members, needs no coordinator, and moves the minimum when members change. Nodes to
avoid (not answering now) stand at the end of the order: they are named only when nobody else may hold the share,
which keeps a placement lawful and complete while a member is down. Every cap is law, never preference (decision 9);
where the class leaves a cap open, the shares are spread as evenly as the members allow.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from protocol.errors import Refused
from protocol.ids import BlockId, NodeId
from protocol.placement import rendezvous
from protocol.placement.candidates import Candidate, objection
from protocol.placement.classes import Caps, Code, DataClass, lawful_caps
from protocol.placement.feasible import Tally, most_shares, tally_of

Placing = tuple[NodeId, ...]


def place(
    block: BlockId,
    data_class: DataClass,
    code: Code,
    candidates: Sequence[Candidate],
    *,
    avoid: Collection[NodeId] = (),
) -> Placing:
    """The holder of each share: share i lives on the i-th node returned.

    Raises:
        Refused: `placement-impossible`, with how many shares could be placed and what stands in the way.
    """
    eligible = {candidate.node: candidate for candidate in candidates if objection(candidate, data_class) is None}
    ranked = rendezvous.order(block, ((candidate.node, candidate.weight) for candidate in eligible.values()))
    ordered = [eligible[node] for node in ranked if node not in avoid]
    ordered += [eligible[node] for node in ranked if node in avoid]
    for caps in _from_even_to_lawful(data_class, code, ordered):
        chosen = _choose(ordered, caps, code.n)
        if chosen is not None:
            return tuple(candidate.node for candidate in chosen)
    raise _impossible(data_class, code, candidates, ordered)


def replace(
    block: BlockId,
    placing: Placing,
    lost: Collection[int],
    data_class: DataClass,
    code: Code,
    candidates: Sequence[Candidate],
    *,
    avoid: Collection[NodeId] = (),
) -> Placing:
    """The placing with the shares of the indices `lost` on other nodes; all others stay where they are.

    Only nodes outside `avoid` are taken, in rendezvous order, under the lawful caps. A lost share for which nobody
    is left keeps its old holder: the caller compares to see what was found.
    """
    known = {candidate.node: candidate for candidate in candidates}
    tally = tally_of(lawful_caps(data_class, code), [known[node] for node in placing if node in known])
    free = [
        known[node]
        for node in rendezvous.order(block, ((candidate.node, candidate.weight) for candidate in candidates))
        if node not in placing and node not in avoid and objection(known[node], data_class) is None
    ]
    replaced = list(placing)
    for index in sorted(lost):
        loser = known.get(placing[index])
        if loser is not None:
            tally.add(loser, -1)
        taken = next((candidate for candidate in free if tally.admits(candidate)), loser)
        if taken is None:
            continue
        tally.add(taken)
        if taken is not loser:
            free.remove(taken)
            replaced[index] = taken.node
    return tuple(replaced)


def violations(
    placing: Placing, data_class: DataClass, code: Code, candidates: Sequence[Candidate]
) -> tuple[str, ...]:
    """What is unlawful about a placing, as error identifiers; empty when nothing is.

    This is what a holder asks before it takes a share. It judges by the lawful caps, never by the even ones: those
    follow the number of members, on which two honest views may differ for a while.
    """
    known = {candidate.node: candidate for candidate in candidates}
    found: list[str] = []
    if len(placing) != code.n:
        found.append("placing-size")
    if len(set(placing)) != len(placing):
        found.append("placing-repeats-node")
    if any(node not in known for node in placing):
        found.append("placing-unknown-node")
    holders = [known[node] for node in dict.fromkeys(placing) if node in known]
    found += sorted({reason for holder in holders if (reason := objection(holder, data_class)) is not None})
    caps = lawful_caps(data_class, code)
    tally = tally_of(caps, holders)
    if any(count > caps.organisation for count in tally.organisations.values()):
        found.append("placing-organisation-cap")
    if any(count > caps.zone for count in tally.zones.values()):
        found.append("placing-zone-cap")
    if caps.jurisdiction is not None and any(count > caps.jurisdiction for count in tally.jurisdictions.values()):
        found.append("placing-jurisdiction-cap")
    return tuple(found)


def _from_even_to_lawful(data_class: DataClass, code: Code, eligible: Sequence[Candidate]) -> list[Caps]:
    """The caps to try, strictest first: an even spread where the class leaves a cap open, then looser by one."""
    law = lawful_caps(data_class, code)
    organisations = len({candidate.organisation for candidate in eligible})
    zones = len({candidate.zone for candidate in eligible})
    organisation = law.organisation if data_class.per_organisation else _even(code.n, organisations, law.organisation)
    zone = law.zone if data_class.per_zone else _even(code.n, zones, law.zone)
    ladder = [Caps(organisation, zone, law.jurisdiction)]
    while ladder[-1] != law:
        last = ladder[-1]
        wider_zone = min(last.zone + 1, law.zone)
        wider_organisation = (
            last.organisation if wider_zone > last.zone else min(last.organisation + 1, law.organisation)
        )
        ladder.append(Caps(wider_organisation, wider_zone, law.jurisdiction))
    return ladder


def _even(shares: int, groups: int, most: int) -> int:
    return min(most, -(-shares // max(groups, 1)))


def _choose(ordered: Sequence[Candidate], caps: Caps, count: int) -> list[Candidate] | None:
    """The first `count` nodes in order that keep the caps and can be completed; None when no set can."""
    chosen = _greedy(ordered, caps, count)
    if len(chosen) == count:
        return chosen
    if most_shares(caps, [], ordered, count) < count:
        return None
    return _looking_ahead(ordered, caps, count)


def _greedy(ordered: Sequence[Candidate], caps: Caps, count: int) -> list[Candidate]:
    tally = Tally(caps)
    chosen: list[Candidate] = []
    for candidate in ordered:
        if len(chosen) == count:
            break
        if tally.admits(candidate):
            tally.add(candidate)
            chosen.append(candidate)
    return chosen


def _looking_ahead(ordered: Sequence[Candidate], caps: Caps, count: int) -> list[Candidate]:
    """Greedy, but a node is taken only if the rest can still be placed. Only crossing caps come here."""
    chosen: list[Candidate] = []
    for position, candidate in enumerate(ordered):
        if len(chosen) == count:
            break
        if tally_of(caps, chosen).admits(candidate):
            missing = count - len(chosen) - 1
            if most_shares(caps, [*chosen, candidate], ordered[position + 1 :], missing) == missing:
                chosen.append(candidate)
    return chosen


def _impossible(
    data_class: DataClass, code: Code, candidates: Sequence[Candidate], eligible: Sequence[Candidate]
) -> Refused:
    caps = lawful_caps(data_class, code)
    return Refused(
        "placement-impossible",
        data_class=data_class.name,
        code=str(code),
        placeable=most_shares(caps, [], eligible, code.n),
        nodes=len(candidates),
        eligible=len(eligible),
        organisations=len({candidate.organisation for candidate in eligible}),
        zones=len({candidate.zone for candidate in eligible}),
        per_organisation=caps.organisation,
        per_zone=caps.zone,
    )
