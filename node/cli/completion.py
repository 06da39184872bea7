"""`maillon completion`: the script that lets a shell complete commands and options.

The script asks this program itself what fits, so it never goes stale.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@make_command(_("Print the completion script for a shell, for instance: maillon completion bash >> ~/.bashrc"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(session: Session, shell: str) -> None:
    from node.cli.tree import program

    found = get_completion_class(shell)
    assert found is not None, "click knows the three shells that the argument admits"  # noqa: S101
    script = found(program, {}, "maillon", "_MAILLON_COMPLETE").source()
    session.output.document({"shell": shell, "script": script}, [script])
