"""Sentences for the simulator: scenarios, lists of faults, and the folders of runs."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

TOLD: Mapping[str, str] = {
    "events-syntax": N_("{path}: line {line} is no event. Give the folder that a run wrote."),
    "explain-node": N_("There is no node {node} in this run: its nodes are n1 to n{nodes}."),
    "explain-nothing": N_("Nothing in {path} concerns {what}."),
    "extra-absent": N_(
        "The simulator needs libraries that are not installed: {absent}. Run: pip install maillon[{extra}]"
    ),
    "faults-syntax": N_("{path} is no list of faults: {problem}. Give the faults.json that a run wrote."),
    "faults-version": N_(
        "{path} is a list of faults of version {found}; this program reads version {known}. Run it with the program "
        "that wrote it."
    ),
    "run-absent": N_("{path} is no run's folder: there is no {file} in it. Give a folder that maillon sim wrote."),
    "child-failed": N_("A run in a process of its own ended with an error:\n{problem}"),
    "shrink-holds": N_(
        "{scenario} with seed {seed} keeps every promise: there is nothing to shrink. If the program changed since "
        "the run was written, run the scenario with other seeds."
    ),
    "run-unreadable": N_("{path} cannot be read: {problem}. Give the folder that a run wrote."),
    "run-unwritten": N_(
        "{path} cannot be written: {problem}. Nothing of this run is left; choose another folder with --dir."
    ),
    "run-exists": N_("{path} exists. Nothing was overwritten: remove it, or choose another folder with --dir."),
    "scenario-absent": N_("There is no scenario {path}. Name a file, or one of those that come with it: {known}."),
    "scenario-code": N_(
        "{path}: a code of {k}/{n} rebuilds nothing: the first number, k, must be less than the second, n."
    ),
    "scenario-gateways": N_(
        "{path}: {gateways} gateways are more than the {nodes} nodes there are. Lower federation.gateways."
    ),
    "scenario-late": N_(
        "{path}: fault {place} is planned for {at_s} s, after the end of the safety phase at {safety_s} s. Move "
        "it, or make phases.safety_s longer."
    ),
    "scenario-margin": N_("{path}: a margin of {margin} is impossible with the code {code}. It is 0 to n-k."),
    "scenario-node": N_("{path}: fault {place} names {node}, but the nodes are n1 to n{nodes}."),
    "scenario-organisations": N_(
        "{path}: {organisations} organisations cannot have a node each with {nodes} nodes. Lower one or "
        "raise the other."
    ),
    "scenario-organisations-few": N_(
        "{path}: a federation has at least {needed} organisations, and this one would have {organisations}. Raise "
        "federation.organisations or federation.nodes."
    ),
    "scenario-organisation-nodes": N_(
        "{path}: with {organisations} organisations one has {nodes} nodes, and a federation takes {limit} of each. "
        "Raise federation.organisations, or lower federation.nodes."
    ),
    "scenario-organisations-many": N_(
        "{path}: {organisations} organisations are more than the {limit} that a federation admits. Set "
        "federation.organisations lower: several nodes are then of one organisation."
    ),
    "scenario-shares": N_(
        "{path}: the code {code} places {n} shares on {n} nodes, and there are {nodes}. Add nodes."
    ),
    "scenario-unreadable": N_("{path} cannot be read: {problem}. Name a scenario's file."),
    "scenario-trace-absent": N_(
        "There is no file {path}, where churn.trace says that the up and down times are. It is looked for beside the "
        "scenario."
    ),
    "scenario-trace": N_("{path}, line {line}: {text} is not node,seconds,up or node,seconds,down."),
}
