"""A run's folder: what is in it, and how it comes to be.

A folder is written under a temporary name and gets its own when it is complete, so a folder with a run's name holds
a whole run. One that is there already is never touched. When the reader interrupts a run, what was written so far
gets a name that says so.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, TextIO

from protocol.errors import Malformed, Missing, Refused
from sim.faults.kinds import Planned
from sim.faults.listing import dump, load
from sim.scenario.model import Scenario
from sim.scenario.reading import check, parse, trace_of, with_faults

SCENARIO: Final = "scenario.toml"
FAULTS: Final = "faults.json"
EVENTS: Final = "events.jsonl"
MANIFEST: Final = "manifest.json"
TABLES: Final = "tables"
FIGURES: Final = "figures"
CRASH: Final = "crash.txt"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played: a scenario as it was read, a seed, and the faults that strike; and the trace that it reads,
    word for word, so that the run's folder needs nothing from elsewhere."""

    text: str
    scenario: Scenario
    seed: int
    faults: tuple[Planned, ...]
    trace: str = ""

    @property
    def name(self) -> str:
        return f"{self.scenario.name}-{self.seed}"

    def save(self, folder: Path) -> None:
        """What `plan_in` reads back."""
        (folder / SCENARIO).write_text(self.text, encoding="utf-8")
        listed = dump(self.faults, scenario=self.scenario.name, seed=self.seed)
        (folder / FAULTS).write_text(listed, encoding="utf-8")
        if self.trace:
            (folder / Path(self.scenario.churn.trace).name).write_text(self.trace, encoding="utf-8")


def plan_in(folder: Path) -> Plan:
    """What was played in a run's folder.

    Raises:
        Missing: `run-absent`. Malformed: a file in it is not what it was.
    """
    text = read_file(folder, SCENARIO)
    return plan_with(text, str(folder / SCENARIO), folder / FAULTS)


def plan_with(text: str, path: str, faults: Path) -> Plan:
    """A scenario, with a list of faults in place of its own and of those that a seed would draw.

    Raises:
        Missing: `run-absent`. Malformed: the list is none, or is not for this scenario.
    """
    scenario = parse(text, path=path)
    listing = load(read_file(faults.parent, faults.name), str(faults))
    check(with_faults(scenario, listing.faults), str(faults))
    return Plan(text, scenario, listing.seed, listing.faults, trace_of(scenario, path))


def read_file(folder: Path, name: str) -> str:
    """One of the folder's files.

    Raises:
        Missing: `run-absent`. Malformed: `run-unreadable`.
    """
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing("run-absent", path=str(folder), file=name) from error
    except (OSError, UnicodeDecodeError) as error:
        problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise Malformed("run-unreadable", path=str(folder / name), problem=problem) from error


def events_in(folder: Path) -> Iterator[dict[str, Any]]:
    """The event log, event by event.

    Raises:
        Missing: `run-absent`. Malformed: `run-unreadable`, `events-syntax`.
    """
    try:
        # What is no UTF-8 is no event either, and then has its line.
        with (folder / EVENTS).open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                yield _event(line, folder / EVENTS, number)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing("run-absent", path=str(folder), file=EVENTS) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise Malformed("run-unreadable", path=str(folder / EVENTS), problem=problem) from error


def _event(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Malformed("events-syntax", path=str(path), line=number) from error
    if not isinstance(event, dict) or type(event.get("t")) not in (int, float) or not _is_named(event):
        raise Malformed("events-syntax", path=str(path), line=number)
    return event


def _is_named(event: dict[str, Any]) -> bool:
    """What happened, and of what kind where there are several."""
    kind = {"fault": "kind", "said": "what"}.get(str(event.get("event")), "event")
    return isinstance(event.get("event"), str) and isinstance(event.get(kind), str)


def by_line(log: TextIO) -> Callable[[str], None]:
    """What writes an event into a log."""

    def write(line: str) -> None:
        log.write(line)
        log.write("\n")

    return write


def refuse_existing(target: Path) -> None:
    """Raises Refused(`run-exists`)."""
    if target.exists() or target.is_symlink():
        raise Refused("run-exists", path=str(target))


def free_name(target: Path, ending: str = "") -> Path:
    """The name with its ending if nothing has it, or the first of name-2, name-3 and so on."""
    names = (target.with_name(f"{target.name}{'' if number == 1 else f'-{number}'}{ending}") for number in count(1))
    return next(name for name in names if not name.exists() and not name.is_symlink())


def mark_interrupted(target: Path) -> None:
    """Give what workers wrote of `target` until they died of an interruption a name that says so; for whoever
    started them."""
    for partial in _partials(target):
        _rename_interrupted(partial, target)


def discard_partial(target: Path) -> None:
    """Remove what a worker that died wrote of `target`; for whoever started it."""
    for partial in _partials(target):
        shutil.rmtree(partial, ignore_errors=True)


def _partials(target: Path) -> list[Path]:
    return sorted(target.parent.glob(f".{glob.escape(target.name)}.*.partial"))


def _rename_interrupted(partial: Path, target: Path) -> None:
    partial.rename(free_name(target.with_name(f"{target.name}-interrupted")))


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to write in; at the end of the body it becomes `target`.

    After an interruption it becomes `target` with `-interrupted`; after an error it goes.

    Raises:
        Refused: `run-exists`; nothing was touched. `run-unwritten`: the folder or disk refused.
    """
    refuse_existing(target)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
    except OSError as error:
        raise _unwritten(target, error) from error
    try:
        yield partial
    except OSError as error:
        shutil.rmtree(partial)
        raise _unwritten(target, error) from error
    except KeyboardInterrupt:
        _rename_interrupted(partial, target)
        raise
    except BaseException:
        shutil.rmtree(partial)
        raise
    refuse_existing(target)  # somebody else may have written the same run meanwhile
    partial.rename(target)


def _unwritten(target: Path, error: OSError) -> Refused:
    """In the words of the operating system: a library may have wrapped them in its own."""
    is_place = isinstance(error, FileExistsError | NotADirectoryError)
    problem = errno.ENOTDIR if is_place else error.errno
    return Refused("run-unwritten", path=str(target), problem=os.strerror(problem) if problem else str(error))
