"""`maillon config reference`: the page docs/configuration.md, made from the declarations in `node.config`."""

from __future__ import annotations

from node.cli.session import Session
from node.cli.session import command as make_command
from node.config_file import reference
from node.text import _


@make_command(_("Print the reference of every configuration key, as Markdown."))
def command(session: Session) -> None:
    page = reference()
    session.output.document({"markdown": page}, [page.rstrip("\n")])
