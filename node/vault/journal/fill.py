"""Sending one holder what it lacks of an epoch that is about to end, under the candidate's ballot."""

from __future__ import annotations

from typing import Final

from node.vault.journal.holder import SEND_BYTES, SEND_ENTRIES_MAX
from node.vault.journal.line import HolderLine
from node.vault.journal.own_copy import OwnCopy
from protocol.errors import Forged
from protocol.namespace.journal import Tip
from protocol.succession.ballot import Candidacy

_WRONG: Final = "journal-head"


async def fill(line: HolderLine, copy: OwnCopy, candidacy: Candidacy, end: Tip) -> None:
    """Bring the holder's copy to `end`, which ours has reached.

    Raises:
        Forged: `journal-head` when what the holder has is no part of our copy, or does not grow.
    """
    tip = (await line.promise(candidacy)).tip
    while tip.length < end.length:
        await _check(line, copy, tip)
        count_max = min(SEND_ENTRIES_MAX, end.length - tip.length)
        entries = await copy.entries_from(tip.length, size_bytes_max=SEND_BYTES, count_max=count_max)
        after = await line.append(tip.length, entries, candidacy.ballot)
        if after.length < tip.length + len(entries):
            raise Forged(_WRONG, node=line.node, length=after.length)
        tip = after
    await _check(line, copy, tip)


async def _check(line: HolderLine, copy: OwnCopy, tip: Tip) -> None:
    if tip.length > copy.tip.length or await copy.head_at(tip.length) != tip.head:
        raise Forged(_WRONG, node=line.node, length=tip.length)
