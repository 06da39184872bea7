"""Playing a plan and writing it down: the event log as it grows, then tables, figures and the manifest."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Final

from node.text import _
from protocol.errors import Refused
from sim.faults.chance import draw
from sim.run.figures import write_figures
from sim.run.folder import CRASH, EVENTS, FIGURES, MANIFEST, TABLES, Plan, by_line, events_in, new_folder
from sim.run.manifest import manifest_of
from sim.run.play import Outcome, play
from sim.run.pulse import with_pulse
from sim.run.tables import tables_of, write_tables
from sim.scenario.reading import parse, text_of, trace_of

LIBRARIES: Final = ("joblib", "matplotlib", "numpy", "pyarrow")


def require_libraries() -> None:
    """Raises Refused(`extra-absent`) when what a run's folder is written with is not installed: before it is played,
    not after."""
    absent = tuple(name for name in LIBRARIES if importlib.util.find_spec(name) is None)
    if absent:
        raise Refused("extra-absent", absent=absent, extra="sim")


def plan_of(given: str, seed: int) -> Plan:
    """A scenario's file, or a shipped scenario's name, with the faults that the seed draws.

    Raises:
        Missing: `scenario-absent`. Malformed: `config-…`, `scenario-…`.
    """
    text = text_of(given)
    scenario = parse(text, path=given)
    return Plan(text, scenario, seed, draw(scenario, seed), trace_of(scenario, given))


def record(plan: Plan, target: Path, *, figures: bool = True, tell: Callable[[float], None] | None = None) -> Outcome:
    """Play, and leave the folder `target`; tables and figures only if they are wanted. `tell` hears every few seconds
    how far the run is in virtual time.

    Raises:
        Refused: `run-exists`.
    """
    with new_folder(target) as folder:
        plan.save(folder)
        try:
            with (folder / EVENTS).open("w", encoding="utf-8") as log:
                outcome = play(
                    plan.scenario, plan.seed, plan.faults, with_pulse(by_line(log), tell) if tell else by_line(log)
                )
        except BaseException as error:
            if not _is_interruption(error):
                raise
            (folder / MANIFEST).write_text(manifest_of(plan, None).as_json(), encoding="utf-8")
            raise KeyboardInterrupt from error
        if figures:
            tables = tables_of(list(events_in(folder)))
            write_tables(tables, folder / TABLES)
            write_figures(
                tables,
                folder / FIGURES,
                _("{scenario}, seed {seed}").format(scenario=plan.scenario.name, seed=plan.seed),
            )
        if outcome.crash:
            (folder / CRASH).write_text(outcome.crash, encoding="utf-8")
        (folder / MANIFEST).write_text(manifest_of(plan, outcome).as_json(), encoding="utf-8")
    return outcome


def _is_interruption(error: BaseException) -> bool:
    """Trio wraps what ends its nurseries."""
    if isinstance(error, BaseExceptionGroup):
        return any(_is_interruption(inner) for inner in error.exceptions)
    return isinstance(error, KeyboardInterrupt)
