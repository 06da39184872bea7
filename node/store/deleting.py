"""What may be deleted of a block: found out before anything is written.

Every share that is here says itself until when it must stay and when it was written, in its label. Nothing else is
believed: a share whose label cannot be read has no lock that could be known, and counts as written just now.
All functions block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.store.shares import ShareKey
from node.store.storedisk import StoreDisk
from protocol.coding.label import Label, Stamp
from protocol.errors import Damaged, Missing
from protocol.ids import BlockId, NamespaceId


@dataclass(frozen=True, slots=True)
class Deletable:
    """What is here of a block and old enough, and until when it must stay all the same (0: it need not)."""

    keys: tuple[ShareKey, ...]
    kept_until_s: int


def deletable(disks: Sequence[StoreDisk], namespace: NamespaceId, block: BlockId, horizon: Stamp | None) -> Deletable:
    """The namespace's shares of the block, or those stamped before the horizon. Of another's block there are none."""
    spots = [spot for disk in disks for spot in disk.volumes.index.spots(block)]
    if any(spot.namespace != namespace for _, spot in spots):
        return Deletable((), 0)
    indexes = {index for index, _ in spots}
    for disk in disks:
        indexes.update(disk.volumes.ruins.indexes_of(block))
    found = {ShareKey(block, index): labels_of(disks, ShareKey(block, index)) for index in sorted(indexes)}
    old = {key: labels for key, labels in found.items() if _is_before(labels, horizon)}
    return Deletable(tuple(old), max((kept_until_s(labels) for labels in old.values()), default=0))


def labels_of(disks: Sequence[StoreDisk], key: ShareKey) -> list[Label]:
    """The share's label, from every disk where it can be read. Raises Damaged(`index-damaged`)."""
    labels = []
    for disk in disks:
        try:
            labels.append(disk.reader.facts(key).decoded_label())
        except (Missing, Damaged) as error:
            if error.identifier == "index-damaged":
                raise
    return labels


def kept_until_s(labels: Sequence[Label]) -> int:
    """Until when it must stay; 0 where that stands nowhere."""
    return max((label.keep_until_s for label in labels), default=0)


def _is_before(labels: Sequence[Label], horizon: Stamp | None) -> bool:
    if horizon is None:
        return True
    return bool(labels) and all(label.stamp < horizon for label in labels)
