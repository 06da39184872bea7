"""The one place where an error becomes a sentence and an exit code.

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | a fault of this program (a traceback follows) |
| 2 | wrong usage of the command line |
| 3 | malformed: data, a file or a configuration breaks its format |
| 4 | forged: a signature or seal does not match |
| 5 | over a limit |
| 6 | refused by a rule of the federation |
| 7 | unavailable at the moment: trying later can help |
| 8 | missing: what was asked for is not here |
| 9 | damaged: data on this machine is not what was written, or a disk refused |
| 130 | interrupted |
| 141 | whoever read the output closed it |
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

import click

from node.cli.output import Output
from node.text import _
from node.text.sentences import sentence
from protocol.errors import MaillonError, Missing, Refused

CODES: Mapping[str, int] = {
    "error": 1,
    "malformed": 3,
    "forged": 4,
    "over-limit": 5,
    "refused": 6,
    "unavailable": 7,
    "missing": 8,
    "damaged": 9,
}
INTERRUPTED = 130
READER_GONE = 141


@contextmanager
def guard(output: Output) -> Iterator[None]:
    """Run a command's body; what it raises is told to the reader, and the program leaves with the error's code."""
    try:
        yield
    except (MaillonError, OSError, KeyboardInterrupt, BaseExceptionGroup) as raised:
        found = _first_known(raised)
        if isinstance(found, BrokenPipeError):
            # Whoever read our output has seen enough; Python would complain once more while it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(READER_GONE)
        if isinstance(found, KeyboardInterrupt):
            leave_interrupted()
        if found is None:
            raise
        tell(output, found)
        sys.exit(CODES[found.blame])


def leave_interrupted() -> NoReturn:
    """Ctrl-C is no fault of the program: one word, and a code of its own."""
    click.echo(_("Interrupted."), err=True)
    sys.exit(INTERRUPTED)


def tell(output: Output, error: MaillonError) -> None:
    """The error for people on standard error; for programs, as the last document of the output."""
    told = sentence(error)
    if output.json:
        output.failure(error, told)
    click.echo(told, err=True)


def _first_known(raised: BaseException) -> MaillonError | KeyboardInterrupt | BrokenPipeError | None:
    """What a nursery's group of exceptions is about: an interruption first, then the first error with a name."""
    if isinstance(raised, MaillonError | KeyboardInterrupt | BrokenPipeError):
        return raised
    if isinstance(raised, OSError):
        return _local(raised)
    if isinstance(raised, BaseExceptionGroup):
        known = [found for inner in raised.exceptions if (found := _first_known(inner)) is not None]
        interrupted = [found for found in known if isinstance(found, KeyboardInterrupt)]
        return (interrupted or known or [None])[0]
    return None


def _local(raised: OSError) -> MaillonError:
    """A file or folder on this side of the admin socket that would not do what was asked."""
    family = Missing if isinstance(raised, FileNotFoundError) else Refused
    return family("local-file", path=str(raised.filename or ""), problem=raised.strerror or str(raised))
