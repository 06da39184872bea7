"""`maillon sim list`: the scenarios that come with the program, each with its summary."""

from __future__ import annotations

from dataclasses import dataclass

from node.cli.output import table
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from sim.scenario.reading import load, shipped


@dataclass(frozen=True, slots=True)
class ScenarioLine:
    """One scenario."""

    name: str
    nodes: int
    safety_s: float
    summary: str


@make_command(_("List the scenarios that come with the program."))
def command(session: Session) -> None:
    lines = [_line(name) for name in shipped()]
    rows = [(line.name, str(line.nodes), f"{line.safety_s:g} s", line.summary) for line in lines]
    headings = (_("scenario"), _("nodes"), _("faults for"), _("what happens"))
    session.output.document({"scenarios": lines}, table(headings, rows))


def _line(name: str) -> ScenarioLine:
    scenario = load(name)
    return ScenarioLine(name, scenario.federation.nodes, scenario.phases.safety_s, scenario.summary)
