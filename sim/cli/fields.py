"""`maillon sim fields`: the page docs/scenarios.md, made from the declarations of scenarios and faults."""

from __future__ import annotations

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from sim.scenario.page import reference


@make_command(_("Print the reference of every key of a scenario and every kind of fault, as Markdown."))
def command(session: Session) -> None:
    page = reference()
    session.output.document({"markdown": page}, [page.rstrip("\n")])
