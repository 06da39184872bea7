"""The few words with which an answer of the admin socket says how something stands, as people read them.

With `--json` they stay as they are: programs compare them.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_, _

_WORDS: Mapping[str, str] = {
    # What this node observes of another.
    "live": N_("live"),
    "suspect": N_("suspect"),
    "down": N_("down"),
    "left": N_("left"),
    "unknown": N_("unknown"),
    # What the members are asked to decide, and whether they did.
    "admit": N_("admit"),
    "expel": N_("expel"),
    "open": N_("open"),
    "decided": N_("decided"),
}


def told_condition(word: str) -> str:
    """The word in the reader's language; one of a newer node, as it came."""
    return _(_WORDS[word]) if word in _WORDS else word
