"""How far a recovery is, as the recovering node tells it, until everything is here."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from node.admin.calls import NAMESPACES, Nothing
from node.admin.client import AdminClient
from node.admin.lines import NamespaceLine
from node.cli.output import Output
from node.text.sentences import sentence
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import NamespaceId

LOOK_EVERY_S = 0.2
# What only another command can change: waiting would be for nothing.
_FINAL = frozenset({"namespace-superseded", "journal-generation", "change-unknown", "generation-key-missing"})


@dataclass(frozen=True, slots=True)
class Recovered:
    """What is here now."""

    name: str
    namespace: NamespaceId
    objects: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why it is not all here yet, as an error's identifier."""

    why_not: str


async def follow(client: AdminClient, namespace: NamespaceId, output: Output) -> Recovered:
    """Until the namespace is whole. Raises Refused with what stands in the way for good."""
    told = ""
    while True:
        line = await _line(client, namespace)
        if line is not None and line.writable:
            return Recovered(line.name, line.id, line.objects, line.size_bytes)
        why_not = "namespace-opening" if line is None else line.why_not
        if why_not in _FINAL:
            raise Refused(why_not, namespace=namespace)
        if why_not != told:
            output.step("waiting", Waiting(why_not), sentence(_problem(why_not, namespace)))
            told = why_not
        await trio.sleep(LOOK_EVERY_S)


async def _line(client: AdminClient, namespace: NamespaceId) -> NamespaceLine | None:
    page = await client.call(NAMESPACES, Nothing())
    return next((line for line in page.lines if line.id == namespace), None)


def _problem(identifier: str, namespace: NamespaceId) -> MaillonError:
    return Unavailable(identifier, namespace=namespace)
