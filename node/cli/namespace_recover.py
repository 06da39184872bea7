"""`maillon namespace recover`: bring a namespace back on an empty machine, from its sheet alone.

The machine belongs to nobody yet: with the sheet it may fence the old gateway and read everything, and it does so
while the catalog is still coming in. To write again, an organisation has to take it in (`federation rejoin`). On a
machine whose node is a member's already, the running node takes the namespace over, and writes at once.

Interrupted, it is repeated in the same folder, and goes on where it was; the sheet is not asked for twice.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import trio

from node.app import run_node
from node.cli.init import Given, config_text
from node.cli.output import Output
from node.cli.reach import node_at, node_of
from node.cli.recovering import Recovered, follow
from node.cli.rotating import rotate
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sheets import TYPED, given_sheet
from node.config import LogSection
from node.config_file import FILE_NAME, load, parse
from node.folder import NodeFolder
from node.host.real import real_host
from node.logs import configure
from node.recovery import Reached, Step, prepare
from node.text import _, ngettext
from node.text.sentences import sentence
from node.vault.secrets import load_secrets, saved_namespaces
from node.vault.sheet import Sheet
from protocol.errors import Unavailable
from protocol.ids import NamespaceId, identity_from_text

# Steps are told; the log is for whoever runs the node afterwards.
QUIET = LogSection(level="error")


@make_command(_("Recover the namespace whose sheet is in FILE (or typed), on this machine."))
@click.argument("sheet", default="", metavar="[FILE]")
@click.option("--address", multiple=True, help=_("Address of a member to ask, when those on the sheet are gone."))
@click.option("--name", default="", help=_("The node's name. Otherwise this machine's."))
@click.option("--zone", default="", help=_("What fails together with it: a site or building. Otherwise its name."))
@click.option("--listen", default="0.0.0.0:7400", show_default=True, help=_("Where other nodes reach it, later."))
@click.option("--advertise", multiple=True, help=_("Address that others dial, if it differs."))
async def command(session: Session, *, sheet: str, address: tuple[str, ...], **options: Any) -> None:
    path = session.dir
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = NodeFolder(real_host(path).disk, str(path))
    if folder.is_made() and folder.is_member():
        await _recover_at_member(session, given_sheet(sheet or TYPED))
        return
    configure(QUIET)
    config = machine_config(**options)
    namespace = _resumed(folder, path, sheet)
    if namespace is None:
        given = given_sheet(sheet or TYPED)
        await _prepare(session.output, path, given, address, config)
        namespace = given.root.namespace
    recovered = await _serve(session, path, namespace)
    told = ngettext(
        "{name} is recovered: {objects} object. The old gateway is fenced.",
        "{name} is recovered: {objects} objects. The old gateway is fenced.",
        recovered.objects,
    )
    following = _(
        "Next: maillon --dir {dir} node run, to read. To write again, take this machine in first: "
        "maillon --dir {dir} federation rejoin, with the organisation's words."
    )
    lines = [told.format(name=recovered.name, objects=recovered.objects), following.format(dir=path)]
    session.output.result(recovered, lines)


async def _recover_at_member(session: Session, sheet: Sheet) -> None:
    async with node_of(session) as client:
        rotated = await rotate(client, sheet)
    told = _("{name} is taken over by this node, and can be read and written here.").format(name=rotated.name)
    session.output.result(rotated, [told])


def _resumed(folder: NodeFolder, path: Path, source: str) -> NamespaceId | None:
    """The namespace whose recovery was interrupted here, when no sheet is given and there is just one."""
    if source or not folder.is_made():
        return None
    disk = real_host(path).disk
    kept = [load_secrets(disk, NamespaceId(identity_from_text(name))) for name in saved_namespaces(disk)]
    pending = [secrets.namespace for secrets in kept if secrets.takeover] or [secrets.namespace for secrets in kept]
    return pending[0] if len(pending) == 1 else None


async def _prepare(output: Output, path: Path, sheet: Sheet, addresses: tuple[str, ...], config: str) -> None:
    """Until a member was found that knows the namespace; somebody who is there is asked where to look."""
    host = real_host(path)
    folder = NodeFolder(host.disk, str(path))
    settings = load(path / FILE_NAME) if folder.is_made() else parse(config, path=str(path))
    given = dataclasses.replace(sheet, addresses=(*addresses, *sheet.addresses))
    async with host.lock():
        while True:
            try:
                await prepare(host, folder, given, config, settings, lambda step: tell_step(output, step))
            except Unavailable as error:
                if error.identifier != "sheet-addresses" or not sys.stdin.isatty():
                    raise
                click.echo(sentence(error), err=True)
                asked = click.prompt(_("Address of a member"), err=True)
                given = dataclasses.replace(sheet, addresses=(str(asked).strip(),))
            else:
                return


async def _serve(session: Session, path: Path, namespace: NamespaceId) -> Recovered:
    """Run the node until the namespace is whole here; until then it can be read through this folder already."""
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(run_node, path, log_section=QUIET))
        async with node_at(path) as client:
            recovered = await follow(client, namespace, session.output)
        nursery.cancel_scope.cancel()
    return recovered


def tell_step(output: Output, step: Step) -> None:
    """One step of finding the namespace."""
    if isinstance(step, Reached):
        told = _("{live} of {all} members' nodes let this machine in.")
        output.step("reached", step, told.format(live=step.members_live, all=step.members))
    else:
        told = _("The newest epoch is {epoch}, written by {gateway}.")
        output.step("newest", step, told.format(epoch=step.epoch, gateway=step.gateway or "?"))


def machine_config(
    *, name: str = "", zone: str = "", listen: str = "0.0.0.0:7400", advertise: tuple[str, ...] = ()
) -> str:
    """The first `maillon.toml` of a machine that recovers."""
    given = Given(
        organisation="",
        organisation_from=None,
        organisation_words="",
        contact="",
        name=name,
        zone=zone,
        listen=listen,
        advertise=advertise,
        capacity=100 * 10**9,
        bulk="tls",
    )
    return config_text(given)
