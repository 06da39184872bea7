"""`maillon sim replay`: a run played again from its scenario and its saved list of faults.

A seed stops giving the same run when the code changes; the list of faults goes on meaning the same.
"""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from sim.cli.run import BROKEN, RUNS, teller
from sim.cli.telling import line_of, told
from sim.run.folder import FAULTS, SCENARIO, Plan, free_name, plan_in, plan_with, read_file
from sim.run.recorded import record, require_libraries
from sim.scenario.reading import text_of


@make_command(_("Play a run again: PATH is its folder, or a list of faults (faults.json)."))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--scenario", help=_("The scenario to play with the faults, in place of the one beside their list."))
def command(session: Session, *, path: Path, scenario: str | None) -> None:
    require_libraries()
    plan = planned(path, scenario)
    name = path.absolute().name if path.is_dir() else plan.name
    target = free_name((session.option_dir or runs_of(path)) / f"{name}-replay")
    run = line_of(record(plan, target, tell=teller(session, plan)), target)
    session.output.document(run, told(run))
    if not run.held:
        raise SystemExit(BROKEN)


def planned(path: Path, scenario: str | None) -> Plan:
    """What is to be played.

    Raises:
        Missing: `run-absent`, `scenario-absent`. Malformed: what is wrong with a file.
    """
    faults = path / FAULTS if path.is_dir() else path
    if scenario is not None:
        return plan_with(text_of(scenario), scenario, faults)
    if path.is_dir():
        return plan_in(path)
    beside = faults.parent / SCENARIO
    return plan_with(read_file(faults.parent, SCENARIO), str(beside), faults)


def runs_of(path: Path) -> Path:
    """New runs go beside the one that they come from."""
    folder = path if path.is_dir() else path.parent
    return folder.absolute().parent if (folder / SCENARIO).exists() else RUNS
