"""How the node is: the answer to `maillon status`, gathered from all its parts."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Set

import trio

from node.admin import calls, status_calls
from node.admin.lines import (
    PARAMETER_BYTES_MAX,
    PARAMETER_NAME_BYTES_MAX,
    PARAMETERS_MAX,
    NamespaceLine,
    ParameterLine,
    StorageLine,
)
from node.admin.namespace_calls import NamespacePage
from node.admin.services import Services
from node.host.addresses import is_dialable
from node.text.quantities import show_parameter
from node.vault.objects import NamespaceStatus
from protocol.errors import MaillonError, Refused
from protocol.ids import NodeId
from protocol.members.cards import NodeState
from protocol.members.facts import NodeFacts
from protocol.placement.classes import code_of

SAFE_ORGANISATIONS = 6


async def status(services: Services, _question: calls.Nothing) -> status_calls.Status:
    """One look at everything."""
    mesh, config = services.mesh, services.config
    live = mesh.live()
    nodes = [facts for facts in mesh.view.nodes() if _is_expected(facts, live)]
    admitted = [facts for facts in mesh.view.organisations() if facts.admitted]
    organisation = _organisation(services)
    found = await services.vault.namespaces()
    return status_calls.Status(
        name=config.node.name,
        node=mesh.me,
        organisation=organisation,
        zone=config.node.zone,
        federation=mesh.view.federation,
        version=importlib.metadata.version("maillon"),
        addresses=mesh.addresses,
        engine=services.engine,
        bulk=config.bulk,
        uptime_s=int(trio.current_time() - services.started_s),
        members=len(nodes),
        members_live=len(live & {facts.node for facts in nodes}),
        organisations=len(admitted),
        code=_code(services, len(admitted)),
        storage=_storage(services),
        namespaces=tuple(_namespace_line(services, each) for each in found[: calls.NAMESPACE_LINES]),
        warnings=_warnings(services, len(admitted)),
    )


def _is_expected(facts: NodeFacts, live: Set[NodeId]) -> bool:
    """Whether its silence is news: not that of one that left, or leaves and is gone."""
    return facts.state is NodeState.ACTIVE or (facts.state is NodeState.LEAVING and facts.node in live)


async def namespaces(services: Services, _question: calls.Nothing) -> NamespacePage:
    """The namespaces that this node is the gateway of."""
    found = await services.vault.namespaces()
    return NamespacePage(tuple(_namespace_line(services, each) for each in found[: calls.NAMESPACE_LINES]))


def _organisation(services: Services) -> str:
    """The organisation's name, as far as the members know it; a guest belongs to none."""
    if services.membership is None:
        return ""
    facts = services.mesh.view.organisation(services.organisation())
    return "" if facts is None else facts.name


def _storage(services: Services) -> StorageLine:
    usage = services.store.usage()
    return StorageLine(
        capacity_bytes=usage.capacity_bytes,
        used_bytes=usage.used_bytes,
        free_bytes=usage.room_bytes,
        shares=usage.shares,
        disks=len(usage.disks),
    )


def _code(services: Services, organisations: int) -> str:
    """The code of a new block of the first class that fixes one, or else the preset; empty when none is possible."""
    classes = services.mesh.view.charter.classes
    fixed = [data_class for data_class in classes if data_class.code is not None]
    try:
        return str(code_of((*fixed, *classes)[0], organisations))
    except Refused:
        return ""


def _warnings(services: Services, organisations: int) -> tuple[str, ...]:
    """What the owner should know, as error identifiers that the reader's side turns into sentences."""
    warnings = ["guest"] if services.membership is None else []
    me = services.mesh.view.node(services.mesh.me)
    if me is not None and not any(is_dialable(address) for address in services.mesh.addresses):
        warnings.append("address-not-dialable")
    if me is not None and not me.admitted:
        warnings.append("organisation-pending")
    if organisations < SAFE_ORGANISATIONS:
        warnings.append("federation-small")
    return tuple(warnings)


def _namespace_line(services: Services, found: NamespaceStatus) -> NamespaceLine:
    journal = found.journal
    names = {facts.node: facts.name for facts in services.mesh.view.nodes()}
    holders = () if journal is None else journal.holders
    problem = found.problem
    if problem is None and services.membership is None:
        problem = Refused("namespace-read-only", namespace=found.name)
    return NamespaceLine(
        id=found.namespace,
        name=found.name,
        writable=problem is None,
        why_not="" if problem is None else problem.identifier,
        why_parameters=_parameters(problem),
        objects=found.objects,
        size_bytes=found.size_bytes,
        code=found.code,
        survives=found.survives,
        incomplete_blocks=found.incomplete_blocks,
        releasing_blocks=found.releasing_blocks,
        journal_epoch=0 if journal is None else journal.epoch,
        journal_length=0 if journal is None else journal.length,
        journal_w=0 if journal is None else journal.needed,
        journal_holders=tuple(names.get(node, "?") for node in holders),
        journal_live=0 if journal is None else len(journal.answering),
        settled=journal is not None and journal.is_settled,
        drill_s=found.drill_s,
        arrived_rows=found.arrived_rows,
        arriving_rows=found.arriving_rows,
    )


def _parameters(problem: MaillonError | None) -> tuple[ParameterLine, ...]:
    """What the problem concerns, as a reader is shown it."""
    if problem is None:
        return ()
    shown = [
        ParameterLine(_cut(name, PARAMETER_NAME_BYTES_MAX), _cut(show_parameter(name, value), PARAMETER_BYTES_MAX))
        for name, value in problem.parameters.items()
    ]
    return tuple(shown[:PARAMETERS_MAX])


def _cut(text: str, size_bytes_max: int) -> str:
    return text.encode()[:size_bytes_max].decode(errors="ignore")
