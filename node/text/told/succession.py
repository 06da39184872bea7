"""Sentences for the hand-over of a journal: candidates, ballots, decrees, and the proof of what was decided."""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_

TOLD: Mapping[str, str] = {
    "ballot-counter": N_(
        "Somebody used up the ballots of this epoch ({counter}). Replace the namespace's secrets with its sheet."
    ),
    "candidacy-epoch": N_("There can be no epoch after {epoch}."),
    "journal-behind": N_("A holder has fewer than {length} entries of the journal and is being completed."),
    "journal-ended": N_("Epoch {epoch} of the journal of {namespace} ended; the node {node} writes there now."),
    "journal-epochs-many": N_(
        "More than {limit} epochs of the journal of {namespace} are kept here; old ones must be released first."
    ),
    "journal-generation": N_(
        "The secrets of {namespace} were replaced: those of generation {generation} or later are needed."
    ),
    "journal-not-open": N_("Epoch {epoch} of the journal of {namespace} is prepared here, but not open yet."),
    "journal-past": N_("Epoch {epoch} of the journal of {namespace} is past: epoch {newest} is open."),
    "journal-lease": N_(
        "Another gateway may be writing {namespace} by now: too few of its journal's holders answered lately. "
        "Not answering: {away}. It goes on by itself when they do."
    ),
    "journal-not-found": N_("Nobody who answers knows the journal of {namespace}."),
    "journal-proof": N_("Nobody who answers can prove how epoch {epoch} of the journal of {namespace} began."),
    "journal-promised": N_(
        "Another gateway is taking over the journal of {namespace}; epoch {epoch} takes nothing more from this one."
    ),
    "journal-release": N_(
        "A release of old epochs of {namespace} was not the word of epoch {epoch}; nothing was deleted."
    ),
    "journal-not-gateway": N_(
        "An opening of epoch {epoch} of {namespace} came from another node than its gateway; it was refused."
    ),
    "namespaces-unknown": N_(
        "Your organisation has {limit} namespaces here that it never announced; {namespace} must wait for them."
    ),
    "namespace-closing": N_("The namespace {namespace} is being closed, as its node stops."),
    "namespace-behind": N_(
        "The namespace {namespace} cannot be read here now: too few of its journal's holders say how far it is."
    ),
    "namespace-followed": N_(
        "The namespace {namespace} is written by the gateway {gateway}; this one follows it, for reading. "
        "To write here: maillon namespace takeover NAME"
    ),
    "namespace-here": N_("The namespace {namespace} is written by this very node."),
    "namespace-not-moved": N_(
        "{node} did not take the namespace {namespace} over in time, so this node writes it again. It must follow it "
        "first; on that node: maillon namespace follow"
    ),
    "namespace-read-only": N_(
        "The namespace {namespace} can only be read here, as this node is no member of the federation yet."
    ),
    "namespace-superseded": N_(
        "The namespace {namespace} is written by the gateway {gateway} since epoch {epoch}; this one serves nothing. "
        "To write here again: maillon namespace takeover NAME"
    ),
    "succession-decree": N_("A decree that does not go on from epoch {epoch} of {namespace} was not believed."),
    "succession-promise": N_(
        "{node} answered a candidate for {namespace} as no honest holder of epoch {epoch} does; it was not counted."
    ),
    "succession-promises": N_(
        "To take over the journal, {needed} of its holders must answer; {found} do. Start those nodes, then try "
        "again."
    ),
    "succession-quorum": N_(
        "The end of epoch {epoch} of {namespace} was not accepted by enough of its holders; it was not believed."
    ),
}
