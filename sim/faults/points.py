"""The fault points that the node's code has: where a machine can be made to end between two instructions.

A node names them itself (`Faults.reach`), so nothing would notice a scenario that misspells one: the fault would wait
for ever at a place that nobody comes by. A test holds this list against the code.
"""

from __future__ import annotations

from typing import Final

POINTS: Final = (
    "checkpoint.before-freeze", "checkpoint.after-freeze", "checkpoint.after-page", "checkpoint.after-manifest",
    "checkpoint.before-succession", "checkpoint.after-succession", "checkpoint.after-release",
    "checkpoint.after-arrival", "disk.open", "disk.punch", "disk.read", "disk.remove", "disk.sync", "disk.write",
    "inventory.before-send", "journal.before-own-copy", "journal.after-own-copy", "journal.before-state",
    "journal.after-state", "journal.before-write", "journal.before-sync", "journal.after-sync", "mesh.before-records",
    "pack.before-store", "pack.before-journal", "pack.after-journal", "recovery.after-folder",
    "recovery.after-records", "recovery.after-secrets", "release.before-send", "release.after-send",
    "release.before-answer", "release.before-delete", "release.after-journal", "serve.before-accept-answer",
    "serve.before-append-answer", "serve.before-prepare-answer", "serve.before-promise-answer",
    "serve.before-put-answer", "store.before-write", "store.before-sync", "store.after-sync", "store.before-punch",
    "succession.after-prepare", "succession.before-promise", "succession.after-promise",
    "succession.after-adopt", "succession.before-accept", "succession.after-accept", "succession.before-open",
    "succession.after-open", "succession.after-card", "vault.before-namespace", "vault.after-namespace",
    "vault.before-spread", "vault.after-spread", "vault.before-journal", "vault.after-journal", "vault.after-adopt",
)  # fmt: skip
