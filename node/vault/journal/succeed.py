"""Ending an epoch, as one candidate does it.

Promise, adopt, prepare, accept: the holders of the epoch promise to take nothing but what follows this candidate's
ballot; everything that any of them can show is adopted; the next holders keep the opening of the next epoch; and then
the holders accept it, those that lack entries being sent them first. With w acceptances it is decided, and the proof
is the outcome, whoever's opening it was: a candidate that finds an opening accepted before proposes that one.

A candidate stops for nobody and undoes nothing: it may die at any step, and the next one, here or elsewhere, finds
what it left with the holders. Two candidates that outbid each other wait a random while before they try again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from node.logs import get_logger
from node.vault.journal.adopting import Adopter
from node.vault.journal.canvass import Canvass
from node.vault.journal.fill import fill
from node.vault.journal.line import HolderLine, Promised, note_problem
from node.vault.journal.own_copy import OwnCopy
from node.vault.journal.preparing import prepare_next
from node.vault.journal.tools import JournalTools, Known
from protocol.errors import Forged, Refused, Unavailable
from protocol.ids import Digest, NodeId, short_text_of
from protocol.namespace.journal import Ending, Opening, Tip, opening_hash
from protocol.succession.ballot import Candidacy, sign_candidacy
from protocol.succession.proposal import Proposal, sign_proposal, vote_of
from protocol.succession.proposer import Promise, check_promise, counted, decided, forced_decree
from protocol.succession.succession import Succession, verify_acceptance

_DRAW_BYTES: Final = 7

R = TypeVar("R")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """The epoch is over. `is_ours`: by the opening that this candidate made, and nobody has used yet.

    From `promised_s` on, too few holders listened to the epoch's writer.
    """

    succession: Succession
    is_ours: bool
    promised_s: float


class Candidate:
    """Ends one epoch. `copy` is our own copy of it, open."""

    def __init__(self, tools: JournalTools, known: Known, copy: OwnCopy) -> None:
        self._tools = tools
        self._opening = known.opening
        self._proof = known.proof
        self._copy = copy
        self._lines = tools.lines(known.opening)
        self._counter = 0
        self._made: set[Digest] = set()
        self._waiting: Canvass[Promised] | Canvass[bytes] | None = None

    def waits_for(self) -> tuple[NodeId, ...]:
        """Holders that have not answered yet."""
        return self._waiting.missing() if self._waiting is not None else ()

    async def end_epoch(self) -> Ended:
        """Until it is decided how the epoch ends.

        Raises:
            Refused: `journal-generation` when a newer generation of the namespace's secrets has been used.
            Damaged: `journal-fork`, and what our own disk raises.
        """
        attempts = 0
        while True:
            try:
                return await self._attempt()
            except Refused as error:
                if error.identifier != "journal-promised":
                    raise
                attempts += 1
                log.info("succession.outbid", namespace=short_text_of(self._opening.namespace), attempts=attempts)
                await trio.sleep(self._random_pause_s(attempts))

    async def _attempt(self) -> Ended:
        tools, faults = self._tools, self._tools.host.faults
        candidacy = self._new_candidacy()
        await faults.reach("succession.before-promise")
        promises = self._promises(candidacy)
        try:
            await promises.gather(tools.timers.tails_grace_s)
            await self._adopt(candidacy, promises)
        finally:
            self._note_outbids(promises.outbids)
        promised_s = trio.current_time()
        if promises.ended is not None:
            return Ended(promises.ended, is_ours=False, promised_s=promised_s)
        await faults.reach("succession.after-adopt")
        decree = await self._forced(promises)
        if decree is None:
            decree = await prepare_next(tools, self._opening, self._ending())
            self._made.add(opening_hash(decree))
            await faults.reach("succession.after-prepare")
        succession = await self._decide(candidacy, sign_proposal(tools.writer_key, candidacy, decree))
        return Ended(succession, opening_hash(succession.decree) in self._made, promised_s)

    def _new_candidacy(self) -> Candidacy:
        tools = self._tools
        self._counter += 1
        draw = int.from_bytes(tools.host.entropy.random_bytes(_DRAW_BYTES), "big")
        return sign_candidacy(tools.writer_key, tools.certificate, self._opening, counter=self._counter, draw=draw)

    def _promises(self, candidacy: Candidacy) -> Canvass[Promised]:
        async def promise(line: HolderLine) -> Promised:
            promised = await self._opened(line, lambda: line.promise(candidacy))
            check_promise(self._opening, candidacy, Promise(line.node, promised.tip, promised.accepted))
            return promised

        needed = len(self._opening.holders) - self._opening.losses
        promises = Canvass(self._tools, self._opening, self._lines, promise, needed=needed)
        self._waiting = promises
        return promises

    async def _adopt(self, candidacy: Candidacy, promises: Canvass[Promised]) -> None:
        """Adopt what those that promised can show; who promises but shows nothing is asked again."""
        await self._tools.host.faults.reach("succession.after-promise")
        adopter = Adopter(self._opening, self._copy, self._lines, candidacy.ballot)
        while promises.ended is None:
            tips = {node: promised.tip for node, promised in promises.answers.items()}
            failed = await adopter.adopt_from(tips)
            if not failed:
                return
            for node, error in failed.items():
                promises.retract(node, error)
            await promises.gather(self._tools.timers.tails_grace_s)

    async def _forced(self, promises: Canvass[Promised]) -> Opening | None:
        """The decree that must be proposed again, if any.

        Raises:
            Unavailable: `succession-promises` when more of those that answered lie than the epoch bears.
        """
        given = [Promise(node, promised.tip, promised.accepted) for node, promised in promises.answers.items()]
        ends = [Tip(end.length, end.head) for end in (one.accepted.ending for one in given if one.accepted)]
        known = {tip for tip in (*ends, *(one.tip for one in given)) if await self._knows(tip)}
        believed = counted(self._opening, given, known.__contains__)
        namespace, epoch = self._opening.namespace, self._opening.epoch
        for lie in set(given) - set(believed):
            note_problem(lie.holder, Forged("succession-promise", namespace=namespace, epoch=epoch, node=lie.holder))
        return forced_decree(self._opening, believed)

    async def _knows(self, tip: Tip) -> bool:
        """Whether this is a point of what was adopted."""
        return tip.length <= self._copy.tip.length and await self._copy.head_at(tip.length) == tip.head

    def _ending(self) -> Ending:
        tip = self._copy.tip
        return Ending(opening_hash(self._opening), tip.length, tip.head)

    async def _decide(self, candidacy: Candidacy, proposal: Proposal) -> Succession:
        """Have the proposal accepted by w holders; or find that another was decided."""
        vote, end = vote_of(proposal), Tip(proposal.ending.length, proposal.ending.head)

        async def accept(line: HolderLine) -> bytes:
            try:
                signature = await self._opened(line, lambda: line.accept(proposal))
            except Unavailable as error:
                if error.identifier != "journal-behind":
                    raise
                await fill(line, self._copy, candidacy, end)
                signature = await line.accept(proposal)
            verify_acceptance(line.node, vote, signature)
            return signature

        await self._tools.host.faults.reach("succession.before-accept")
        acceptances = Canvass(self._tools, self._opening, self._lines, accept, needed=self._opening.w)
        self._waiting = acceptances
        try:
            await acceptances.gather(0)
        finally:
            self._note_outbids(acceptances.outbids)
        await self._tools.host.faults.reach("succession.after-accept")
        if acceptances.ended is not None:
            return acceptances.ended
        succession = decided(self._opening, proposal, acceptances.answers)
        if succession is None:
            raise Unavailable("succession-promises", found=len(acceptances.answers), needed=self._opening.w)
        return succession

    async def _opened(self, line: HolderLine, question: Callable[[], Awaitable[R]]) -> R:
        """The answer of a holder that may not have heard yet that this epoch was decided."""
        try:
            return await question()
        except Unavailable as error:
            if error.identifier != "journal-not-open":
                raise
            await line.open(self._proof)
            return await question()

    def _note_outbids(self, outbids: Mapping[NodeId, int]) -> None:
        """The next counter must be over those of others; as many holders as may lie are not believed."""
        believed = sorted(outbids.values(), reverse=True)[self._opening.liars :]
        self._counter = max(self._counter, *believed) if believed else self._counter

    def _random_pause_s(self, attempts: int) -> float:
        most_s = self._tools.timers.compete_most_s * min(attempts, 8)
        return most_s * int.from_bytes(self._tools.host.entropy.random_bytes(2), "big") / 65_536
