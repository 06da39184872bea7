"""`maillon devnet start`: start a node that was killed, and wait until it answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from node.cli.devnet_book import load_book, save_book, spawn
from node.cli.devnet_health import wait_answering
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Start the node NODE, which was killed."))
@click.argument("node")
@click.option("--timeout", default=60.0, show_default=True, help=_("Seconds to wait until it answers."))
async def command(session: Session, *, node: str, timeout: float) -> None:
    devnet = load_book(session.dir)
    found = devnet.node(node)
    started = dataclasses.replace(found, pid=spawn(Path(found.dir)))
    save_book(session.dir, devnet.replaced(started))
    await wait_answering([started], timeout_s=timeout)
    session.output.document(started, [_("{name} runs again, as process {pid}.").format(name=node, pid=started.pid)])
