"""Looking for bugs all the time: scenarios drawn from seeds, each played with its seed, on all cores.

`python -m sim.run.swarm --for 10m` plays one seed after another until the time is over. A run that breaks a law is
written down, as a scenario with its list of faults and as the command that plays it again; and the swarm ends with
exit status 1. Nothing is drawn but from the seeds, so two machines that start at different seeds share the work.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sim.faults.chance import draw
from sim.faults.kinds import Planned
from sim.faults.listing import dump
from sim.oracle.violations import Violation
from sim.run.drawing import drawn
from sim.run.play import play
from sim.scenario.reading import parse

FOUND: Final = Path("swarm")
_DURATION: Final = re.compile(r"(\d+)([smh]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600}


@dataclass(frozen=True, slots=True)
class Flown:
    """One run of the swarm. `text` is its scenario."""

    seed: int
    text: str
    faults: tuple[Planned, ...]
    violations: tuple[Violation, ...]
    answered: int
    virtual_s: float
    cpu_s: float


@dataclass(slots=True)
class Tally:
    """What a swarm adds up to."""

    runs: int = 0
    answered: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    broken: Counter[str] = field(default_factory=Counter)

    def add(self, flown: Flown) -> None:
        self.runs += 1
        self.answered += flown.answered
        self.virtual_s += flown.virtual_s
        self.cpu_s += flown.cpu_s
        self.broken.update({violation.law for violation in flown.violations})

    def told(self) -> str:
        laws = ", ".join(f"{law}: {count}" for law, count in sorted(self.broken.items()))
        return (
            f"{self.runs} runs, {self.answered} calls answered, {self.virtual_s:,.0f} virtual s in "
            f"{self.cpu_s:,.0f} CPU s; broken: {laws or 'nothing'}"
        )


def fly(seed: int) -> Flown:
    """Play the scenario that the seed draws."""
    text = drawn(seed)
    scenario = parse(text)
    faults = draw(scenario, seed)
    outcome = play(scenario, seed, faults)
    answered = sum(outcome.answered.values())
    violations = tuple(outcome.violations)
    return Flown(seed, text, faults, violations, answered, outcome.virtual_s, outcome.cpu_s)


def swarm(seeds: Iterable[int], jobs: int) -> Iterator[Flown]:
    """Play all of them, `jobs` at a time; as they end."""
    from joblib import Parallel, delayed

    flying = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
    yield from flying(delayed(fly)(seed) for seed in seeds)


def write_down(flown: Flown, folder: Path) -> Path:
    """What it takes to play a run again; the path of its scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{flown.seed}.toml"
    path.write_text(flown.text, encoding="utf-8")
    faults = dump(flown.faults, scenario=f"swarm-{flown.seed}", seed=flown.seed)
    path.with_suffix(".faults.json").write_text(faults, encoding="utf-8")
    told = "".join(f"{one.at_s:.3f} {one.law}: {one.told}\n" for one in flown.violations)
    path.with_suffix(".broken.txt").write_text(told, encoding="utf-8")
    return path


def _until(deadline_s: float, first: int) -> Iterator[int]:
    """Seeds from `first` on, for as long as there is time."""
    return itertools.takewhile(lambda _seed: time.monotonic() < deadline_s, itertools.count(first))


def _duration_s(told: str) -> int:
    found = _DURATION.fullmatch(told)
    if found is None:
        raise argparse.ArgumentTypeError(f"{told} is no time such as 90s, 10m or 2h")
    return int(found[1]) * _SECONDS[found[2]]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sim.run.swarm", description="Random scenarios, random seeds.")
    parser.add_argument("--for", dest="length_s", type=_duration_s, default=600, help="how long: 90s, 10m, 2h")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many runs at a time")
    parser.add_argument("--seed", type=int, help="the first seed; drawn unless told")
    parser.add_argument("--runs", type=int, help="so many runs, instead of a time")
    parser.add_argument("--into", type=Path, default=FOUND, help="where runs that break a law are written down")
    told = parser.parse_args(arguments)
    first = random.SystemRandom().randrange(10**9) if told.seed is None else told.seed
    seeds = range(first, first + told.runs) if told.runs else _until(time.monotonic() + told.length_s, first)
    print(f"from seed {first} on", flush=True)
    tally = Tally()
    for flown in swarm(seeds, told.jobs):
        tally.add(flown)
        if flown.violations:
            path = write_down(flown, told.into)
            one = flown.violations[0]
            print(f"seed {flown.seed}: {one.law}: {one.told}")
            print(f"  again: maillon sim run {path} --seed {flown.seed}", flush=True)
    print(tally.told())
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
