"""How many holders keep a journal, and how many of them must have an entry before it counts.

With `losses` holders gone and `liars` that withhold what they have, an entry acknowledged by
w = losses + liars + 1 of r = w + losses holders is still shown by an honest one of any r - losses that answer; and
writing goes on with `losses` of them away. Any two sets of w share more than `liars` holders, so that two different
entries are never both acknowledged at one position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.errors import Unavailable
from protocol.limits import JOURNAL_HOLDERS_MAX

HOLDERS_MIN: Final = 2
# Holders available → (losses, liars); from the last line on, losses grow with what the data bears.
_BY_HOLDERS: Final = {2: (0, 1), 3: (1, 0), 4: (1, 1), 5: (2, 0)}
_LIARS: Final = 1
_LOSSES_LEAST: Final = 2


@dataclass(frozen=True, slots=True)
class JournalQuorum:
    """`r` holders, of which `w` must have an entry; it bears `losses` of them gone and `liars` of them lying."""

    r: int
    w: int
    losses: int
    liars: int


def quorum(holders_available: int, *, losses_wanted: int = _LOSSES_LEAST) -> JournalQuorum:
    """The quorum for so many nodes that could hold a journal. `losses_wanted`: n - k of the data's class.

    Raises:
        Unavailable: `journal-holders-too-few`.
    """
    if holders_available < HOLDERS_MIN:
        raise Unavailable("journal-holders-too-few", found=holders_available, needed=HOLDERS_MIN)
    if holders_available in _BY_HOLDERS:
        return quorum_for(*_BY_HOLDERS[holders_available])
    usable = min(holders_available, JOURNAL_HOLDERS_MAX)
    most = (usable - _LIARS - 1) // 2
    return quorum_for(max(_LOSSES_LEAST, min(losses_wanted, most)), _LIARS)


def quorum_for(losses: int, liars: int) -> JournalQuorum:
    """The smallest quorum that bears so many losses and liars."""
    w = losses + liars + 1
    return JournalQuorum(w + losses, w, losses, liars)
