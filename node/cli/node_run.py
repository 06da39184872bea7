"""`maillon node run`: run this node until it is told to stop (SIGTERM or Ctrl-C)."""

from __future__ import annotations

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Run the node in the foreground. It stops cleanly on SIGTERM or Ctrl-C."))
async def command(session: Session) -> None:
    from node.app import run_node
    from node.host.memory import collect_seldom, share_one_heap
    from node.host.open_files import allow_many_files

    allow_many_files()
    share_one_heap()
    collect_seldom()
    await run_node(session.dir)
