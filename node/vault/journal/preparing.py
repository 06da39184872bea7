"""The opening of the next epoch: made, and kept by all its holders before anybody is asked to decide for it.

So whatever is decided, each of the next holders had it on its disk at that time; one that later knows nothing of it
has lost a disk. Each attempt makes an opening of its own, with a key of its own, and asks for it to be kept once.
"""

from __future__ import annotations

import trio

from node.vault.journal.line import HolderLine, note_problem
from node.vault.journal.tools import JournalTools
from protocol.errors import MaillonError
from protocol.ids import NodeId
from protocol.namespace.journal import EPOCH_KEY_BYTES, FIRST_EPOCH, Ending, Opening, sign_opening
from protocol.namespace.quorums import JournalQuorum
from protocol.namespace.salted import SALT_BYTES
from protocol.namespace.sealed_entry import wrap_epoch_key
from protocol.succession.proposer import unprepared


async def prepare_next(tools: JournalTools, opening: Opening | None, ending: Ending | None) -> Opening:
    """An opening that goes on from `ending` (the first one of all, without), kept by all its holders.

    Raises:
        Unavailable: `journal-holders-too-few`. Refused: `placement-impossible`.
    """
    epoch = FIRST_EPOCH if opening is None else opening.epoch + 1
    failed: frozenset[NodeId] = frozenset()
    while True:
        holders, quorum = tools.next_holders(failed)
        decree = new_opening(tools, epoch, holders, quorum, ending)
        away = unprepared(decree, await _prepare_all(tools, decree))
        if not away:
            return decree
        failed |= away


def new_opening(
    tools: JournalTools, epoch: int, holders: tuple[NodeId, ...], quorum: JournalQuorum, ending: Ending | None
) -> Opening:
    """An opening with a fresh key, signed."""
    entropy = tools.host.entropy
    wrapping_key = tools.wrapping_key(tools.certificate.generation)
    epoch_key, salt = entropy.random_bytes(EPOCH_KEY_BYTES), entropy.random_bytes(SALT_BYTES)
    return sign_opening(
        tools.writer_key,
        tools.certificate,
        epoch=epoch,
        holders=holders,
        quorum=quorum,
        wrapped_key=wrap_epoch_key(wrapping_key, salt, epoch_key),
        previous=ending,
    )


async def _prepare_all(tools: JournalTools, decree: Opening) -> frozenset[NodeId]:
    """Who keeps it now."""
    prepared: set[NodeId] = set()

    async def prepare(line: HolderLine) -> None:
        try:
            await line.prepare()
        except MaillonError as error:
            note_problem(line.node, error)
        else:
            prepared.add(line.node)

    async with trio.open_nursery() as nursery:
        for line in tools.lines(decree):
            nursery.start_soon(prepare, line)
    return frozenset(prepared)
