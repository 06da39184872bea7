"""The rule of a next holder: which openings it keeps, and when it begins to hold the epoch of one.

An opening is kept (prepared) before anybody decides on it, and its epoch begins here only when it was kept and is
proven decided. Its gateway prepares it once, before it proposes it; so a holder that does not know an opening which
was decided has lost it, and with it perhaps entries, promises and acceptances. It must not begin again from
nothing, whoever asks: it is forgotten, and in no quorum of that epoch.
"""

from __future__ import annotations

from collections.abc import Collection

from protocol.errors import Forged, Missing, Refused
from protocol.ids import Digest, NodeId
from protocol.namespace.journal import FIRST_EPOCH, Opening, opening_hash
from protocol.succession.succession import Succession


def check_prepare(opening: Opening, *, me: NodeId, sender: NodeId) -> None:
    """Return if `me` may keep the opening, which `sender` offers.

    Raises:
        Refused: `journal-not-holder`, or `journal-not-gateway` when another than the opening's gateway offers it.
    """
    if me not in opening.holders:
        raise Refused("journal-not-holder", namespace=opening.namespace, epoch=opening.epoch)
    if sender != opening.certificate.node:
        raise Refused("journal-not-gateway", namespace=opening.namespace, epoch=opening.epoch)


def check_open(opening: Opening, succession: Succession | None, prepared: Collection[Digest]) -> None:
    """Return if the epoch may begin here. `prepared`: the hashes of the openings that are kept.

    Raises:
        Forged: `succession-decree` when the succession is not about this opening; the first epoch has none.
        Missing: `journal-epoch` when this holder does not know the opening: it never did, or forgot.
    """
    hashed = opening_hash(opening)
    proven = opening.epoch == FIRST_EPOCH if succession is None else opening_hash(succession.decree) == hashed
    if not proven:
        raise Forged("succession-decree", namespace=opening.namespace, epoch=opening.epoch)
    if hashed not in prepared:
        raise Missing("journal-epoch", namespace=opening.namespace, epoch=opening.epoch)
