"""`maillon devnet kill`: end one node's process without warning, and with `--wipe` empty its disks as well."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import click

from node.cli.devnet_book import load_book, stop
from node.cli.devnet_book import wipe as wipe_disks
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@dataclass(frozen=True, slots=True)
class Killed:
    """What was done to which node."""

    name: str
    wiped: bool


@make_command(_("Kill the node NODE with SIGKILL."))
@click.argument("node")
@click.option("--wipe", is_flag=True, help=_("Empty its disks too; its keys and configuration stay."))
async def command(session: Session, *, node: str, wipe: bool) -> None:
    found = load_book(session.dir).node(node)
    await stop(found, signal.SIGKILL)
    if wipe:
        wipe_disks(Path(found.dir))
    told = _("{name} is killed and its disks are empty.") if wipe else _("{name} is killed.")
    session.output.document(Killed(node, wipe), [told.format(name=node)])
