"""Sentences for this machine: configuration, the node's folder, files, sockets and the command line."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

TOLD: Mapping[str, str] = {
    "config-absent": N_("There is no {path}. Create the node with `maillon init`, or name its folder with --dir."),
    "config-syntax": N_("{path} is not valid TOML: {problem}. Mend that line and try again."),
    "config-key-absent": N_("{path}: `{key}` is missing. Add it and try again."),
    "config-unknown-key": N_(
        "{path} has an unknown key `{key}`. Did you mean `{nearest}`? See docs/configuration.md, or "
        "docs/scenarios.md if it is a scenario."
    ),
    "config-unknown-key-far": N_("{path} has an unknown key `{key}`. The keys allowed there are: {known}."),
    "config-value": N_("{path}: `{key}` must be {expected}, not {found}."),
    "id-text": N_("`{text}` is not an id. An id has 52 letters and digits (a to z, 2 to 7)."),
    "node-dir-exists": N_("{path} already holds a node. Choose another folder with --dir."),
    "node-dir-absent": N_("{path} is not a node's folder. Create the node with `maillon init --dir {path}`."),
    "node-dir-format": N_("{path} has the format {found}; this program knows {known}. Use the program that made it."),
    "node-dir-unset": N_("Which node? Give its folder with --dir, or in the environment variable MAILLON_DIR."),
    "node-not-running": N_(
        "No node answers at {path}. Start it with `maillon node run`. If it should be running, look at its log."
    ),
    "node-already-running": N_("This folder's node is already running. Stop it first, or use the one that runs."),
    "organisation-key-absent": N_(
        "This node does not hold its organisation's key, so it cannot vote or found. Use the node that holds {path}."
    ),
    "not-in-a-federation": N_(
        "This node is in no federation yet. Found one with `maillon federation found`, or join with an invitation."
    ),
    "already-in-a-federation": N_("This node already belongs to the federation {federation}; a node has only one."),
    "admin-command": N_("The node does not know the command `{command}`: it runs another version of this program."),
    "local-file": N_("{path}: {problem}."),
    "local-file-exists": N_("{path} exists. Use --force to replace it."),
    "local-folder": N_("{path} is a folder. Use --recursive to store what is in it."),
    "local-path-unsafe": N_(
        "The key `{key}` is not a safe file name, so it was not written. Get it by itself instead."
    ),
    "object-name": N_("`{text}` names no object. Write BUCKET/KEY."),
    "ambiguous-name": N_("`{name}` fits several: {known}. Write more letters."),
    "unknown-name": N_("Nobody and nothing here is called `{name}`. Known: {known}."),
    "devnet-absent": N_("There is no devnet in {path}. Start one with `maillon devnet up --dir {path}`."),
    "devnet-exists": N_("{path} already holds a devnet. Stop it with `maillon devnet down --dir {path}`."),
    "devnet-node-died": N_("The node {node} stopped while it was starting. The end of its log: {log}"),
    "devnet-unhealthy": N_("The devnet was not healthy within {seconds} seconds; still waiting for: {waiting}."),
    "devnet-node": N_("There is no node `{node}` in this devnet. Its nodes are: {known}."),
    "devnet-node-running": N_("The node {node} is running already."),
    "shared-file": N_("The node could not open the file itself ({reason}); its bytes go through the socket instead."),
}
