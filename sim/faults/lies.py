"""The names of the lies that a member can be made to tell. What each one is, docs/simulator.md says in words.

They stand below the scenarios that name them and the liars that tell them (`sim/byzantine/`): who reads a list of
faults needs to know what there is, not how it is done.
"""

from __future__ import annotations

from typing import Final

LIES: Final = (
    "wrong-bytes", "forged-shares", "withholds-shares", "forgets-shares", "keeps-released", "forgets-entries",
    "shows-old-journal", "signs-anything", "claims-higher-ballot", "two-cards", "withholds-gossip",
    "accuses-the-living", "floods", "sends-garbage", "drips", "answers-rubbish",
    "releases-late",
)  # fmt: skip

# Told by those only who were gateways and are none any more.
OF_GATEWAYS: Final = frozenset({"releases-late"})
