"""`maillon sim shrink`: a failing run made small, so that its story can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _
from sim.cli.run import cores
from sim.cli.telling import RunLine, line_of, told
from sim.faults.listing import table_of
from sim.run.folder import Plan, plan_in, refuse_existing
from sim.run.play import play
from sim.run.recorded import record, require_libraries
from sim.run.shrink import Shrinker, Step, symptom_of

PLAYS_MOST = 300


@dataclass(frozen=True, slots=True)
class Smaller:
    """A step, for programs."""

    faults: int
    safety_s: float
    plays: int


@make_command(_("Make the list of faults of the failing run in the folder RUN short, while the same law is broken."))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(1), help=_("How many runs at a time; all cores unless told."))
@click.option("--plays", type=click.IntRange(1), default=PLAYS_MOST, help=_("How many runs to play at most."))
def command(session: Session, *, run: Path, jobs: int | None, plays: int) -> None:
    require_libraries()
    plan = plan_in(run)
    target = (session.option_dir or run.absolute().parent) / f"{run.absolute().name}-shrunk"
    refuse_existing(target)
    symptom = symptom_of(play(plan.scenario, plan.seed, plan.faults))
    shrinker = Shrinker(plan, jobs=jobs or cores(), plays_most=plays)
    for step in shrinker.steps(symptom):
        session.output.step("smaller", _smaller(step), _progress(step))
    shrunk = line_of(record(shrinker.plan, target), target)
    result = {"run": shrunk, "law": symptom.law, "faults": [table_of(each) for each in shrinker.plan.faults]}
    session.output.result(result, _told(plan, shrinker, shrunk))


def _smaller(step: Step) -> Smaller:
    return Smaller(len(step.plan.faults), step.plan.scenario.phases.safety_s, step.plays)


def _progress(step: Step) -> str:
    text = _("after {plays} runs: {faults} faults, {safety_s} s")
    small = _smaller(step)
    return text.format(plays=small.plays, faults=small.faults, safety_s=f"{small.safety_s:g}")


def _told(plan: Plan, shrinker: Shrinker, shrunk: RunLine) -> Iterator[str]:
    text = _("From {before} faults to {after}, from {long_s} s to {short_s} s, in {plays} runs. What is left:")
    yield text.format(
        before=len(plan.faults),
        after=len(shrinker.plan.faults),
        long_s=f"{plan.scenario.phases.safety_s:g}",
        short_s=f"{shrinker.plan.scenario.phases.safety_s:g}",
        plays=shrinker.plays,
    )
    for planned in shrinker.plan.faults:
        yield "  " + json.dumps(table_of(planned), ensure_ascii=False)
    yield from told(shrunk)
