"""A run in words: what came of it, where it is written down, and the command that plays it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.text import N_, _
from node.text.quantities import show_duration
from sim.oracle.clients import ABSENCES
from sim.oracle.violations import Violation
from sim.run.play import Outcome

_SHOWN: Final = 10
# What it means that a law is broken; the violation itself says where.
_LAWS: Mapping[str, str] = {
    "acknowledged": N_("A client got a wrong answer, or an acknowledged write was forgotten."),
    "answers": N_("A call was never answered."),
    "crash": N_("An error that nobody expected ended the run (crash.txt has it whole)."),
    "healed": N_("The federation did not become whole again in time."),
    "full": N_("Blocks did not get all their shares back."),
    "given-up": N_("A holder still kept what was deleted."),
    "kept": N_("A share was not where it was stored."),
    "bounded": N_("A node held more connections, exchanges or payload for another than it may."),
    "margin": N_("A write was acknowledged before enough shares were on disks."),
    "placement": N_("Shares of a block stood where the rules do not allow them."),
    "promised": N_("At the end fewer members could be lost than the class promises."),
    "quota": N_("An organisation uses more of others than its quota."),
    "quorum": N_("A write was acknowledged before enough holders had it in their journals."),
    "readable": N_("What was acknowledged could not be read at the end."),
    "secrecy": N_("Plain bytes of an object were seen where they must never be."),
}


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run, for programs."""

    scenario: str
    seed: int
    held: bool
    violations: tuple[Violation, ...]
    healed_s: float | None
    answered: dict[str, int]
    refused: dict[str, int]
    virtual_s: float
    cpu_s: float
    events: int
    digest: str
    folder: str
    replay: str

    @property
    def calls_answered(self) -> int:
        """That an object is not there is an answer."""
        return sum(self.answered.values()) + sum(self.refused.values()) - self.calls_refused

    @property
    def calls_refused(self) -> int:
        return sum(count for call, count in self.refused.items() if call.rpartition(" ")[2] not in ABSENCES)


def line_of(outcome: Outcome, folder: Path) -> RunLine:
    """What programs get of a run."""
    return RunLine(
        scenario=outcome.scenario,
        seed=outcome.seed,
        held=not outcome.violations,
        violations=tuple(outcome.violations),
        healed_s=outcome.healed_s,
        answered=outcome.answered,
        refused=outcome.refused,
        virtual_s=outcome.virtual_s,
        cpu_s=outcome.cpu_s,
        events=outcome.events,
        digest=outcome.digest,
        folder=str(folder),
        replay=replay_command(folder),
    )


def replay_command(folder: Path) -> str:
    """What to type to play the run in this folder again."""
    return f"maillon sim replay {shlex.quote(str(folder))}"


def told(run: RunLine) -> Iterator[str]:
    """A run, for people."""
    heading = _(
        "{scenario}, seed {seed}: {virtual} of virtual time in {cpu} of CPU; "
        "{answered} calls answered, {refused} not."
    )
    yield heading.format(
        scenario=run.scenario,
        seed=run.seed,
        virtual=show_duration(run.virtual_s),
        cpu=show_duration(run.cpu_s),
        answered=run.calls_answered,
        refused=run.calls_refused,
    )
    if run.held:
        yield _("Every promise was kept.") + _healed(run)
    else:
        yield from _broken(run.violations)
    yield _("The run is in {folder}.").format(folder=run.folder)
    if not run.held:
        yield _("Play it again: {command}").format(command=run.replay)


def in_brief(run: RunLine) -> str:
    """One of many runs."""
    if run.held:
        return _("seed {seed}: every promise was kept").format(seed=run.seed)
    laws = ", ".join(sorted({violation.law for violation in run.violations}))
    return _("seed {seed}: broken: {laws}; {command}").format(seed=run.seed, laws=laws, command=run.replay)


def _healed(run: RunLine) -> str:
    if run.healed_s is None:
        return ""
    return " " + _("All was whole again {time} after the faults stopped.").format(time=show_duration(run.healed_s))


def _broken(violations: tuple[Violation, ...]) -> Iterator[str]:
    for law in sorted({violation.law for violation in violations}):
        of_law = [violation for violation in violations if violation.law == law]
        yield _(_LAWS[law]) if law in _LAWS else _("The law {law} was broken.").format(law=law)
        for violation in of_law[:_SHOWN]:
            yield _("  at {at_s} s: {told}").format(at_s=f"{violation.at_s:.3f}", told=violation.told)
        if len(of_law) > _SHOWN:
            yield _("  and {count} more").format(count=len(of_law) - _SHOWN)
