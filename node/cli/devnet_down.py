"""`maillon devnet down`: stop every process of a devnet, and with `--wipe` remove its folder."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import click
import trio

from node.cli.devnet_book import BOOK, load_book, stop
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _, ngettext


@dataclass(frozen=True, slots=True)
class Stopped:
    """How many nodes the devnet had."""

    nodes: int
    wiped: bool


@make_command(_("Stop every process of the devnet."))
@click.option("--wipe", is_flag=True, help=_("Remove the nodes' folders too."))
async def command(session: Session, *, wipe: bool) -> None:
    devnet = load_book(session.dir)
    async with trio.open_nursery() as nursery:
        for node in devnet.nodes:
            nursery.start_soon(stop, node, signal.SIGTERM)
    if wipe:
        for node in devnet.nodes:
            shutil.rmtree(Path(node.dir), ignore_errors=True)
        (session.dir / BOOK).unlink()
    count = len(devnet.nodes)
    text = ngettext("Stopped {count} node.", "Stopped {count} nodes.", count)
    session.output.document(Stopped(count, wipe), [text.format(count=count)])
