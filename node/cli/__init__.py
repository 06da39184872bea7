"""The command line: one file for each command, thin clients of the node's admin socket.

`maillon --help` must answer at once, so nothing here imports a command, trio or cryptography before it is needed:
the tree of commands is a table of names (`node.cli.tree`), and a command's module is imported when it runs.
"""

from __future__ import annotations

import atexit
import gc


def main() -> None:
    """The `maillon` program."""
    from node.cli.tree import program

    # At the end all memory goes back with the process; collecting what is still alive would be for nobody.
    atexit.register(gc.freeze)

    program(prog_name="maillon")
