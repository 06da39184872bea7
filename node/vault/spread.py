"""Spreading a flight: n shares of each block to n holders, answered when enough of them are durable.

A block is acknowledged when all its n shares are durable, or, once `straggler_wait` is over, when k + margin are;
what is still missing then is left to the completer. How the shares travel is `node.vault.flight`'s; here it is
decided where they should go, how long to wait, and whether what was reached is enough. The shares' memory is free
for re-use when `spread` ends, whichever way it ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import trio

from node.logs import get_logger
from node.vault.flight import Flight, Outbound
from node.vault.holders import Holders
from protocol.coding.block import EncodedBlock
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, Unavailable
from protocol.ids import BlockId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.roster import Rules
from protocol.placement.place import place, replace

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpreadTimes:
    """How long to wait for the last holders once enough have answered, and for enough of them at all."""

    straggler_wait_s: float
    put_deadline_s: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Where a block's shares are now: `placing[i]` holds share i unless bit i of `missing` is set."""

    placing: tuple[NodeId, ...]
    missing: int

    def lacking(self) -> set[int]:
        """The indices of the shares that are nowhere yet."""
        return {index for index in range(len(self.placing)) if self.missing >> index & 1}


class Spreader:
    """Sends blocks of one namespace, in the name of its writer."""

    def __init__(self, holders: Holders, writer: SigningKey, times: SpreadTimes) -> None:
        self._holders = holders
        self._writer = writer
        self._times = times

    async def spread(
        self, encoded: Sequence[EncodedBlock], rules: Rules, stamp: Stamp, keep_until_s: int
    ) -> list[Spread]:
        """Place and send the fresh blocks of a flight.

        Raises:
            Refused: `placement-impossible`.
            Unavailable: `holders-too-few`, with how many shares are durable and needed, and who is missing and why.
        """
        avoid = self._holders.unreachable()
        blocks = []
        for one in encoded:
            placing = place(one.block_id, rules.data_class, rules.code, rules.candidates, avoid=avoid)
            self._require_live(placing, rules, avoid)
            blocks.append(Outbound(one, placing, set()))
        flight = Flight(self._holders, self._writer, rules, stamp, keep_until_s, blocks)
        return await self._send(flight, blocks, rules, self._times.straggler_wait_s)

    async def complete(
        self, encoded: EncodedBlock, rules: Rules, stamp: Stamp, keep_until_s: int, now: Spread
    ) -> Spread:
        """Send what is missing of a block that was acknowledged short of n shares. Nobody waits for the answer, so
        every holder has the whole deadline: one that is always slow would never get its share otherwise."""
        placing = self._moved(encoded.block_id, rules, now)
        blocks = [Outbound(encoded, placing, set(range(rules.code.n)) - now.lacking())]
        flight = Flight(self._holders, self._writer, rules, stamp, keep_until_s, blocks)
        (spread,) = await self._send(flight, blocks, rules, self._times.put_deadline_s)
        return spread

    def can_complete(self, block: BlockId, rules: Rules, now: Spread) -> bool:
        """Whether there is anybody now to whom a missing share could be sent."""
        placing, away = self._moved(block, rules, now), self._holders.unreachable()
        return any(placing[index] not in away for index in now.lacking())

    def _moved(self, block: BlockId, rules: Rules, now: Spread) -> tuple[NodeId, ...]:
        """The placing with missing shares named to others where their holders are away, as far as there are any."""
        avoid = self._holders.unreachable()
        gone = {index for index in now.lacking() if now.placing[index] in avoid}
        return replace(block, now.placing, gone, rules.data_class, rules.code, rules.candidates, avoid=avoid)

    def _require_live(self, placing: tuple[NodeId, ...], rules: Rules, unreachable: frozenset[NodeId]) -> None:
        """Refuse at once, with names, what is known to fail: a write should not hang for its deadline first."""
        down = [node for node in placing if node in unreachable]
        if len(placing) - len(down) < rules.code.least:
            away = Unavailable("node-unreachable")
            raise self._too_few(rules, len(placing) - len(down), dict.fromkeys(down, away))

    async def _send(
        self, flight: Flight, blocks: Sequence[Outbound], rules: Rules, patience_s: float
    ) -> list[Spread]:
        with trio.move_on_after(self._times.put_deadline_s):
            await flight.send(patience_s)
        for block in blocks:
            if len(block.durable) < rules.code.least:
                slow = Unavailable("deadline")
                absent = [block.placing[index] for index in block.missing]
                reasons = {node: block.failed.get(node, slow) for node in absent}
                raise self._too_few(rules, len(block.durable), reasons)
        for block in blocks:
            name, header = block.encoded.block_id, block.encoded.header
            log.debug("block.placed", block=name, k=header.k, n=header.n, missing=len(block.missing))
        return [Spread(block.placing, sum(1 << index for index in block.missing)) for block in blocks]

    def _too_few(self, rules: Rules, reached: int, absent: Mapping[NodeId, MaillonError]) -> Unavailable:
        """Who is missing, and what each said: a full disk is mended otherwise than a dead machine."""
        named = [(self._holders.name(node), error.identifier) for node, error in absent.items()]
        return Unavailable(
            "holders-too-few",
            reached=reached,
            needed=rules.code.least,
            code=str(rules.code),
            missing=tuple(name for name, _reason in named),
            because=tuple(f"{name}: {reason}" for name, reason in named),
        )
