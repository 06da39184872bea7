"""`maillon sim` as people call it, without the entry point: the branch alone."""

from __future__ import annotations

from click.testing import CliRunner, Result

from node.cli.tree import LazyGroup
from sim.cli.tree import SIM


def maillon_sim(*arguments: str) -> Result:
    return CliRunner(env={"MAILLON_DIR": None}).invoke(LazyGroup(SIM.commands, "sim", SIM.line), arguments)
