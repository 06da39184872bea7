"""What every command shares: `--dir`, `--json`, and the one way in and out of a command's function.

Both options may stand before or after the command's name. A command's function gets a `Session` (which node, which
form of output) and its own arguments; it may be async, then trio runs it. Errors leave through `node.cli.exits`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from node.cli.exits import guard
from node.cli.output import Output
from node.text import _
from protocol.errors import Refused

ENVIRONMENT = "MAILLON_DIR"


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen so far on the way down the tree of commands."""

    node_dir: Path | None = None
    json: bool = False

    def with_options(self, node_dir: Path | None, *, json: bool) -> Choices:
        """The nearer to the command an option stands, the more it counts."""
        return Choices(node_dir or self.node_dir, self.json or json)


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command."""

    chosen_dir: Path | None
    output: Output
    option_dir: Path | None = None  # without the environment, which names a node's folder

    @property
    def dir(self) -> Path:
        """The folder given with `--dir`. Raises Refused(`node-dir-unset`)."""
        if self.chosen_dir is None:
            raise Refused("node-dir-unset")
        return self.chosen_dir


def shared_options() -> list[click.Parameter]:
    """Fresh `--dir` and `--json` options, for a group or a command."""
    return [
        click.Option(
            ["--dir", "dir_option"],
            type=click.Path(path_type=Path),
            help=_("The folder of the node, of the devnet or of runs; for a node, otherwise the one in MAILLON_DIR."),
        ),
        click.Option(
            ["--json", "json_option"], is_flag=True, help=_("Write JSON for programs, not text for people.")
        ),
    ]


def command(help_text: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a click command of a function that takes a `Session` and the command's own parameters."""

    def make(function: Callable[..., Any]) -> click.Command:
        parameters: list[click.Parameter] = list(reversed(getattr(function, "__click_params__", [])))

        def callback(*, dir_option: Path | None, json_option: bool, **arguments: Any) -> None:
            context = click.get_current_context()
            chosen = context.ensure_object(Choices).with_options(dir_option, json=json_option)
            given = chosen.node_dir
            session = Session(given or _from_environment(), Output(json=chosen.json), given)
            with guard(session.output):
                _run(function, session, arguments)

        return click.Command(
            None, callback=callback, help=help_text, params=[*parameters, *shared_options()], **settings
        )

    return make


def _from_environment() -> Path | None:
    """Asked last, so that an option anywhere on the line counts more."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else None


def _run(function: Callable[..., Any], session: Session, arguments: dict[str, Any]) -> None:
    if not inspect.iscoroutinefunction(function):
        function(session, **arguments)
        return
    import trio

    async def main() -> None:
        await function(session, **arguments)

    trio.run(main)
