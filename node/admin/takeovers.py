"""What `namespace rotate`, `recover`, `follow`, `move` and `sheet --verify` need of a member's node.

The root stays with the command: it learns here which epoch and generation are the newest, makes the secrets of the
next generation, and hands over those.
"""

from __future__ import annotations

from node.admin import calls, members, namespace_calls
from node.admin.services import Services
from node.vault.secrets import decode_secrets
from protocol.errors import Refused


async def take_over(services: Services, question: namespace_calls.NamespaceTakeOver) -> calls.Done:
    """Write the namespace here again; return when it is open."""
    await services.vault.take_over(question.name)
    return calls.Done()


async def move(services: Services, question: namespace_calls.NamespaceMove) -> calls.Done:
    """Hand the namespace over to another gateway; return when that one writes it."""
    await services.vault.move(question.name, members.node_named(services, question.to))
    return calls.Done()


async def newest(services: Services, question: namespace_calls.NamespaceNewest) -> namespace_calls.NewestEpoch:
    """The newest epoch that anybody who answers can prove."""
    services.organisation()
    mesh = services.mesh
    known = await services.vault.newest(question.namespace)
    certificate, facts = known.opening.certificate, mesh.view.namespace(question.namespace)
    gateway = mesh.view.node(certificate.node)
    return namespace_calls.NewestEpoch(
        node=mesh.me,
        federation=mesh.view.federation,
        epoch=known.opening.epoch,
        generation=max(certificate.generation, 0 if facts is None else facts.generation),
        gateway="" if gateway is None else gateway.name,
    )


async def adopt(services: Services, question: namespace_calls.NamespaceAdopt) -> calls.Done:
    """Take the namespace over with these secrets, and serve it."""
    services.organisation()
    secrets = decode_secrets(question.secrets)
    if secrets.certificate.node != services.mesh.me:
        raise Refused("namespace-node", node=secrets.certificate.node)
    await services.vault.adopt(secrets)
    return calls.Done()


async def drill_held(services: Services, question: namespace_calls.NamespaceDrill) -> calls.Done:
    """Journal, through the gateway, that a recovery was rehearsed."""
    await services.vault.drill_held(question.namespace, services.host.wall.now_s())
    return calls.Done()
