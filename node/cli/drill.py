"""`maillon namespace sheet --verify`: a recovery rehearsed from the sheet, and the drill recorded by the gateway."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from node.admin.namespace_calls import NAMESPACE_DRILL, NamespaceDrill
from node.cli.namespace_recover import QUIET, machine_config, tell_step
from node.cli.output import Output
from node.cli.reach import node_at
from node.config_file import parse
from node.first_error import first_error
from node.host.real import real_host
from node.logs import configure
from node.rehearsal import hold_drill
from node.text import _, ngettext
from node.text.quantities import show_size
from node.vault.rehearse import Rehearsed
from node.vault.sheet import Sheet
from protocol.errors import MaillonError
from protocol.ids import NamespaceId


@dataclass(frozen=True, slots=True)
class Drilled:
    """`is_recorded`: the namespace's journal says that the drill was held."""

    name: str
    namespace: NamespaceId
    found: Rehearsed
    is_recorded: bool


@dataclass(frozen=True, slots=True)
class Sampled:
    """So many of the objects that are read were read."""

    done: int
    total: int


async def drill(output: Output, sheet: Sheet, gateway: Path | None) -> None:
    """Hold it, and have the node in the folder `gateway` record it, if it runs and is the gateway."""
    configure(QUIET)
    settings = parse(machine_config(name="drill"), path="maillon.toml")

    def progress(done: int, total: int) -> None:
        output.step("reading", Sampled(done, total))

    with tempfile.TemporaryDirectory(prefix="maillon-drill-") as folder:
        host = real_host(Path(folder))
        found = await hold_drill(host, sheet, settings, lambda step: tell_step(output, step), progress)
    is_recorded = gateway is not None and await _recorded(gateway, sheet.root.namespace)
    drilled = Drilled(sheet.name, sheet.root.namespace, found, is_recorded)
    output.result(drilled, _told(drilled))


async def _recorded(gateway: Path, namespace: NamespaceId) -> bool:
    try:
        with first_error():
            async with node_at(gateway) as client:
                await client.call(NAMESPACE_DRILL, NamespaceDrill(namespace))
    except MaillonError:
        return False
    return True


def _told(drilled: Drilled) -> list[str]:
    found = drilled.found
    whole = ngettext(
        "The sheet of {name} is good: {objects} object ({size}) would come back.",
        "The sheet of {name} is good: {objects} objects ({size}) would come back.",
        found.objects,
    )
    read = _("{count} of them were read, every byte ({size}), from the other members. Nothing was changed.")
    lines = [
        whole.format(name=drilled.name, objects=found.objects, size=show_size(found.size_bytes)),
        read.format(count=found.read_objects, size=show_size(found.read_bytes)),
    ]
    if drilled.is_recorded:
        return [*lines, _("The namespace's journal records that the drill was held today.")]
    return [*lines, _("The drill is not recorded: for that, name the gateway's folder with --dir while it runs.")]
