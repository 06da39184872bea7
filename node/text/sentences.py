"""One error, one sentence: what happened, to what, and what to do next.

The templates stand beside the part of the program that raises them (`node.text.told`), keyed by the error's
identifier; each names the error's own parameters in braces. An identifier that has no template, from a newer peer
for instance, still gets an honest sentence from its family.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.text import N_, _
from node.text.quantities import show_parameter
from node.text.told import TOLD
from protocol.errors import MaillonError

_FAMILIES: Mapping[str, str] = {
    "malformed": N_(
        "Some data does not follow its format ({what}). Check what you gave, or the program that sent it."
    ),
    "forged": N_("A signature or seal does not match what it vouches for ({what}). Do not trust its source."),
    "over-limit": N_("Something is larger than this program accepts ({what})."),
    "refused": N_("A rule of the federation says no ({what})."),
    "unavailable": N_("This is not possible at the moment ({what}). Trying again later can help."),
    "missing": N_("What you asked for is not here ({what})."),
    "damaged": N_("Data on this machine is damaged, or a disk refused ({what}). Other copies must serve."),
    "error": N_("Something went wrong ({what})."),
}


class _Shown(dict[str, str]):
    """Parameters ready to show; a missing one shows as a question mark, because a sentence must always come out."""

    def __missing__(self, key: str) -> str:
        return "?"


def sentence(error: MaillonError) -> str:
    """The sentence for `error`, in the reader's language."""
    template = TOLD.get(error.identifier)
    if template is None:
        return _(_FAMILIES[error.blame]).format(what=error)
    shown = _Shown({name: show_parameter(name, value) for name, value in error.parameters.items()})
    return _(template).format_map(shown)
