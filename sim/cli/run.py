"""`maillon sim run`: a scenario played with one seed, or with many on all cores, each into a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _, ngettext
from node.text.quantities import show_duration
from sim.cli.telling import RunLine, in_brief, line_of, told
from sim.run.determinism import Parting, played_twice
from sim.run.folder import Plan, discard_partial, free_name, mark_interrupted, refuse_existing
from sim.run.recorded import plan_of, record, require_libraries

RUNS: Final = Path("runs")
BROKEN: Final = 1
_SEEDS = re.compile(r"(\d{1,15})\.\.(\d{1,15})")


class SeedsType(click.ParamType[range]):
    """`A..B`: from A to B, both played."""

    name = "A..B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        if isinstance(value, range):
            return value
        found = _SEEDS.fullmatch(value)
        if found is None or int(found[1]) > int(found[2]):
            self.fail(_("{value} is no range of seeds such as 1..100.").format(value=value), param, ctx)
        return range(int(found[1]), int(found[2]) + 1)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@make_command(
    _("Play SCENARIO (a file, or the name of one that comes with the program) and write down what happened.")
)
@click.argument("scenario")
@click.option("--seed", type=click.IntRange(0), help=_("What all chance comes from; 1 unless told."))
@click.option("--seeds", type=SeedsType(), help=_("Play it once with each of these seeds."))
@click.option("--bare", is_flag=True, help=_("Write no tables and no figures: the log has everything."))
@click.option(
    "--check-determinism",
    is_flag=True,
    help=_("Play it twice in new processes, and compare the logs byte for byte; no run is written."),
)
@click.option(
    "--jobs", type=click.IntRange(1), help=_("How many runs at a time; as many as there are cores unless told.")
)
def command(
    session: Session,
    *,
    scenario: str,
    seed: int | None,
    seeds: range | None,
    bare: bool,
    check_determinism: bool,
    jobs: int | None,
) -> None:
    if seed is not None and seeds is not None:
        raise click.UsageError(_("Give --seed or --seeds, not both."))
    if check_determinism and seeds is not None:
        raise click.UsageError(_("--check-determinism takes one --seed."))
    require_libraries()
    runs = session.option_dir or RUNS
    if check_determinism:
        _compare(session, plan_of(scenario, 1 if seed is None else seed), runs)
    elif seeds is None:
        _play_one(session, plan_of(scenario, 1 if seed is None else seed), runs, bare=bare)
    else:
        _play_all(session, [plan_of(scenario, each) for each in seeds], runs, jobs or cores(), bare=bare)


def teller(session: Session, plan: Plan) -> Callable[[float], None] | None:
    """Who tells a person in front of a terminal how far the run is; nobody for programs."""
    if session.output.json or not sys.stderr.isatty():
        return None
    least_s = plan.scenario.phases.safety_s

    def tell(at_s: float) -> None:
        text = _("{at} of virtual time; the faults strike until {end}.")
        click.echo(text.format(at=show_duration(at_s), end=show_duration(least_s)), err=True)

    return tell


def _play_one(session: Session, plan: Plan, runs: Path, *, bare: bool) -> None:
    folder = runs / plan.name
    run = line_of(record(plan, folder, figures=not bare, tell=teller(session, plan)), folder)
    session.output.document(run, told(run))
    if not run.held:
        raise SystemExit(BROKEN)


def _compare(session: Session, plan: Plan, runs: Path) -> None:
    kept = free_name(runs / f"{plan.name}-differs")
    with tempfile.TemporaryDirectory() as scratch:
        found = played_twice(plan, Path(scratch))
        if found is not None:
            runs.mkdir(parents=True, exist_ok=True)
            shutil.copytree(scratch, kept)
    session.output.document({"same": found is None, "parting": found}, _comparison(plan, found, kept))
    if found is not None:
        raise SystemExit(BROKEN)


def _comparison(plan: Plan, found: Parting | None, kept: Path) -> Iterator[str]:
    if found is None:
        text = _("{scenario}, seed {seed}: two processes with other hash seeds wrote the same log, byte for byte.")
        yield text.format(scenario=plan.scenario.name, seed=plan.seed)
        return
    text = _("{scenario}, seed {seed}: two plays differ. The first event that differs is line {line} of their logs:")
    yield text.format(scenario=plan.scenario.name, seed=plan.seed, line=found.line)
    yield "  " + (found.first or _("(the log ends)"))
    yield "  " + (found.second or _("(the log ends)"))
    yield _("Both logs are in {folder}.").format(folder=kept)


def _play_all(session: Session, plans: Sequence[Plan], runs: Path, jobs: int, *, bare: bool) -> None:
    for plan in plans:
        refuse_existing(runs / plan.name)
    broken: list[RunLine] = []
    for run in _each(plans, runs, jobs, bare=bare):
        session.output.step("run", run, in_brief(run))
        if not run.held:
            broken.append(run)
    session.output.result(
        {"runs": len(plans), "broken": [run.folder for run in broken]}, _summary(len(plans), broken, runs)
    )
    if broken:
        raise SystemExit(BROKEN)


def _each(plans: Sequence[Plan], runs: Path, jobs: int, *, bare: bool) -> Iterator[RunLine]:
    """The runs, in the order of their seeds."""
    import joblib  # a library of the simulator's own: only when it is needed

    work = (joblib.delayed(_recorded)(plan, runs / plan.name, bare=bare) for plan in plans)
    try:
        yield from joblib.Parallel(n_jobs=min(jobs, len(plans)), return_as="generator")(work)
    except KeyboardInterrupt:
        for plan in plans:  # the workers are dead already
            mark_interrupted(runs / plan.name)
        raise
    except Exception:
        for plan in plans:  # one that failed takes the others with it
            discard_partial(runs / plan.name)
        raise


def _recorded(plan: Plan, folder: Path, *, bare: bool) -> RunLine:
    return line_of(record(plan, folder, figures=not bare), folder)


def _summary(count: int, broken: Sequence[RunLine], runs: Path) -> Iterator[str]:
    yield ngettext("{count} run, in {folder}.", "{count} runs, in {folder}.", count).format(count=count, folder=runs)
    if not broken:
        yield _("Every promise was kept in all of them.")
        return
    yield ngettext(
        "A promise was broken in {count} of them:", "Promises were broken in {count} of them:", len(broken)
    ).format(count=len(broken))
    for run in broken:
        yield "  " + run.replay
