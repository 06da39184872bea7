"""Playing seeds until a mistake shows, or for as long as it may take."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sim.faults.chance import draw
from sim.oracle.violations import Violation
from sim.run.play import Outcome, play
from sim.scenario.model import Scenario
from tests.sim.mistakes.catalogs import CATALOGS
from tests.sim.mistakes.disks import DISKS
from tests.sim.mistakes.model import Mistake
from tests.sim.mistakes.scenes import scene
from tests.sim.mistakes.successions import SUCCESSIONS
from tests.sim.mistakes.writing import WRITING

MISTAKES = (*WRITING, *DISKS, *CATALOGS, *SUCCESSIONS)


@dataclass(frozen=True, slots=True)
class Hunt:
    """How it went. `seed` is the one that found something, and None when none did."""

    seed: int | None
    found: tuple[Violation, ...]
    cpu_s: float


def hunt(mistake: Mistake, *, first: int = 1) -> Hunt:
    """Play as many seeds as it may take from 1 on, `first` before the others, with the mistake made."""
    began_s = time.process_time()
    with mistake.made():
        for seed in sorted(range(1, mistake.seeds + 1), key=lambda seed: seed != first):
            found = tuple(one for one in played(scene(mistake.scene), seed).violations if one.law in mistake.laws)
            if found:
                return Hunt(seed, found, time.process_time() - began_s)
    return Hunt(None, (), time.process_time() - began_s)


def played(scenario: Scenario, seed: int) -> Outcome:
    """The run of one seed."""
    return play(scenario, seed, draw(scenario, seed))
