"""What "whole again" means once the faults have stopped, and what is still missing.

Everybody runs, sees everybody, and has the same records; each namespace can be written by just one of its gateways,
its journal is with all holders that its quorum asks for, no block waits for shares, and what the gateway says may be
lost is no less than what the class promises. That it is no more than the truth is judged apart: see `overstated`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from node.vault.objects import BlockExplanation, NamespaceStatus
from protocol.ids import BlockId
from sim.federation.federation import Federation
from sim.oracle.bounds import Kept
from sim.oracle.clients import Patron

# Of docs/architecture.md: how many of its holders a journal can lose, by the holders there are; more of them, 2.
_JOURNAL_LOSSES = {1: 0, 2: 0, 3: 1, 4: 1}


async def missing(federation: Federation, patrons: Sequence[Patron]) -> list[str]:
    """What is not whole yet, in words; nothing when all is."""
    running = federation.running
    found = [f"{name} does not run" for name in federation.names if name not in running]
    meshes = {name: services.mesh for name, services in running.items() if name not in federation.expelled}
    first = next(iter(meshes.values()), None)
    for name, mesh in meshes.items():
        unseen = {other.me for other in meshes.values()} - mesh.live()
        if unseen:
            found.append(
                f"{name} does not see {', '.join(federation.cast.of_node(node).name for node in sorted(unseen))}"
            )
        if first is not None and mesh.view.ids() != first.view.ids():
            found.append(f"{name} has other records than the first")
    for patron in patrons:
        found += await _of_namespace(federation, patron)
    return found


async def _of_namespace(federation: Federation, patron: Patron) -> list[str]:
    """Nothing for a namespace all of whose gateways are gone: somebody has to fetch its sheet."""
    gateways = [node for node in patron.gateways if node not in federation.gone]
    healths = [await patron.health(node) for node in gateways]
    statuses = [health for health in healths if isinstance(health, NamespaceStatus)]
    open_ones = [status for status in statuses if status.problem is None]
    if len(open_ones) == 1:
        return _of_gateway(federation, open_ones[0])
    if open_ones:
        return [f"{patron.namespace} is written by {len(open_ones)} gateways"]
    why = [str(status.problem) for status in statuses] or [repr(health) for health in healths]
    return [f"{patron.namespace} cannot be written: {'; '.join(why)}"] if gateways else []


def _of_gateway(federation: Federation, status: NamespaceStatus) -> list[str]:
    found = []
    if status.incomplete_blocks:
        found.append(f"{status.name} has {status.incomplete_blocks} incomplete blocks")
    journal = status.journal
    if journal is None or journal.acknowledged < journal.length:
        return [*found, f"{status.name} has entries below their quorum"]
    if len(journal.answering) < len(journal.holders):
        found.append(f"{status.name} has {len(journal.answering)} of {len(journal.holders)} journal holders")
    bears = len(journal.holders) - journal.needed
    wanted = _JOURNAL_LOSSES.get(_houses_left(federation), 2)
    if bears < wanted:
        found.append(f"the journal of {status.name} bears {bears} losses instead of {wanted}")
    promised = min(_data_bears(federation, status.code), bears)
    if status.survives < promised:
        found.append(f"{status.name} survives {status.survives} losses instead of {promised}")
    return found


def _houses_left(federation: Federation) -> int:
    """How many organisations have a node that may hold something."""
    return len({federation.cast[name].house.counts_as for name in _members(federation)})


def _data_bears(federation: Federation, code: str) -> int:
    """How many more organisations may vanish, by what the class promises: each has an even part of the shares."""
    k, n = code.split("-of-")
    out = federation.expelled | federation.leaving
    known = [actor for actor in federation.cast.actors if actor.name not in out]
    houses = len({actor.house.counts_as for actor in known})
    spare, each = int(n) - int(k), -(-int(n) // houses)
    return max(0, spare // min(spare, each) - (houses - _houses_left(federation)))


def _members(federation: Federation) -> list[str]:
    return [name for name in federation.names if name not in federation.expelled | federation.leaving]


def overstated(
    federation: Federation, status: NamespaceStatus, named: Mapping[BlockId, BlockExplanation], kept: Kept
) -> list[str]:
    """Blocks that would not bear the losses that the gateway says they do: those of its worst organisations."""
    found = []
    for block, where in named.items():
        houses = Counter(federation.cast[name].house.counts_as for name, _ in dict.fromkeys(kept.get(block, ())))
        left = houses.total() - sum(sorted(houses.values(), reverse=True)[: status.survives])
        if left < where.k:
            found.append(f"{status.name} says it survives {status.survives} losses; a block would have {left} shares")
    return found
