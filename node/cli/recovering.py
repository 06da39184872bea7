"""How far a recovery is, as the recovering node tells it, until everything is here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from node.admin.calls import Nothing
from node.admin.client import AdminClient
from node.admin.lines import NamespaceLine
from node.admin.namespace_calls import NAMESPACES
from node.cli.output import Output
from node.cli.status import told_why
from node.text import _
from protocol.errors import Refused
from protocol.ids import NamespaceId

LOOK_EVERY_S = 0.2
# All of it is here, whether this machine may write or not.
_WHOLE = frozenset({"", "namespace-read-only"})
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


@dataclass(frozen=True, slots=True)
class Arriving:
    """How much of the catalog has come. What has come can be read."""

    arrived_rows: int
    arriving_rows: int


async def follow(client: AdminClient, namespace: NamespaceId, output: Output) -> Recovered:
    """Until the namespace is whole. Raises Refused with what stands in the way for good."""
    told: object = None
    with _bar(output) as show:
        while True:
            line = await _line(client, namespace)
            if line.why_not in _WHOLE:
                return Recovered(line.name, line.id, line.objects, line.size_bytes)
            if line.why_not in _FINAL:
                raise Refused(line.why_not, **{each.name: each.shown for each in line.why_parameters})
            arriving = Arriving(line.arrived_rows, line.arriving_rows)
            if line.arriving_rows and told != arriving:
                show(arriving)
                told = arriving
            elif not line.arriving_rows and told != line.why_not:
                output.step("waiting", Waiting(line.why_not), told_why(line))
                told = line.why_not
            await trio.sleep(LOOK_EVERY_S)


async def _line(client: AdminClient, namespace: NamespaceId) -> NamespaceLine:
    while True:
        page = await client.call(NAMESPACES, Nothing())
        for line in page.lines:
            if line.id == namespace:
                return line
        await trio.sleep(LOOK_EVERY_S)


@contextmanager
def _bar(output: Output) -> Iterator[Callable[[Arriving], None]]:
    """Shows how far it is: a bar where there is somebody to see it, or lines for programs."""
    if output.json or not sys.stderr.isatty():
        yield lambda arriving: output.step("arriving", arriving)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
        task = progress.add_task(_("catalog"), total=None)
        yield lambda arriving: progress.update(
            task, completed=arriving.arrived_rows, total=arriving.arriving_rows, refresh=True
        )
