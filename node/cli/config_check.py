"""`maillon config check`: read the node's configuration as the node would, and say what is wrong with it."""

from __future__ import annotations

from node.cli.session import Session
from node.cli.session import command as make_command
from node.config_file import FILE_NAME, load
from node.text import _


@make_command(_("Check this node's configuration file; the first thing that is wrong is told."))
def command(session: Session) -> None:
    path = session.dir / FILE_NAME
    config = load(path)
    session.output.document(config, [_("{path} is good.").format(path=path)])
