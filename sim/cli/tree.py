"""The branch `maillon sim`, as `node.cli.tree` wants it: names and lines of help only, so that help stays instant."""

from __future__ import annotations

from functools import partial

from node.cli.tree import Branch, Leaf
from node.text import N_

_leaf = partial(Leaf, package="sim.cli")

SIM = Branch(
    N_("The simulator: a whole federation on virtual time, where things break."),
    {
        "run": _leaf("run", N_("Play a scenario, judge it, and write down what happened.")),
        "swarm": _leaf("swarm", N_("Play random scenarios for a given time, and write down what fails.")),
        "replay": _leaf("replay", N_("Play a run again, with the faults it had.")),
        "shrink": _leaf("shrink", N_("Make the list of faults of a failing run short.")),
        "explain": _leaf("explain", N_("Tell the story of one node, block or key of a run.")),
        "list": _leaf("list", N_("List the scenarios that come with the program.")),
        "fields": _leaf("fields", N_("Print the reference of scenarios and faults, as Markdown.")),
    },
)
