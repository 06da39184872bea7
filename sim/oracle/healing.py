"""What "whole again" means once the faults have stopped, and what is still missing."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.errors import MaillonError
from sim.federation.federation import Federation
from sim.federation.lives import Lost
from sim.oracle.clients import Patron


async def missing(federation: Federation, patrons: Sequence[Patron]) -> list[str]:
    """What is not whole yet, in words; nothing when all is."""
    running = federation.running
    found = [f"{name} does not run" for name in federation.names if name not in running]
    meshes = {name: services.mesh for name, services in running.items()}
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
    try:
        statuses = await federation.lives.on(patron.gateway, lambda services: services.vault.namespaces())
    except (MaillonError, Lost) as error:
        return [f"{patron.gateway} does not answer: {error!r}"]
    found = []
    for status in statuses:
        if status.name != patron.namespace:
            continue
        if status.problem is not None:
            found.append(f"{status.name} cannot be written: {status.problem.identifier}")
        if status.incomplete_blocks:
            found.append(f"{status.name} has {status.incomplete_blocks} incomplete blocks")
        journal = status.journal
        if journal is None or journal.acknowledged < journal.length:
            found.append(f"{status.name} has entries below their quorum")
        elif len(journal.answering) < journal.needed:
            found.append(f"{status.name} has {len(journal.answering)} of {journal.needed} journal holders")
    return found
