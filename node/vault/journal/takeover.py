"""Becoming the writer: from whatever epoch is the newest to one of our own, which nobody has written yet.

An opening that somebody else left with the holders may be decided on the way; it is opened for its holders, and its
epoch ended in turn. So every life of a gateway writes epochs that it opened itself, each from its first entry on.

A writer of another node may still serve readers for the rest of its lease; who succeeds it waits that out, unless
the last thing it wrote is that it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import trio

from node.vault.journal.lease import DRIFT
from node.vault.journal.line import HolderLine, note_problem
from node.vault.journal.own_copy import OwnCopy
from node.vault.journal.reader import Epochs
from node.vault.journal.replay import epoch_key_of
from node.vault.journal.succeed import Candidate, Ended
from node.vault.journal.tools import JournalTools, Known
from protocol.errors import MaillonError, Missing, Refused
from protocol.namespace.changes import WriterSignedOff
from protocol.namespace.journal import FIRST_EPOCH
from protocol.namespace.sealed_entry import open_changes
from protocol.succession.succession import Succession, encode_succession


@dataclass(frozen=True, slots=True)
class Succeeded:
    """An epoch of our own. Nothing may be served before `serve_after_s`."""

    known: Known
    serve_after_s: float


class Successor:
    """`become_writer` once; `waits_for` tells meanwhile who has not answered."""

    def __init__(self, tools: JournalTools) -> None:
        self._tools = tools
        self._candidate: Candidate | None = None

    def waits_for(self) -> tuple[str, ...]:
        """The names of the holders that have not answered."""
        nodes = self._candidate.waits_for() if self._candidate is not None else ()
        return tuple(self._tools.name_of(node) for node in nodes)

    async def become_writer(self, known: Known, *, is_forced: bool) -> Succeeded:
        """End the epoch, and those that others open meanwhile, until one is opened by us.

        With `is_forced`, also an epoch that another writer opened just now is ended.

        Raises:
            Refused: `namespace-superseded` when another writer was faster; `journal-generation` when it has newer
                secrets than ours, which nobody would follow; and what `Candidate.end_epoch` raises.
        """
        while True:
            require_generation(self._tools, known)
            ended = await self.end_epoch(known)
            if ended.is_ours:
                serve_after_s = await self._serve_after_s(known, ended)
                return Succeeded(_proven(ended.succession), serve_after_s)
            known = _proven(ended.succession)
            if not is_forced:
                require_ours(self._tools, known)

    async def end_epoch(self, known: Known, copy: OwnCopy | None = None) -> Ended:
        """End this epoch, and let both its holders and the next know."""
        if copy is None:
            copy = OwnCopy(self._tools.local, known.opening, known.proof)
            await copy.open()
        self._candidate = Candidate(self._tools, known, copy)
        ended = await self._candidate.end_epoch()
        await self._tools.host.faults.reach("succession.before-open")
        await hand_over(self._tools, ended.succession)
        await self._tools.host.faults.reach("succession.after-open")
        return ended

    async def _serve_after_s(self, known: Known, ended: Ended) -> float:
        if await self._was_served_here(known, ended) or await self._signed_off(known, ended):
            return -inf
        return ended.promised_s + self._tools.timers.lease_s * DRIFT

    async def _was_served_here(self, known: Known, ended: Ended) -> bool:
        """Whether nobody but this node can have served last: back to an epoch of ours that was written in."""
        epochs = Epochs(self._tools, _proven(ended.succession))
        for epoch in range(known.opening.epoch, FIRST_EPOCH - 1, -1):
            try:
                reader = await epochs.of(epoch)
            except Missing:
                return False
            if reader.opening.certificate.node != self._tools.me:
                return False
            if reader.end is not None and reader.end.length:
                return True
        return True

    async def _signed_off(self, known: Known, ended: Ended) -> bool:
        length = ended.succession.ending.length
        if not length:
            return False
        reader = await Epochs(self._tools, _proven(ended.succession)).of(known.opening.epoch)
        changes = open_changes(epoch_key_of(self._tools, reader), await reader.entry(length - 1))
        return bool(changes) and isinstance(changes[-1], WriterSignedOff)


async def hand_over(tools: JournalTools, succession: Succession) -> None:
    """Show the proof to the holders of both epochs. Who is away hears of it later, from others or when asked."""
    proof = encode_succession(succession)

    async def learn(line: HolderLine) -> None:
        try:
            await line.learn(proof)
        except MaillonError as error:
            note_problem(line.node, error)

    async def begin(line: HolderLine) -> None:
        try:
            await line.open(proof)
        except MaillonError as error:
            note_problem(line.node, error)

    with trio.move_on_after(tools.timers.tails_grace_s):
        async with trio.open_nursery() as nursery:
            for line in tools.lines(succession.decree):
                nursery.start_soon(begin, line)
            for line in tools.lines(succession.predecessor):
                nursery.start_soon(learn, line)


def require_ours(tools: JournalTools, known: Known) -> None:
    """Raise Refused(`namespace-superseded`) when another writer opened the epoch."""
    certificate = known.opening.certificate
    if certificate.writer != tools.certificate.writer:
        raise Refused(
            "namespace-superseded",
            namespace=tools.namespace,
            epoch=known.opening.epoch,
            gateway=tools.name_of(certificate.node),
        )


def require_generation(tools: JournalTools, known: Known) -> None:
    """Raise Refused(`journal-generation`) when the epoch was opened with newer secrets than ours."""
    generation = known.opening.generation
    if generation > tools.certificate.generation:
        raise Refused("journal-generation", namespace=tools.namespace, generation=generation)


def _proven(succession: Succession) -> Known:
    return Known(succession.decree, succession)
