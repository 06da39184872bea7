"""Members that lie: real nodes with their own keys, disks and mesh that break one rule each, by a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.byzantine.answering import answers_rubbish, drips
from sim.byzantine.flooding import floods, sends_garbage
from sim.byzantine.gateways import releases_late
from sim.byzantine.gossip import accuses_the_living, two_cards, withholds_gossip
from sim.byzantine.journals import claims_higher_ballot, forgets_entries, shows_old_journal, signs_anything
from sim.byzantine.liar import Lying, lying
from sim.byzantine.shares import forged_shares, forgets_shares, keeps_released, withholds_shares, wrong_bytes

_MAKINGS: Final = {
    "wrong-bytes": wrong_bytes,
    "forged-shares": forged_shares,
    "withholds-shares": withholds_shares,
    "forgets-shares": forgets_shares,
    "keeps-released": keeps_released,
    "forgets-entries": forgets_entries,
    "shows-old-journal": shows_old_journal,
    "signs-anything": signs_anything,
    "claims-higher-ballot": claims_higher_ballot,
    "two-cards": two_cards,
    "withholds-gossip": withholds_gossip,
    "accuses-the-living": accuses_the_living,
    "floods": floods,
    "sends-garbage": sends_garbage,
    "drips": drips,
    "answers-rubbish": answers_rubbish,
    "releases-late": releases_late,
}

# How a node starts that tells the lie of this name: one for each of `sim.faults.lies`.
LIARS: Final[Mapping[str, Lying]] = {name: lying(name, make) for name, make in _MAKINGS.items()}
