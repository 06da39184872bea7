"""`maillon sim swarm`: other scenarios and other seeds all the time, on all cores, until the time is over."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _, ngettext
from sim.cli.run import BROKEN, cores
from sim.run.recorded import require_libraries
from sim.run.swarm import Flown, Tally, swarm, write_down

FOUND: Final = Path("swarm")
_FIRST_SEEDS: Final = 10**9
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600}
_LENGTH = re.compile(r"(\d{1,6})([smh]?)")


class LengthType(click.ParamType[int]):
    """`90s`, `10m`, `2h`: in seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _LENGTH.fullmatch(value)
        if found is None:
            self.fail(_("{value} is no length of time such as 90s, 10m or 2h.").format(value=value), param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


@make_command(_("Play scenarios drawn from seeds, one after the other, and write down what breaks a promise."))
@click.option("--for", "length_s", type=LengthType(), default="10m", help=_("How long; 10m unless told."))
@click.option("--seed", type=click.IntRange(0), help=_("The first seed; any unless told."))
@click.option("--runs", type=click.IntRange(1), help=_("So many runs, however long they take."))
@click.option("--short", is_flag=True, help=_("Only small scenarios that are played within a second."))
@click.option(
    "--jobs", type=click.IntRange(1), help=_("How many runs at a time; as many as there are cores unless told.")
)
def command(
    session: Session, *, length_s: int, seed: int | None, runs: int | None, short: bool, jobs: int | None
) -> None:
    require_libraries()
    folder = session.option_dir or FOUND
    first = secrets.randbelow(_FIRST_SEEDS) if seed is None else seed
    seeds = range(first, first + runs) if runs else _until(time.monotonic() + length_s, first)
    session.output.step("from", {"seed": first}, _("From seed {seed} on.").format(seed=first))
    tally = Tally()
    for flown in swarm(seeds, jobs or cores(), is_short=short):
        tally.add(flown)
        if flown.violations:
            path = write_down(flown, folder)
            session.output.step("broken", {"seed": flown.seed, "scenario": str(path)}, _in_brief(flown, path))
    session.output.result(tally, _summary(tally))
    if tally.broken:
        raise SystemExit(BROKEN)


def _until(deadline_s: float, first: int) -> Iterator[int]:
    """Seeds from `first` on, for as long as there is time."""
    return itertools.takewhile(lambda _seed: time.monotonic() < deadline_s, itertools.count(first))


def _in_brief(flown: Flown, path: Path) -> str:
    worst = flown.violations[0]
    again = f"maillon sim run {path} --seed {flown.seed}"
    return f"{worst.law}: {worst.told}\n  {again}"


def _summary(tally: Tally) -> Iterator[str]:
    text = ngettext(
        "{count} run, {answered} calls answered, {virtual_s:.0f} virtual seconds in {cpu_s:.0f} CPU seconds.",
        "{count} runs, {answered} calls answered, {virtual_s:.0f} virtual seconds in {cpu_s:.0f} CPU seconds.",
        tally.runs,
    )
    yield text.format(count=tally.runs, answered=tally.answered, virtual_s=tally.virtual_s, cpu_s=tally.cpu_s)
    if not tally.broken:
        yield _("Every promise was kept in all of them.")
    for law, count in sorted(tally.broken.items()):
        yield f"  {law}: {count}"
