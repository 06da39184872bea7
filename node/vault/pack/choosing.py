"""Which packs are worth rewriting. Pure.

A pack is *worn* when less than half of what was put into it is still named. It is *small* when it could have taken as
much again in every respect: what checkpoints leave behind. Small packs are joined once they are many, so that a
checkpoint of few objects does not cost a block for ever; each joining leaves at most one of them small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from node.vault.catalog.values import StoredObject, StoredPack
from protocol.limits import OBJECTS_PER_PACK_MAX
from protocol.namespace.packs import DIRECTORY_BYTES_MAX, PACK_BYTES_MAX

SMALL_PACKS_MOST: Final = 8


def is_worn(pack: StoredPack) -> bool:
    """Less than half of it lives."""
    return 2 * pack.live_bytes < pack.put_bytes


def is_small(pack: StoredPack) -> bool:
    """Two such packs would fit into one."""
    directory_bytes = pack.block.size_bytes - pack.put_bytes
    return (
        2 * pack.block.size_bytes < PACK_BYTES_MAX
        and 2 * pack.live_objects < OBJECTS_PER_PACK_MAX
        and 2 * directory_bytes < DIRECTORY_BYTES_MAX
    )


def to_rewrite(packs: Sequence[StoredPack]) -> tuple[StoredPack, ...]:
    """The worn packs; and the small ones too, if there are too many of them."""
    are_many = sum(map(is_small, packs)) > SMALL_PACKS_MOST
    return tuple(pack for pack in packs if is_worn(pack) or (are_many and is_small(pack)))


def fill_a_pack(objects: Sequence[StoredObject]) -> bool:
    """Whether so many inline objects are a pack's worth."""
    inline_bytes = sum(one.inline.size_bytes for one in objects if one.inline is not None)
    names_bytes = sum(len(one.key.encode()) + len(one.bucket) for one in objects)
    is_much = inline_bytes >= PACK_BYTES_MAX or names_bytes >= DIRECTORY_BYTES_MAX
    return is_much or len(objects) >= OBJECTS_PER_PACK_MAX
