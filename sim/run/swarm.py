"""Looking for bugs all the time: scenarios drawn from seeds, each played with its seed, on all cores.

A run that breaks a law is written down, as a scenario with its list of faults. Nothing is drawn but from the seeds,
so two machines that start at different seeds share the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sim.faults.chance import draw
from sim.faults.kinds import Planned
from sim.faults.listing import dump
from sim.oracle.violations import Violation
from sim.run.drawing import drawn, drawn_short
from sim.run.folder import free_name
from sim.run.play import play
from sim.scenario.reading import parse


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


def fly(seed: int, *, is_short: bool = False) -> Flown:
    """Play the scenario that the seed draws."""
    text = drawn_short(seed) if is_short else drawn(seed)
    scenario = parse(text)
    faults = draw(scenario, seed)
    outcome = play(scenario, seed, faults)
    answered = sum(outcome.answered.values())
    violations = tuple(outcome.violations)
    return Flown(seed, text, faults, violations, answered, outcome.virtual_s, outcome.cpu_s)


def swarm(seeds: Iterable[int], jobs: int, *, is_short: bool = False) -> Iterator[Flown]:
    """Play all of them, `jobs` at a time; as they end."""
    from joblib import Parallel, delayed

    flying = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
    yield from flying(delayed(fly)(seed, is_short=is_short) for seed in seeds)


def write_down(flown: Flown, folder: Path) -> Path:
    """What it takes to play a run again; the path of its scenario. What an earlier swarm wrote stays."""
    folder.mkdir(parents=True, exist_ok=True)
    path = free_name(folder / str(flown.seed), ".toml")
    path.write_text(flown.text, encoding="utf-8")
    faults = dump(flown.faults, scenario=f"swarm-{flown.seed}", seed=flown.seed)
    path.with_suffix(".faults.json").write_text(faults, encoding="utf-8")
    told = "".join(f"{one.at_s:.3f} {one.law}: {one.told}\n" for one in flown.violations)
    path.with_suffix(".broken.txt").write_text(told, encoding="utf-8")
    return path
